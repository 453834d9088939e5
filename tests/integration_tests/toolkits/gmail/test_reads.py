"""What a model is shown of a mailbox: the words, cut to a length, a page at a time."""

from __future__ import annotations

import base64
from email.message import EmailMessage
from typing import Any

import pytest

from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.gmail import Hub, reads
from langchain_agentrein.toolkits.gmail.definitions import carriers
from langchain_agentrein.toolkits.gmail.mime import plain, text_of
from tests.integration_tests.toolkits.gmail.world import EMAIL, Mailbox


def read(operation: Operation, hub: Hub) -> Any:
    return operation.do(hub, None)  # type: ignore[arg-type]


def test_a_search_is_read_page_by_page(mail: Mailbox, api: Hub) -> None:
    for n in range(5):
        mail.received(f"No. {n}", sender="ana@acme.com")
    mail.received("Other", sender="dan@acme.com")
    found, page = [], None
    while True:
        answer = read(reads.SearchMessages(query="from:ana", limit=2, page=page), api)
        found += answer["items"]
        page = answer["next_page"]
        if page is None:
            break
    assert sorted(one["subject"] for one in found) == [f"No. {n}" for n in range(5)]
    assert {one["from"] for one in found} == {"ana@acme.com"}
    assert all(one["id"] and one["thread"] and one["url"] and "INBOX" in one["labels"] for one in found)


def test_everything_that_carries_a_label_is_found(mail: Mailbox, api: Hub) -> None:
    label = mail.label("Many")
    ids = {mail.received(f"No. {n}", labels=(label,))["id"] for n in range(130)}
    assert set(carriers(api, label)) == ids


def test_a_mail_of_two_forms_is_shown_as_text_and_its_files_by_name(mail: Mailbox, api: Hub) -> None:
    written = EmailMessage()
    written["From"], written["To"], written["Subject"] = "Ana <ana@acme.com>", EMAIL, "Grüße"
    written.set_content("Schöne Grüße")
    written.add_alternative("<p>Schöne <b>Grüße</b></p>", subtype="html")
    written.add_attachment(b"1,2", maintype="text", subtype="csv", filename="data.csv")
    raw = base64.urlsafe_b64encode(written.as_bytes()).decode()
    identity = mail.ask("POST", "messages", {"raw": raw, "labelIds": ["INBOX"]})["id"]
    told = read(reads.GetMessage(message_id=identity), api)
    assert (told["body"], told["truncated"]) == ("Schöne Grüße", False)
    assert [one["name"] for one in told["attachments"]] == ["data.csv"]


def test_a_long_text_is_cut_and_says_so(mail: Mailbox, api: Hub) -> None:
    came = mail.received(body="word " * 10_000)
    told = read(reads.GetMessage(message_id=came["id"]), api)
    assert (len(told["body"]), told["truncated"]) == (reads.LONG, True)
    [message] = read(reads.GetThread(thread_id=came["threadId"]), api)["messages"]
    assert (len(message["body"]), message["truncated"]) == (reads.SHORT, True)


def test_of_a_long_thread_the_newest_are_shown(
    mail: Mailbox, api: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "LINES", 2)
    thread = mail.received()["threadId"]
    last = [mail.answered(thread) for _ in range(3)][1:]
    told = read(reads.GetThread(thread_id=thread), api)
    assert ([one["id"] for one in told["messages"]], told["left_out"]) == (last, 2)


def test_a_draft_is_read_with_its_people(mail: Mailbox, api: Hub) -> None:
    told = read(reads.GetDraft(draft_id=mail.draft("Plans", "To be.")), api)
    assert (told["to"], told["subject"], told["body"]) == (["ana@acme.com"], "Plans", "To be.")
    [listed] = read(reads.ListDrafts(), api)["items"]
    assert (listed["id"], listed["subject"]) == (told["id"], "Plans")


def test_text_in_any_charset_is_read() -> None:
    def part(charset: str, data: bytes) -> dict[str, Any]:
        header = {"name": "Content-Type", "value": f'text/plain; charset="{charset}"'}
        encoded = base64.urlsafe_b64encode(data).decode().rstrip("=")
        return {"payload": {"mimeType": "text/plain", "headers": [header], "body": {"data": encoded}}}

    assert text_of(part("iso-8859-1", "Grüße".encode("latin-1"))) == "Grüße"
    assert text_of(part("utf-8", "Grüße".encode())) == "Grüße"
    assert text_of(part("no-such-thing", "Grüße".encode())) == "Grüße"
    assert text_of({"payload": {}}) == ""


def test_html_is_read_as_its_words() -> None:
    page = "<html><head><title>x</title></head><style>p {}</style><p>One &amp; two</p><p>Three<br>Four</p></html>"
    assert plain(page).split("\n")[:3] == ["One & two", "Three", "Four"]
