"""The journal, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from langchain_agentrein.action import TRANSITIONS, Intent, SessionRecord, SessionStatus, Status, Undo
from langchain_agentrein.errors import (
    ConfigError,
    LostRace,
    PayloadTooLarge,
    SessionFrozen,
    TransitionError,
)
from langchain_agentrein.journal import Journal
from langchain_agentrein.journal.codec import same
from tests.support.journals import PATHS, SESSION, action, brought_to

CLOSED = sorted(set(SessionStatus) - {SessionStatus.OPEN, SessionStatus.SUPERSEDED})


@pytest.fixture
def journal(journal_url: str) -> Iterator[Journal]:
    with Journal(journal_url) as opened:
        yield opened


# -- transitions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", Status)
def test_every_legal_step_is_taken_and_every_other_refused(journal: Journal, status: Status) -> None:
    for to in Status:
        known = brought_to(journal, status)
        if to in TRANSITIONS[status]:
            moved = journal.move(known, to)
            assert moved.status is to
            assert journal.get(known.id).status is to
        else:
            with pytest.raises(TransitionError, match=f"is {status} and cannot become {to}"):
                journal.move(known, to, hold=None)
            assert journal.get(known.id).status is status
    assert journal.verify()


def test_what_move_returns_is_what_is_read(journal: Journal) -> None:
    for status in PATHS:
        known = brought_to(journal, status)
        assert journal.get(known.id) == known


@pytest.mark.parametrize("status", [status for status in Status if TRANSITIONS[status]])
def test_a_stale_view_loses_the_race(journal: Journal, status: Status) -> None:
    known = brought_to(journal, status)
    first, *_ = sorted(TRANSITIONS[status])
    journal.move(known, first)
    for to in TRANSITIONS[status]:
        with pytest.raises(LostRace):
            journal.move(known, to)


@pytest.mark.parametrize(
    "status", sorted(set(PATHS) - {Status.PROPOSED, Status.DENIED, Status.HELD, Status.EXECUTING})
)
def test_an_action_begins_where_nothing_has_happened(journal: Journal, status: Status) -> None:
    with pytest.raises(KeyError):
        journal.begin(action(status), SESSION)
    assert journal.sessions() == []


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.COMPENSATING}))
def test_only_an_undo_is_taken_over_without_leaving_its_status(journal: Journal, status: Status) -> None:
    known = brought_to(journal, status)
    with pytest.raises(TransitionError):
        journal.move(known, status, hold=60)


def test_a_claim_counts_its_holders(journal: Journal) -> None:
    executed = brought_to(journal, Status.EXECUTED)
    first = journal.move(executed, Status.COMPENSATING, hold=0)
    second = journal.move(first, Status.COMPENSATING, hold=60)
    assert (first.fence, second.fence) == (2, 3)
    for late in (Status.RESTORED, Status.STUCK):
        with pytest.raises(LostRace, match="held by"):
            journal.move(first, late)
    assert not journal.holds(first)
    assert journal.holds(second)
    assert journal.move(second, Status.RESTORED).held_by is None
    assert not journal.holds(second)


# -- calls and order -------------------------------------------------------------------------------


def test_one_row_for_a_call_and_a_generation(journal: Journal) -> None:
    journal.begin(action(call_key="k"), SESSION)
    for status in (Status.EXECUTING, Status.PROPOSED, Status.DENIED):
        with pytest.raises(LostRace, match="another worker came first"):
            journal.begin(action(status, call_key="k"), SESSION)
    journal.begin(action(call_key="k", generation=2), SESSION)
    journal.begin(action(call_key="other"), SESSION)
    assert [one.generation for one in journal.calls("k")] == [1, 2]
    assert journal.verify()


def test_a_call_without_a_key_is_its_own(journal: Journal) -> None:
    one, other = journal.begin(action(), SESSION), journal.begin(action(), SESSION)
    assert one.call_key != other.call_key


def test_the_order_is_stamped_when_the_effect_starts(journal: Journal) -> None:
    proposed = journal.begin(action(Status.PROPOSED), SESSION)
    first = journal.begin(action(), SESSION)
    approved = journal.move(proposed, Status.APPROVED)
    second = journal.move(approved, Status.EXECUTING, hold=60)
    assert (proposed.seq, first.seq, second.seq) == (None, 1, 2)
    assert [one.id for one in journal.actions([SESSION.id])] == [first.id, proposed.id]
    assert journal.verify()


def test_parallel_threads_get_an_order_without_gaps(journal: Journal) -> None:
    gate = threading.Barrier(6)
    errors: list[BaseException] = []

    def go() -> None:
        gate.wait()
        try:
            for _ in range(4):
                journal.move(journal.begin(action(), SESSION), Status.EXECUTED)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=go) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [one.seq for one in journal.actions([SESSION.id])] == list(range(1, 25))
    assert [entry.n for entry in journal.entries([SESSION.id])] == list(range(1, 50))
    assert journal.verify()


# -- sessions --------------------------------------------------------------------------------------


def test_a_session_is_written_with_its_first_action(journal: Journal) -> None:
    assert journal.session(SESSION.id) is None
    journal.begin(action(), SESSION)
    known = journal.session(SESSION.id)
    assert known is not None
    assert known.opened_at is not None
    assert known == SessionRecord(**{**vars_of(SESSION), "opened_at": known.opened_at})


def vars_of(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


@pytest.mark.parametrize("status", CLOSED)
def test_a_closed_session_takes_no_new_actions(journal: Journal, status: SessionStatus) -> None:
    approved = brought_to(journal, Status.APPROVED)
    paused = journal.pause(brought_to(journal, Status.EXECUTING), True)
    under_way = brought_to(journal, Status.EXECUTING)
    journal.set_session(SESSION.id, status)
    attempts: list[Callable[[], Any]] = [
        lambda: journal.begin(action(), SESSION),
        lambda: journal.begin(action(Status.PROPOSED), SESSION),
        lambda: journal.move(approved, Status.EXECUTING, hold=60),
        lambda: journal.pause(paused, False),
    ]
    for attempt in attempts:
        with pytest.raises(SessionFrozen, match=f"is {status} and takes no new actions"):
            attempt()
    journal.move(under_way, Status.EXECUTED)
    journal.begin(action(Status.DENIED), SESSION)
    journal.begin(action(), SESSION, late=True)
    assert journal.verify()


def test_a_superseded_session_may_end_what_it_began(journal: Journal) -> None:
    journal.begin(action(), SESSION)
    newer = SessionRecord(id="ses_newer", thread_id="thread")
    journal.begin(action(), newer)
    assert journal.supersede("thread", newer.id) == [SESSION.id]
    assert journal.supersede("thread", newer.id) == []
    journal.begin(action(), SESSION)
    assert [one.id for one in journal.sessions(statuses=[SessionStatus.SUPERSEDED])] == [SESSION.id]


def test_a_session_moves_only_from_where_it_is_expected(journal: Journal) -> None:
    journal.begin(action(), SESSION)
    assert not journal.set_session(SESSION.id, SessionStatus.COMPLETED, expect=[SessionStatus.STUCK])
    assert journal.set_session(
        SESSION.id, SessionStatus.COMPLETED, expect=iter([SessionStatus.OPEN]), by="ana"
    )
    known = journal.session(SESSION.id)
    assert known is not None
    assert (known.status, known.by) == (SessionStatus.COMPLETED, "ana")
    assert known.closed_at is not None
    with pytest.raises(TransitionError, match="no such session"):
        journal.set_session("ses_nowhere", SessionStatus.COMPLETED)


def test_sessions_are_found(journal: Journal) -> None:
    for n, (thread, tenant) in enumerate([("t1", "acme"), ("t1", "other"), ("t2", "acme")]):
        journal.begin(action(), SessionRecord(id=f"ses_{n}", thread_id=thread, tenant=tenant))
    assert [one.id for one in journal.sessions()] == ["ses_2", "ses_1", "ses_0"]
    assert [one.id for one in journal.sessions(thread_id="t1")] == ["ses_1", "ses_0"]
    assert [one.id for one in journal.sessions(tenant="acme", limit=1)] == ["ses_2"]
    assert journal.sessions(ids=[]) == []


# -- payloads --------------------------------------------------------------------------------------

AWKWARD = {
    "$masked": True,
    "$pairs": [["$x", 1]],
    "nul": "a\x00b",
    "lone": "\ud83d",
    "emoji": "\U0001f600",
    "big": 2**200,
    "float": 1e-320,
    "inf": float("inf"),
    "bytes": bytes(range(256)),
    "deep": [[[[[[{"": {" ": [None, True, ""]}}]]]]]],
}


def test_payloads_come_back_as_they_were(journal: Journal) -> None:
    begun = journal.begin(
        action(args=AWKWARD, before=AWKWARD, metadata=AWKWARD, intent=Intent("why\x00", drift=0.5)), SESSION
    )
    undo = Undo("stuck", ("a", "b"), 3, "error", "cause", "ana")
    journal.move(begun, Status.EXECUTED, receipt=AWKWARD, result=AWKWARD, after=None)
    read = journal.get(begun.id)
    for value in (read.args, read.before, read.metadata, read.receipt, read.result):
        assert same(value, AWKWARD)
    assert read.intent == begun.intent
    assert read.seen
    assert read.after is None
    claimed = journal.move(read, Status.COMPENSATING, hold=60, undo=undo)
    assert journal.get(claimed.id).undo == undo
    assert journal.verify()


def test_what_nobody_looked_at_is_not_seen(journal: Journal) -> None:
    known = brought_to(journal, Status.EXECUTED)
    assert not journal.get(known.id).seen


def test_equal_bytes_lie_there_once(journal: Journal) -> None:
    blob = b"x" * 100_000
    begun = journal.begin(action(args={"a": blob, "b": [blob]}, before=blob), SESSION)
    journal.move(begun, Status.EXECUTED, receipt=blob)
    with journal.store.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM agentrein_blobs")) == 1
    assert journal.get(begun.id).receipt == blob
    assert journal.verify()


def test_a_payload_that_is_too_large_leaves_nothing_behind(journal_url: str) -> None:
    with Journal(journal_url, max_payload=1000) as journal:
        for args in ({"a": "x" * 1000}, {"a": b"x" * 1000}):
            with pytest.raises(PayloadTooLarge) as refused:
                journal.begin(action(args=args), SESSION)
            assert (refused.value.kind, refused.value.limit) == ("args", 1000)
        assert journal.sessions() == []
        begun = journal.begin(action(), SESSION)
        journal.move(begun, Status.EXECUTED, receipt="x" * 5000)
        assert journal.get(begun.id).receipt == "x" * 5000, "what happened is recorded, however large"


@pytest.mark.parametrize("field", ["args", "before", "metadata", "proposed_args"])
def test_what_is_no_json_leaves_nothing_behind(journal: Journal, field: str) -> None:
    odd: dict[str, Any] = {field: {"odd": object()}}
    with pytest.raises(ConfigError, match="cannot be journaled"):
        journal.begin(action(**odd), SESSION)
    assert journal.sessions() == []


def test_an_action_is_found_by_the_beginning_of_its_id(journal: Journal) -> None:
    begun = journal.begin(action(), SESSION)
    journal.begin(action(), SESSION)
    assert journal.get(begun.id[:-1]).id == begun.id or begun.id[:-1] == ""
    with pytest.raises(ConfigError, match="several actions begin with 'act_'"):
        journal.get("act_")
    for nothing in ("act_nowhere", "%", "_"):
        with pytest.raises(ConfigError, match="no action begins"):
            journal.get(nothing)


@pytest.mark.parametrize("odd", ["lone \ud800", "nul \x00"])
def test_an_id_that_a_database_cannot_store(journal: Journal, odd: str) -> None:
    if journal.store.sqlite and "nul" in odd:
        assert journal.begin(action(tool_call_id=odd), SESSION).tool_call_id == odd
        return
    with pytest.raises(ConfigError, match="nothing was recorded"):
        journal.begin(action(tool_call_id=odd), SESSION)
    assert journal.sessions() == []


def test_a_note_is_for_the_action_as_it_was_seen(journal: Journal) -> None:
    known = brought_to(journal, Status.EXECUTED)
    noted = journal.note(known, "undo approved", undo=Undo(approved_by="ana"))
    assert journal.get(known.id).undo.approved_by == "ana"
    journal.move(noted, Status.COMPENSATING, hold=60)
    with pytest.raises(LostRace):
        journal.note(known, "undo approved", undo=Undo(approved_by="bo"))
    assert journal.verify()


# -- leases ----------------------------------------------------------------------------------------


def test_a_lease_is_renewed_by_its_holder_alone(journal_url: str) -> None:
    with Journal(journal_url) as mine, Journal(journal_url) as theirs:
        begun = mine.begin(action(), SESSION, hold=10)
        theirs.renew([begun.id], 1000)
        assert mine.get(begun.id).held_until == begun.held_until
        mine.renew([begun.id], 1000)
        renewed = mine.get(begun.id).held_until
        assert renewed is not None
        assert renewed > datetime.now(UTC) + timedelta(seconds=900)
        theirs.release(begun)
        assert mine.get(begun.id).held_until == renewed
        mine.release(begun)
        released = mine.get(begun.id).held_until
        assert released is not None
        assert released <= datetime.now(UTC)
        mine.renew([], 10)


# -- forgetting ------------------------------------------------------------------------------------


def test_what_is_forgotten_is_gone_and_the_chain_still_verifies(journal: Journal) -> None:
    for session in (SESSION, SessionRecord(id="ses_other", goal="other")):
        begun = journal.begin(action(args={"to": "ana@acme.com"}, before=b"raw"), session)
        journal.move(begun, Status.EXECUTED, receipt={"mail": 1})
        journal.set_session(session.id, SessionStatus.COMPLETED, reason="ana asked")
    assert journal.forget([SESSION.id], by="dpo") == 1
    assert journal.forget([SESSION.id]) == 0
    [gone] = journal.actions([SESSION.id])
    assert (gone.args, gone.before, gone.receipt, gone.salt) == (None, None, None, "")
    [session] = journal.sessions(ids=[SESSION.id])
    assert (session.goal, session.reason) == ("", None)
    [kept] = journal.actions(["ses_other"])
    assert kept.args == {"to": "ana@acme.com"}
    assert journal.verify()
    assert [entry.detail["by"] for entry in journal.entries([SESSION.id]) if entry.event == "erased"] == [
        "dpo"
    ]


@pytest.mark.parametrize("status", [SessionStatus.OPEN, SessionStatus.ROLLING_BACK])
def test_a_session_that_has_not_ended_is_not_forgotten(journal: Journal, status: SessionStatus) -> None:
    journal.begin(action(), SESSION)
    journal.set_session(SESSION.id, status)
    with pytest.raises(ConfigError, match="complete it or roll it back"):
        journal.forget([SESSION.id])
    assert journal.forget(None) == 0
    assert journal.forget(None, before=datetime.now(UTC) + timedelta(days=1)) == 0


def test_what_ended_long_ago_is_forgotten(journal: Journal) -> None:
    journal.begin(action(), SESSION)
    journal.set_session(SESSION.id, SessionStatus.COMPLETED)
    assert journal.forget(None, before=datetime.now(UTC) - timedelta(days=1)) == 0
    assert journal.forget(None, before=datetime.now(UTC) + timedelta(seconds=1)) == 1


# -- what a conversation does not know of ------------------------------------------------------------


@pytest.mark.parametrize(
    "status", [Status.HELD, Status.EXECUTING, Status.EXECUTED, Status.IN_DOUBT, Status.COMPENSATING]
)
def test_effects_of_unfinished_sessions_that_nobody_knows_of_are_strays(
    journal: Journal, status: Status
) -> None:
    lost = brought_to(journal, status)
    if status is Status.COMPENSATING:
        journal.set_session(SESSION.id, SessionStatus.ROLLING_BACK)

    def strays(known: str = "", message: str = "") -> list[str]:
        asked = {"known": {known}, "messages": {message}, "session_id": "ses_now", "after": 0}
        return [one.id for one in journal.strays("thread", **asked)]

    assert strays() == [lost.id]
    assert strays(known=lost.id) == []
    assert strays(message="msg_1") == []
    journal.set_session(SESSION.id, SessionStatus.ROLLED_BACK)
    assert strays() == []
