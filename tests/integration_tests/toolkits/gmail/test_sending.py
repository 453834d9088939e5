"""A mail that was sent by mistake: whom the correction reaches, what it says, and that nobody gets two."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from langchain_agentrein import AgentRein, ConfigError, NotDone, Risk, Status
from langchain_agentrein.engine import Call
from langchain_agentrein.flow import run
from langchain_agentrein.toolkits.gmail import Hub, correcting
from langchain_agentrein.toolkits.gmail.hub import SKEW
from langchain_agentrein.toolkits.gmail.mime import MARK, decoded, given, is_marked
from langchain_agentrein.toolkits.gmail.send import SendDraft, SendMessage
from langchain_agentrein.toolkits.gmail.template import Correction
from tests.integration_tests.toolkits.gmail.doing import back, call, refused
from tests.integration_tests.toolkits.gmail.making import draft_sent, sent
from tests.integration_tests.toolkits.gmail.world import Mailbox, hub
from tests.support.fault_proxy import Fault, Proxy

ALL = {"to": ["Ana <ana@acme.com>"], "cc": ["dan@acme.com"], "bcc": ["eve@acme.com"]}


def corrections(mail: Mailbox) -> list[dict[str, Any]]:
    return [one for one in mail.sent() if one["subject"].startswith("Please disregard")]


def test_each_person_is_told_alone_and_learns_of_nobody_else(
    mail: Mailbox, through: Hub, rein: AgentRein
) -> None:
    session = call(rein, SendMessage(**ALL, subject="Salaries", body="secret"), through)

    action = back(rein, session)

    assert action.status is Status.COMPENSATED
    assert action.undo.residue[0] == "the mail was delivered, and may have been read"
    told = corrections(mail)
    assert sorted(one["to"] for one in told) == [["ana@acme.com"], ["dan@acme.com"], ["eve@acme.com"]]
    for one in told:
        assert (one["cc"], one["bcc"]) == ([], [])
        others = {"ana@acme.com", "dan@acme.com", "eve@acme.com"} - set(one["to"])
        assert not any(other in one["body"] for other in others)
        assert "secret" not in one["body"]
        assert '"Salaries"' in one["body"]


def test_a_machine_can_tell_that_a_machine_wrote_it(mail: Mailbox, through: Hub, rein: AgentRein) -> None:
    """So that no absence note answers it, and none of ours answers that."""
    back(rein, call(rein, sent(mail), through))
    ids = [one["id"] for one in mail.ask("GET", "messages?labelIds=SENT")["messages"]]
    found = [decoded(given(mail.ask("GET", f"messages/{one}?format=raw"))) for one in ids]
    [raw] = [one for one in found if one["Subject"].startswith("Please")]
    [original] = [one for one in found if one is not raw]
    assert raw["Auto-Submitted"] == "auto-generated"
    assert raw["In-Reply-To"] == original["Message-ID"]


def test_one_person_is_told_once_in_a_session(mail: Mailbox, through: Hub, rein: AgentRein) -> None:
    session = call(rein, SendMessage(**ALL, subject="One", body="a"), through)
    call(rein, SendMessage(to=["ana@acme.com", "fay@acme.com"], subject="Two", body="b"), through, session)

    back(rein, session)

    assert sorted(one["to"][0][:3] for one in corrections(mail)) == ["ana", "dan", "eve", "fay"]
    first, second = session.actions()
    assert any("told before" in one and "ana@acme.com" in one for one in first.undo.residue)
    assert (first.status, second.status) == (Status.COMPENSATED, Status.COMPENSATED)


def test_another_session_tells_them_again(mail: Mailbox, through: Hub, rein: AgentRein) -> None:
    for _ in range(2):
        back(rein, call(rein, sent(mail), through))
    assert len(corrections(mail)) == 2


def test_nobody_writes_to_machines(mail: Mailbox, through: Hub, rein: AgentRein) -> None:
    people = ["No Reply <no-reply@shop.com>", "ana@acme.com", "bot@acme.com"]
    session = call(rein, SendMessage(to=people, subject="Plans", body="x"), through)
    action = back(rein, session)
    assert [one["to"] for one in corrections(mail)] == [["ana@acme.com"]]
    assert "nobody reads no-reply@shop.com: no correction was sent there" in action.undo.residue


@pytest.mark.parametrize(
    ("sender", "headers", "counts"),
    [
        ("ana@acme.com", {}, True),
        ("ana@acme.com", {"Auto-Submitted": "auto-replied"}, False),
        ("Mail Delivery <mailer-daemon@googlemail.com>", {}, False),
    ],
)
def test_an_answer_is_a_conflict_and_a_machines_answer_is_none(
    mail: Mailbox, through: Hub, rein: AgentRein, sender: str, headers: dict[str, str], counts: bool
) -> None:
    session = call(rein, sent(mail), through)
    [action] = session.actions()
    mail.front.headers = True
    mail.answered(action.receipt["thread"], sender, **headers)

    action = back(rein, session)

    assert action.status is (Status.CONFLICT if counts else Status.COMPENSATED)
    assert len(corrections(mail)) == (0 if counts else 1)


def test_a_correction_that_may_have_been_sent_waits_for_a_person(
    mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein
) -> None:
    session = call(rein, sent(mail), through)
    proxy.fault = Fault("cut")

    action = back(rein, session)
    assert action.status is Status.STUCK
    assert "its undo may have happened" in (action.undo.error or "")

    rein.rollback(session=session.id, by="ana")
    assert (session.actions()[0].status, corrections(mail)) == (Status.STUCK, [])

    rein.approve(action.id, by="ana")
    rein.rollback(session=session.id, by="ana")
    assert session.actions()[0].status is Status.COMPENSATED
    assert len(corrections(mail)) == 1


def test_so_it_does_where_nobody_can_look(
    mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That Gmail cannot be read after a lost reply says nothing about the correction."""
    session = call(rein, sent(mail), through)
    real, looked = correcting.Correcting._already, list[int]()

    def flaky(self: Any, people: Any) -> set[str]:
        looked.append(1)
        if len(looked) > 1:
            raise NotDone("Gmail could not be read, nothing was done")
        return real(self, people)

    monkeypatch.setattr(correcting.Correcting, "_already", flaky)
    proxy.fault = Fault("swallow")
    action = back(rein, session)
    assert (action.status, len(looked)) == (Status.STUCK, 2)
    assert "its undo may have happened" in (action.undo.error or "")
    assert len(corrections(mail)) == 1


