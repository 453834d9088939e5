"""How the toolkit is made, what it offers, and that any thread may use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.http import HttpMock
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from langchain_agentrein import AgentRein, ConfigError, ReversibleTool, SessionFailed, Status, reversible
from langchain_agentrein.policy import ALIASES
from langchain_agentrein.toolkits import GmailToolkit
from langchain_agentrein.toolkits.gmail import Hub, labelling
from langchain_agentrein.toolkits.gmail.hub import hub_of
from tests.integration_tests.toolkits.gmail.doing import call
from tests.integration_tests.toolkits.gmail.making import archived
from tests.integration_tests.toolkits.gmail.table import PAGE, page
from tests.integration_tests.toolkits.gmail.world import EMAIL, Mailbox, service
from tests.support.agents import calls, script
from tests.support.discovery import described


def test_the_page_tells_what_the_operations_declare() -> None:
    now = PAGE.read_text()
    assert page(now) == now, "docs/gmail.md is out of date: run `make operations`"


def test_the_environment_gives_a_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GMAIL_TOKEN_FILE", "GOOGLE_APPLICATION_CREDENTIALS", "GMAIL_USER"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="GMAIL_TOKEN_FILE"):
        GmailToolkit.from_env()
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "key.json")
    with pytest.raises(ConfigError, match="GMAIL_USER"):
        GmailToolkit.from_env()
    token = tmp_path / "token.json"
    monkeypatch.setenv("GMAIL_TOKEN_FILE", str(token))
    with pytest.raises(ConfigError, match=r"token\.json is no file of credentials"):
        GmailToolkit.from_env()
    token.write_text(
        json.dumps({"refresh_token": "very-secret", "client_id": "c", "client_secret": "also-secret"})
    )
    toolkit = GmailToolkit.from_env()
    assert len(toolkit.get_tools()) == len(GmailToolkit.operations)
    assert "secret" not in repr(toolkit)


def test_a_service_account_acts_for_a_mailbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    key = {
        "type": "service_account",
        "client_email": "agent@acme.iam.gserviceaccount.com",
        "token_uri": "http://localhost:9/token",
        "private_key": private.decode(),
    }
    (tmp_path / "key.json").write_text(json.dumps(key))
    monkeypatch.delenv("GMAIL_TOKEN_FILE", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    monkeypatch.setenv("GMAIL_USER", "bot@acme.com")
    credentials = GmailToolkit.from_env().client._credentials
    assert credentials._subject == "bot@acme.com"
    assert {scope.rpartition("/")[2] for scope in credentials.scopes} == {
        "gmail.modify",
        "gmail.settings.basic",
    }


def test_reading_tools_alone(api: Hub) -> None:
    names = {tool.name for tool in GmailToolkit(api, read_only=True).get_tools()}
    assert "gmail_messages_search" in names
    assert not any("send" in name.rpartition("_")[2] for name in names)


def test_the_short_names_are_those_of_operations() -> None:
    names = {operation.name for operation in GmailToolkit.operations}
    assert {long for short, long in ALIASES.items() if short.startswith("gmail.")} <= names


def test_a_service_keeps_its_hub_and_its_mailbox(mail: Mailbox) -> None:
    with service(mail.front.url) as one:
        assert hub_of(one) is hub_of(one)
        assert hub_of(one).account() == EMAIL


def test_a_transport_that_cannot_be_kept_from_repeating_is_refused() -> None:
    odd = build("gmail", "v1", http=HttpMock(), static_discovery=True)
    with pytest.raises(ConfigError, match="HttpMock"):
        Hub(odd)


def test_the_developers_own_transport_is_not_used(mail: Mailbox) -> None:
    """Its connections would be shared between threads, and httplib2's may not be."""
    with build("gmail", "v1", credentials=Credentials(token="t"), static_discovery=True) as one:
        one._http.http.timeout = 7
        with Hub(one)._connection(type(one._http.http)) as ours:
            assert ours.http is not one._http.http
            assert ours.http.timeout == 7


def test_any_thread_may_use_it(mail: Mailbox, through: Hub) -> None:
    ids = [mail.received(f"No. {n}")["id"] for n in range(8)]
    messages = through.users.messages()

    def work(n: int) -> str:
        body = {"addLabelIds": ["STARRED"], "removeLabelIds": []}
        through.send(messages.modify(userId="me", id=ids[n % 8], body=body))
        [subject] = [
            one["value"]
            for one in through.get(messages.get(userId="me", id=ids[n % 8]))["payload"]["headers"]
            if one["name"] == "Subject"
        ]
        return str(subject)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(32))) == [f"No. {n % 8}" for n in range(32)]


async def test_an_awaited_call_does_not_block_the_loop(mail: Mailbox, through: Hub, rein: AgentRein) -> None:
    message = mail.received()["id"]
    tool = ReversibleTool.of_operation(labelling.ModifyMessage, through).bound(rein)
    with blockbuster_ctx("langchain_agentrein"):
        async with rein.session(intent="tidy") as session:
            await tool.ainvoke({"message_id": message, "remove": ["INBOX"]})
        report = await rein.arollback(session=session.id, by="ana")
    assert report.counts == {"restored": 1}
    assert mail.state()["messages"][message]["labels"] == ["INBOX", "UNREAD"]


