"""What goes wrong between us and Gmail: each with a clear outcome, and never done twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from google.api_core.client_options import ClientOptions
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build

from langchain_agentrein import AgentRein, NotDone, Risk, Status
from langchain_agentrein.action import UndoEffect
from langchain_agentrein.engine import Call
from langchain_agentrein.flow import run
from langchain_agentrein.toolkits.gmail import GmailToolkit, Hub, filters, labelling, send_as, settings
from langchain_agentrein.toolkits.gmail.mime import encoded, written
from tests.integration_tests.toolkits.gmail.doing import back, call, refused
from tests.integration_tests.toolkits.gmail.making import (
    FOR_GOOD,
    OPERATIONS,
    all_archived,
    archived,
    draft_sent,
    drafted,
    filtered,
    imported,
    inserted,
    label,
    no_alias,
    renamed,
    sent,
    trashed,
)
from tests.integration_tests.toolkits.gmail.world import Mailbox, hub, service
from tests.support.fault_proxy import Fault, Proxy

UNDONE = (Status.RESTORED, Status.COMPENSATED)


def test_no_operation_is_missing(mail: Mailbox) -> None:
    there = {operation for operation in GmailToolkit.operations if not operation.read_only}
    assert {type(make(mail)) for make in OPERATIONS} == there


def test_by_itself_the_sdk_sends_a_mail_twice(mail: Mailbox, proxy: Proxy) -> None:
    """Why ours has a transport of its own: httplib2 sends it again, although nobody asked it to."""
    body = {"raw": encoded(written({"to": ["ana@acme.com"]}, "Plans", "secret"))}
    proxy.fault = Fault("swallow")
    with service(proxy.url) as plain:
        plain.users().messages().send(userId="me", body=body).execute(num_retries=0)
    assert [one["subject"] for one in mail.sent()] == ["Plans", "Plans"]


@pytest.mark.parametrize("make", OPERATIONS)
def test_a_lost_reply_is_settled_and_nothing_is_done_twice(
    mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein, make: Any
) -> None:
    operation = make(mail)
    before = mail.state()
    proxy.fault = Fault("swallow")

    session = call(rein, operation, through)

    [action] = session.actions()
    assert action.status is Status.EXECUTED
    assert len(proxy.writes) == len(proxy.offered) == 1
    assert mail.state() != before
    action = back(rein, session)
    assert action.status in ((Status.IRREVERSIBLE,) if make in FOR_GOOD else UNDONE), action.undo.error


@pytest.mark.parametrize("make", OPERATIONS)
def test_what_never_arrived_did_not_happen(
    mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein, make: Any
) -> None:
    """Of a mail nobody can be sure: the list of what was sent may lag behind."""
    operation = make(mail)
    before = mail.state()
    proxy.fault = Fault("cut")

    session = rein.session(intent="faults")
    with pytest.raises(Exception, match="without an answer"):
        run(rein.perform(operation, through, Call(session=session.record)))

    [action] = session.actions()
    assert action.status is (Status.IN_DOUBT if make is sent else Status.FAILED)
    assert (mail.state(), proxy.writes, len(proxy.offered)) == (before, [], 1)


@pytest.mark.parametrize("make", [make for make in OPERATIONS if make not in FOR_GOOD])
def test_an_undo_whose_reply_is_lost_is_done_once(
    mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein, make: Any
) -> None:
    operation = make(mail)
    session = call(rein, operation, through)
    proxy.writes.clear()
    proxy.fault = Fault("swallow")

    action = back(rein, session)

    assert action.status in UNDONE, action.undo.error
    assert len(proxy.writes) == len(set(proxy.writes)), "each request once"


@pytest.mark.parametrize("make", OPERATIONS)
def test_a_read_that_fails_after_the_effect_does_not_undo_the_record(
    mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein, make: Any
) -> None:
    operation = make(mail)
    before = mail.state()
    proxy.fault = Fault("answer", 503, reads=True, times=1000, after=1)
    [action] = call(rein, operation, through).actions()
    assert action.status is Status.EXECUTED
    assert mail.state() != before


@pytest.mark.parametrize(
    ("status", "reason"),
    [(429, "rateLimitExceeded"), (403, "rateLimitExceeded"), (403, "userRateLimitExceeded")],
)
@pytest.mark.parametrize("make", [archived, sent])
def test_when_asked_to_wait_it_waits_and_goes_on(
    mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein, make: Any, status: int, reason: str
) -> None:
    operation = make(mail)
    proxy.fault = Fault("answer", status, {"Retry-After": "0"}, reply=refused(status, reason), times=2)

    session = call(rein, operation, through)

    [action] = session.actions()
    assert action.status is Status.EXECUTED
    assert (len(proxy.offered), len(proxy.writes)) == (3, 1)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("answer", 429, {"Retry-After": "86400"}, reply=refused(429, "rateLimitExceeded")),
        Fault(
            "answer",
            429,
            reply=refused(
                429, "rateLimitExceeded", "User-rate limit exceeded.  Retry after 2099-01-01T00:00:00.000Z"
            ),
        ),
        Fault("answer", 403, reply=refused(403, "dailyLimitExceeded")),
    ],
)
def test_nobody_waits_for_a_day(
    mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein, fault: Fault
) -> None:
    proxy.fault = fault
    session = rein.session(intent="faults")
    with pytest.raises(NotDone, match="nothing was done"):
        run(rein.perform(sent(mail), through, Call(session=session.record)))
    fault.times = 1
    assert session.actions()[0].status is Status.FAILED
    assert mail.sent() == []


@pytest.mark.parametrize("make", [archived, sent, label, filtered])
def test_a_server_error_after_the_effect_is_no_failure(
    mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein, make: Any
) -> None:
    proxy.fault = Fault("answer after", 503, reply=refused(503, "backendError"))
    [action] = call(rein, make(mail), through).actions()
    assert action.status is Status.EXECUTED
    assert len(proxy.writes) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 409, 412])
def test_what_gmail_refuses_was_not_done(
    mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein, status: int
) -> None:
    proxy.fault = Fault("answer", status, reply=refused(status, "whyNot", "because"))
    session = rein.session(intent="faults")
    with pytest.raises(NotDone, match="because"):
        run(rein.perform(archived(mail), through, Call(session=session.record)))
    assert session.actions()[0].status is Status.FAILED


def test_an_expired_token_did_nothing(mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein) -> None:
    proxy.fault = Fault("answer", 401, reply=refused(401, "authError"))
    session = rein.session(intent="faults")
    with pytest.raises(NotDone, match="expired, revoked or incomplete"):
        run(rein.perform(sent(mail), through, Call(session=session.record)))
    assert session.actions()[0].status is Status.FAILED
    assert (proxy.writes, mail.sent()) == ([], [])


def test_an_expired_token_is_renewed_and_the_mail_sent_once(
    mail: Mailbox, proxy: Proxy, rein: AgentRein
) -> None:
    credentials = Credentials(
        token="old",
        refresh_token="r",
        token_uri=f"{mail.front.url}/token",
        client_id="c",
        client_secret="s",
    )
    endpoint = ClientOptions(api_endpoint=proxy.url)
    renewing = build("gmail", "v1", credentials=credentials, static_discovery=True, client_options=endpoint)
    proxy.fault = Fault("answer", 401, reply=refused(401, "authError"))
    [action] = call(rein, sent(mail), Hub(renewing, settles=0.0)).actions()
    assert action.status is Status.EXECUTED
    assert credentials.token == "renewed"
    assert (len(proxy.offered), len(proxy.writes), len(mail.sent())) == (2, 1, 1)


def test_what_is_out_of_reach_was_not_done(mail: Mailbox, rein: AgentRein) -> None:
    nowhere = hub("http://localhost:9")
    session = rein.session(intent="faults")
    with pytest.raises(NotDone, match="nothing was done"):
        run(rein.perform(archived(mail), nowhere, Call(session=session.record)))
    assert session.actions() == []
    with pytest.raises(NotDone, match="out of reach"):
        nowhere.send(nowhere.users.messages().trash(userId="me", id="x"))


def test_a_permission_that_is_revoked_in_the_middle_of_a_rollback(
    mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein
) -> None:
    before = archived(mail)
    session = call(rein, before, through)
    denied = refused(403, "insufficientPermissions", "Insufficient Permission")
    proxy.fault = Fault("answer", 403, reply=denied, times=100)

    action = back(rein, session)
    assert action.status is Status.STUCK
    assert "Insufficient Permission" in (action.undo.error or "")

    proxy.fault = None
    assert back(rein, session).status is Status.RESTORED


@pytest.mark.parametrize("make", [drafted, label, archived, trashed])
def test_a_mailbox_that_may_not_be_seen_any_more_does_not_count_as_undone(
    mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein, make: Any
) -> None:
    session = call(rein, make(mail), through)
    proxy.fault = Fault("answer", 404, reply=refused(404, "notFound"), times=1000, reads=True)
    assert back(rein, session).status is Status.STUCK


def test_messages_that_somebody_deleted_are_told_and_the_rest_is_restored(
    mail: Mailbox, through: Hub, rein: AgentRein
) -> None:
    operation = all_archived(mail)
    session = call(rein, operation, through)
    first, second = operation.args["message_ids"]
    mail.ask("DELETE", f"messages/{first}")

    action = back(rein, session)

    assert action.status is Status.CONFLICT
    assert any(first in one for one in action.undo.residue)
    assert mail.state()["messages"][second]["labels"] == ["INBOX", "STARRED"]


def test_a_label_or_an_address_that_somebody_removed_is_a_conflict(
    mail: Mailbox, through: Hub, rein: AgentRein
) -> None:
    session = call(rein, renamed(mail), through)
    [action] = session.actions()
    mail.ask("DELETE", f"labels/{action.receipt['id']}")
    assert back(rein, session).status is Status.CONFLICT

    no_alias(mail)
    operation = send_as.UpdateSendAs(address="sales@acme.com", signature="new")
    session = call(rein, operation, through)
    del mail.front.settings.send_as["sales@acme.com"]
    assert back(rein, session).status is Status.CONFLICT


@pytest.mark.parametrize(
    "nothing", [{"has_attachment": False, "add": ["STARRED"]}, {"sender": "ana@acme.com"}]
)
def test_a_filter_that_matches_or_does_nothing_is_refused(mail: Mailbox, nothing: dict[str, Any]) -> None:
    with pytest.raises(NotDone, match="a filter needs something"):
        filters.CreateFilter(**nothing).snapshot(mail.hub)


def test_a_filter_that_forwards_is_critical(mail: Mailbox) -> None:
    one = filters.CreateFilter(sender="ana@acme.com", forward="eve@other.com")
    assert (one.assess(mail.hub).risk, one.assess(mail.hub).summary) == (
        Risk.CRITICAL,
        "forwards mail to eve@other.com",
    )


def test_what_is_switched_off_reaches_people_when_it_is_switched_on_again() -> None:
    for off in (settings.UpdateVacation(enabled=False), settings.UpdateAutoForwarding(enabled=False)):
        assert off.undo_assessment().undo_effects == {UndoEffect.REACHES_PEOPLE}
    assert settings.UpdateVacation(enabled=True).undo_assessment().undo_effects == frozenset()


def test_a_filter_whose_label_somebody_deleted_is_a_conflict(
    mail: Mailbox, through: Hub, rein: AgentRein
) -> None:
    label = mail.label("Ana")
    session = call(rein, filters.DeleteFilter(filter_id=mail.filter("ana@acme.com", label)), through)
    mail.ask("DELETE", f"labels/{label}")
    action = back(rein, session)
    assert action.status is Status.CONFLICT
    assert "its label is gone by now: Ana" in (action.undo.error or "")


@pytest.mark.parametrize("make", [sent, draft_sent, inserted, imported])
def test_long_after_a_lost_reply_is_settled_by_a_search(
    mail: Mailbox, proxy: Proxy, through: Hub, rein: AgentRein, monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    """Everything that came and went in a month is too much to read."""
    monkeypatch.setattr("langchain_agentrein.toolkits.gmail.hub.RECENT", timedelta(days=-1))
    asked, real = list[str](), Hub.each

    def noting(self: Hub, requests: Any, **options: Any) -> Any:
        if isinstance(requests, list):
            asked.extend(one.uri for one in requests)
        return real(self, requests, **options)

    monkeypatch.setattr(Hub, "each", noting)
    proxy.fault = Fault("swallow")
    [action] = call(rein, make(mail), through).actions()
    assert action.status is Status.EXECUTED
    assert [one for one in asked if "/messages?" in one and "q=" not in one] == []


def test_a_label_that_somebody_deleted_is_told_and_the_rest_comes_back(
    mail: Mailbox, through: Hub, rein: AgentRein
) -> None:
    old = mail.label("Old")
    message = mail.received(labels=(old, "INBOX"))["id"]
    session = call(rein, labelling.ModifyMessage(message_id=message, remove=["Old", "INBOX"]), through)
    mail.ask("DELETE", f"labels/{old}")

    action = back(rein, session)

    assert (action.status, action.undo.residue) == (
        Status.COMPENSATED,
        ("the label 'Old' is gone by now",),
    )
    assert mail.state()["messages"][message]["labels"] == ["INBOX"]


def test_a_draft_that_somebody_deleted_is_undone_already(
    mail: Mailbox, through: Hub, rein: AgentRein
) -> None:
    session = call(rein, drafted(mail), through)
    [draft] = mail.state()["drafts"]
    mail.ask("DELETE", f"drafts/{draft}")
    assert back(rein, session).status is Status.RESTORED


def test_a_star_that_its_owner_took_off_meanwhile_stays_off(
    mail: Mailbox, through: Hub, rein: AgentRein
) -> None:
    operation = trashed(mail)
    mail.relabel(operation.args["message_id"], add=("STARRED",))
    session = call(rein, operation, through)
    mail.relabel(operation.args["message_id"], remove=("STARRED",))
    [action] = session.actions()
    assert action.undo_until is not None and action.started_at is not None
    assert (action.undo_until - action.started_at).days == 30

    assert back(rein, session).status is Status.RESTORED

    assert mail.state()["messages"][operation.args["message_id"]]["labels"] == ["INBOX", "UNREAD"]