def test_whoever_could_not_be_told_is_named_and_told_later(
    mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein
) -> None:
    session = call(rein, SendMessage(**ALL, subject="Plans", body="x"), through)
    proxy.fault = Fault("answer", 400, reply=refused(400, "invalidArgument", "Invalid To"), skip=1)

    action = back(rein, session)
    assert action.status is Status.STUCK
    assert "dan@acme.com was not told" in (action.undo.error or "")
    assert len(corrections(mail)) == 2

    through.told.clear()
    assert back(rein, session).status is Status.COMPENSATED
    assert sorted(one["to"][0][:3] for one in corrections(mail)) == ["ana", "dan", "eve"]


def test_asked_to_wait_between_corrections_it_waits(
    mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein
) -> None:
    session = call(rein, SendMessage(**ALL, subject="Plans", body="x"), through)
    slower = refused(429, "rateLimitExceeded")
    proxy.fault = Fault("answer", 429, {"Retry-After": "0"}, reply=slower, skip=1, times=2)
    assert back(rein, session).status is Status.COMPENSATED
    assert len(corrections(mail)) == 3


def test_a_thread_that_cannot_be_labelled_is_told_and_nothing_more(
    mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein
) -> None:
    session = call(rein, sent(mail), through)
    proxy.fault = Fault("answer", 403, reply=refused(403, "insufficientPermissions", "No scope"), skip=1)
    action = back(rein, session)
    assert action.status is Status.COMPENSATED
    assert any("could not be labelled" in one and "No scope" in one for one in action.undo.residue)