def test_a_fresh_process_undoes_with_credentials_of_the_environment(
    mail: Mailbox, through: Hub, rein: AgentRein, tmp_path: Path
) -> None:
    operation = archived(mail)
    before = mail.state()
    session = call(rein, operation, through)
    kept = {"token": "t", "refresh_token": "r", "client_id": "c", "client_secret": "s"}
    token = tmp_path / "token.json"
    token.write_text(json.dumps({**kept, "expiry": "2099-01-01T00:00:00Z"}))
    script = (
        "from langchain_agentrein import AgentRein\n"
        f"with AgentRein('sqlite:///{tmp_path}/journal.db') as rein:\n"
        f"    print(rein.rollback(session={session.id!r}, by='ana').counts)"
    )
    env = {**os.environ, "GMAIL_TOKEN_FILE": str(token), "GMAIL_API_URL": mail.front.url}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "{'restored': 1}", done.stderr
    assert mail.state() == before


def test_another_mailbox_is_refused(mail: Mailbox, through: Hub, rein: AgentRein) -> None:
    session = call(rein, archived(mail), through)
    mail.front.settings.email = "eve@acme.com"
    through._email = ""
    rein.rollback(session=session.id, by="ana")
    [action] = session.actions()
    assert action.status is Status.STUCK
    assert "WrongAccount" in (action.undo.error or "")


def test_the_accident(mail: Mailbox, through: Hub, tmp_path: Path) -> None:
    """An agent mails a customer, and fails: the mail is asked about before, and its correction after."""
    came = mail.received("Where is my order?", sender="ana@shop.com")
    config: Any = {"configurable": {"thread_id": "support", "approver": "ben"}}
    yes: Any = Command(resume={"decisions": [{"type": "approve"}]})

    @reversible(undo=lambda action: None)
    def close_ticket(number: int) -> str:
        """Close the ticket."""
        raise LookupError(f"no ticket {number}")

    with AgentRein(f"sqlite:///{tmp_path}/agent.db", clients={"gmail": through}, backoff=0.01) as rein:
        answer = {"to": ["ana@shop.com"], "body": "Lost.", "in_reply_to": came["id"]}
        model = script(
            calls(("gmail_messages_modify", {"message_id": came["id"], "remove": ["INBOX", "UNREAD"]})),
            calls(("gmail_messages_send", answer)),
            calls(("close_ticket", {"number": 7})),
        )
        tools = [*GmailToolkit(through).get_tools(), close_ticket]
        agent = create_agent(model, tools, middleware=[rein.middleware()], checkpointer=InMemorySaver())

        out = agent.invoke({"messages": [("user", "Answer the customer")]}, config)
        [asked] = out["__interrupt__"][0].value["action_requests"]
        assert asked["name"] == "gmail_messages_send"
        assert "1 of them outside: ana@shop.com" in asked["description"]
        assert mail.sent() == []

        out = agent.invoke(yes, config)
        [about] = out["__interrupt__"][0].value["action_requests"]
        assert "reaches people" in about["description"]
        assert len(mail.sent()) == 1

        [about] = agent.invoke(yes, config)["__interrupt__"][0].value["action_requests"]
        assert about["args"]["operation"] == "close_ticket"  # it may have happened; ben knows that it did not
        with pytest.raises(SessionFailed):
            agent.invoke(Command(resume={"decisions": [{"type": "reject"}]}), config)

        assert [one["subject"] for one in mail.sent() if "disregard" in one["subject"]] == [
            "Please disregard: Re: Where is my order?"
        ]
        assert mail.state()["messages"][came["id"]]["labels"] == ["INBOX", "Sent by mistake", "UNREAD"]
        assert "may have been read" in str(rein.timeline(thread="support").to_dict())


@pytest.mark.parametrize(
    ("verb", "path", "body", "wrong"),
    [
        ("POST", "messages/1/star", {}, "no method is"),
        ("GET", "messages?maxResults=ten", None, "no integer"),
        ("GET", "messages?label=INBOX", None, "no parameter label"),
        ("GET", "messages/1?format=html", None, "format cannot be html"),
        ("GET", "messages?includeSpamTrash=yes", None, "no boolean"),
        ("POST", "messages/1/modify", {"add": ["INBOX"]}, "no field add"),
        ("POST", "messages/1/modify", {"addLabelIds": "INBOX"}, "is no array"),
        ("PUT", "settings/vacation", {"startTime": 1}, "is no string"),
        ("PUT", "settings/vacation", {"startTime": "now"}, "is no int64"),
        ("PUT", "settings/autoForwarding", {"disposition": "burn"}, "cannot be 'burn'"),
        ("POST", "labels", None, "wants a body"),
        ("POST", "messages/1/trash", {}, "takes no body"),
    ],
)
def test_a_request_that_google_does_not_describe_is_seen(verb: str, path: str, body: Any, wrong: str) -> None:
    sent = b"" if body is None else json.dumps(body).encode()
    said = described("gmail.v1").problems(verb, f"/gmail/v1/users/me/{path}", sent)
    assert any(wrong in one for one in said), said


def test_without_the_sdk_it_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['googleapiclient'] = None\n"
        "import langchain_agentrein.toolkits as toolkits\n"
        "toolkits.FilesToolkit\n"
        "try:\n    toolkits.GmailToolkit\n"
        "except ImportError as error:\n    print(error)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "pip install 'langchain-agentrein[gmail]'" in said