def test_a_mail_that_somebody_deleted_is_corrected_all_the_same(
    mail: Mailbox, through: Hub, rein: AgentRein
) -> None:
    session = call(rein, sent(mail), through)
    [action] = session.actions()
    mail.ask("DELETE", f"messages/{action.receipt['id']}")
    assert back(rein, session).status is Status.COMPENSATED
    assert [one["to"] for one in corrections(mail)] == [["ana@acme.com"]]


@pytest.mark.parametrize("make", [sent, draft_sent])
def test_unattended_a_correction_waits(mail: Mailbox, through: Hub, rein: AgentRein, make: Any) -> None:
    session = call(rein, make(mail), through)
    before = len(mail.sent())
    rein.rollback(session=session.id, by="ana")
    [action] = session.actions()
    assert action.status is Status.STUCK
    assert "awaiting approval: its undo reaches people" in (action.undo.error or "")
    assert len(mail.sent()) == before


def test_a_lost_reply_whose_mail_bears_no_mark_goes_to_a_person(
    mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein
) -> None:
    """Gmail may give a mail another Message-ID; the emulator drops our header, so that nothing is left."""
    mail.front.marks = False
    proxy.fault = Fault("swallow")
    session = rein.session(intent="faults")
    with pytest.raises(Exception, match="without an answer"):
        run(rein.perform(sent(mail), through, Call(session=session.record)))
    [action] = session.actions()
    assert action.status is Status.IN_DOUBT
    assert "may lag behind" in action.error["unsettled"]
    assert len(mail.sent()) == 1

    rein.approve(action.id, by="ana")  # she has looked: it is there
    assert back(rein, session).status is Status.COMPENSATED
    assert [one["to"] for one in corrections(mail)] == [["ana@acme.com"]]


def test_either_mark_is_enough() -> None:
    def message(**headers: str) -> dict[str, Any]:
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in headers.items()]
        return {"payload": {"headers": named}}

    assert is_marked(message(Message_Id="<abc@agentrein.invalid>"), "abc")
    assert is_marked({"payload": {"headers": [{"name": MARK.lower(), "value": "abc"}]}}, "abc")
    assert not is_marked(message(Message_Id="<other@mail.gmail.com>", Subject="abc"), "abc")


def test_the_developers_words_are_those_of_the_day_it_was_sent(
    mail: Mailbox, proxy: Proxy, rein: AgentRein
) -> None:
    ours = Correction(subject="Sorry", body="Ignore {subject}, please.", label=None)
    session = call(rein, sent(mail), hub(proxy.url, correction=ours))
    action = back(rein, session)  # the client of the rollback knows only the usual words
    [told] = [one for one in mail.sent() if one["subject"] == "Sorry"]
    assert told["body"].startswith("Ignore Plans, please.\n\n[")
    assert not any("label" in one for one in action.undo.residue)


def test_words_with_an_unknown_placeholder_are_refused() -> None:
    with pytest.raises(ConfigError, match="subject"):
        Correction(body="Dear {name}")
    with pytest.raises(ConfigError, match="text"):
        Correction(body=" ")


@pytest.mark.parametrize(
    ("people", "options", "risk"),
    [
        (["ana@acme.com"], {}, Risk.HIGH),
        (["ana@acme.com", "x@other.com"], {}, Risk.CRITICAL),
        (["ana@acme.com", "x@other.com"], {"inside": ["acme.com", "OTHER.com"]}, Risk.HIGH),
        ([f"p{n}@acme.com" for n in range(11)], {}, Risk.CRITICAL),
        ([f"p{n}@acme.com" for n in range(11)], {"many": 20}, Risk.HIGH),
    ],
)
def test_strangers_and_crowds_are_critical(
    mail: Mailbox, people: list[str], options: dict[str, Any], risk: Risk
) -> None:
    assessed = SendMessage(to=people, subject="s", body="b").assess(hub(mail.front.url, **options))
    assert assessed.risk is risk
    assert f"to {len(people)} person(s)" in assessed.summary


def test_whoever_has_no_domain_has_no_strangers(mail: Mailbox) -> None:
    mail.front.settings.email = "bot@gmail.com"
    assert SendMessage(to=["x@other.com"], subject="s", body="b").assess(mail.hub).risk is Risk.HIGH


def test_where_nobody_knows_whose_mailbox_it_is_all_are_strangers(mail: Mailbox) -> None:
    assessed = SendMessage(to=["ana@acme.com"], subject="s", body="b").assess(hub("http://localhost:9"))
    assert assessed.risk is Risk.CRITICAL


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": ["ana"]},
        {"to": ["ana@acme.com, eve@acme.com"]},
        {"to": ["ana@acme.com\r\nBcc: eve@acme.com"]},
        {"to": ["a\nb <ana@acme.com>"]},
        {"to": ["änä@acme.com"]},
        {"to": ["ana@acme.com"], "subject": "a\r\nBcc: eve@acme.com"},
        {"to": [], "subject": "s"},
        {"to": ["ana@acme.com"], "subject": ""},
    ],
)
def test_what_is_no_address_or_no_line_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"address|one line|somebody|subject"):
        SendMessage(**{"subject": "s", "body": "b", **wrong})


def test_odd_headers_of_others_do_no_harm(mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein) -> None:
    odd = "To: ana@acme.com, undisclosed-recipients:;\r\nSubject: =?utf-8?q?a=0Ab?=\r\nContent-Type: text/plain; charset=x-no\r\n\r\nhi"
    written = base64.urlsafe_b64encode(odd.encode()).decode()
    draft = mail.ask("POST", "drafts", {"message": {"raw": written}})["id"]
    session = call(rein, SendDraft(draft_id=draft), through)
    assert back(rein, session).status is Status.COMPENSATED
    assert [one["to"] for one in corrections(mail)] == [["ana@acme.com"]]


def test_what_cannot_be_written_was_not_sent(mail: Mailbox, through: Hub, rein: AgentRein) -> None:
    odd = SendMessage.model_construct(to=["ana@acme.com"], cc=[], bcc=[], subject="s", body="\ud800")
    odd.in_reply_to = None
    with pytest.raises(NotDone, match="cannot be written as a mail"):
        odd.snapshot(through)


def test_long_after_whoever_was_told_is_found_by_a_search(
    mail: Mailbox, through: Hub, rein: AgentRein, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that was sent in a month is too much to read."""
    monkeypatch.setattr(correcting, "RECENT", -2 * SKEW)
    session = call(rein, sent(mail), through)
    call(rein, SendMessage(to=["ana@acme.com", "dan@acme.com"], subject="Two", body="b"), through, session)
    monkeypatch.setattr(through, "told", _Forgetful())
    back(rein, session)
    assert sorted(one["to"] for one in corrections(mail)) == [["ana@acme.com"], ["dan@acme.com"]]


def test_each_mail_is_read_once_however_many_are_corrected(
    mail: Mailbox, through: Hub, rein: AgentRein, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = rein.session(intent="newsletter")
    for n in range(6):
        call(rein, SendMessage(to=[f"p{n}@acme.com"], subject="News", body="b"), through, session)
    asked, real = list[str](), Hub.each

    def noting(self: Hub, requests: Any, **options: Any) -> Any:
        def noted() -> Any:
            for request in requests:
                asked.append(request.uri)
                yield request

        return real(self, noted(), **options)

    monkeypatch.setattr(Hub, "each", noting)
    back(rein, session)
    assert len(corrections(mail)) == 6
    read = [one for one in asked if "/messages/" in one and "format=full" in one]
    assert len(read) == len(set(read)), "none is read twice"


class _Forgetful(set[str]):
    """What another process knows of the corrections of this one."""

    def add(self, _: str) -> None:
        pass


def test_an_answer_goes_into_its_thread(mail: Mailbox, through: Hub, rein: AgentRein) -> None:
    came = mail.received("Question", headers={})
    operation = SendMessage(to=["ana@acme.com"], body="Yes.", in_reply_to=came["id"])
    [action] = call(rein, operation, through).actions()
    assert action.receipt["thread"] == came["threadId"]
    assert mail.sent()[-1]["subject"] == "Re: Question"
