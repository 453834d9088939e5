"""What is held is done when its session completes, once; or never, if that fails or a person says so."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from langchain_agentrein import (
    ActionDenied,
    AgentRein,
    ApprovalRequired,
    ApprovalRule,
    CallConflict,
    ConfigError,
    NotDone,
    Reversal,
    SessionFrozen,
    Status,
    Throttled,
    TransitionError,
)
from langchain_agentrein.action import SessionStatus
from langchain_agentrein.engine import Call, complete, expire
from langchain_agentrein.engine.scope import Scope
from langchain_agentrein.flow import arun, run
from tests.support.driving import SESSION, ado, do, opened, performed
from tests.support.world import Async, Blind, Keep, Mail, Put, Slow, World

HOLD = [ApprovalRule("world.*", "hold")]
LATER = [ApprovalRule("world.*", "hold", release_after=timedelta(hours=1))]
KEY = "x3a0Vwz6Y0ZSc1Hq7pPNgnhZ1xLMqVNlBTtDhBhDgJo="


@pytest.fixture
def holding(sqlite_url: str, world: World) -> Any:
    with opened(sqlite_url, world, rules=HOLD) as rein:
        yield rein


def completed(rein: AgentRein, session: str = SESSION) -> None:
    run(complete(rein.core, session))


def status(rein: AgentRein) -> SessionStatus:
    known = rein.journal.session(SESSION)
    assert known is not None
    return known.status


def passed(rein: AgentRein, monkeypatch: pytest.MonkeyPatch) -> None:
    """The delay of what is held is over."""
    known = rein.journal.session(SESSION)
    assert known is not None
    assert known.closed_at is not None
    ended = known.closed_at

    class Later(type(ended)):  # type: ignore[misc]
        @classmethod
        def now(cls, zone: Any = None) -> Any:
            return ended + timedelta(hours=1)

    monkeypatch.setattr("langchain_agentrein.engine.releasing.datetime", Later)


# -- held ----------------------------------------------------------------------------------------


def test_a_held_call_is_recorded_and_not_done(holding: AgentRein, world: World) -> None:
    action = do(holding, Put(thing="a", fields={"x": 1}), world, key="k")
    assert (action.status, action.seq, action.before) == (Status.HELD, None, None)
    assert action.args == {"thing": "a", "fields": {"x": 1}}
    assert action.approval is not None
    assert (action.approval.decision, action.approval.reason) == ("hold", "rule 'world.*' hold")
    assert world.events() == []
    assert [one.id for one in holding.held()] == [action.id]
    assert holding.verify()


def test_the_same_call_again_is_the_same_held_one(holding: AgentRein, world: World) -> None:
    first = performed(holding, Put(thing="a", fields={"x": 1}), world, key="k")
    again = performed(holding, Put(thing="a", fields={"x": 1}), world, key="k")
    assert (again.action.id, again.replayed) == (first.action.id, True)
    with pytest.raises(CallConflict):
        do(holding, Put(thing="a", fields={"x": 2}), world, key="k")
    completed(holding)
    done = performed(holding, Put(thing="a", fields={"x": 1}), world, key="k")
    assert (done.action.id, done.action.status) == (first.action.id, Status.EXECUTED)
    assert world.count("do") == 1


def test_completion_does_what_is_held_in_the_order_of_the_calls(holding: AgentRein, world: World) -> None:
    world.put("b", {"x": 0})
    ids = [do(holding, Put(thing=thing, fields={"x": 1}), world).id for thing in "bac"]
    completed(holding)
    assert status(holding) is SessionStatus.COMPLETED
    assert [name for _, name in world.events("do")] == ["b", "a", "c"]
    actions = holding.actions(session=SESSION)
    assert [action.id for action in actions] == ids
    assert [action.seq for action in actions] == [1, 2, 3]
    assert actions[0].before == {"x": 0}, "looked at when it was released"
    assert actions[0].approval is not None
    assert actions[0].approval.decision == "release"
    assert actions[0].approval.digest == actions[0].digest
    assert holding.held() == []
    assert holding.verify()


def test_what_was_released_is_undone_like_anything_else(holding: AgentRein, world: World) -> None:
    world.put("a", {"x": 0})
    do(holding, Put(thing="a", fields={"x": 1}), world)
    do(holding, Put(thing="b", fields={"x": 1}), world)
    completed(holding)
    report = holding.rollback(session=SESSION)
    assert report.complete
    assert report.counts == {"restored": 2}
    assert world.get("a") == {"x": 0}
    assert [name for _, name in world.events("undo")] == ["b", "a"]


def test_without_a_session_that_takes_actions_nothing_is_held(holding: AgentRein, world: World) -> None:
    do(holding, Put(thing="a", fields={"x": 1}), world)
    holding.rollback(session=SESSION)
    record = holding.journal.session(SESSION)
    assert record is not None
    with pytest.raises(SessionFrozen):
        held = holding.journal.calls(holding.actions(session=SESSION)[0].call_key)[0]
        holding.journal.begin(held.with_(status=Status.HELD, call_key=""), record)


# -- dropped -------------------------------------------------------------------------------------


def test_a_rollback_drops_what_is_held(holding: AgentRein, world: World) -> None:
    held = do(holding, Put(thing="a", fields={"x": 1}), world, key="k")
    plan = holding.plan(session=SESSION)
    assert [(line.action.id, line.verdict) for line in plan] == [(held.id, "drop")]
    report = holding.rollback(session=SESSION, by="ana", reason="wrong")
    assert [(line.action_id, line.outcome) for line in report] == [(held.id, "dropped")]
    assert report.complete
    assert status(holding) is SessionStatus.ROLLED_BACK
    assert holding.held() == []
    holding.recover()
    with pytest.raises(TransitionError, match="it is not held"):
        holding.release(held.id, by="ana")
    assert world.events() == []
    again = do(holding, Put(thing="a", fields={"x": 1}), world, key="k")
    assert (again.generation, again.session_id) == (2, f"{SESSION}~1"), "nobody said no to the call"


def test_a_rollback_after_completion_drops_what_is_still_held(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=LATER) as rein:
        do(rein, Put(thing="a", fields={"x": 1}), world)
        completed(rein)
        assert (status(rein), len(rein.held())) == (SessionStatus.COMPLETED, 1)
        assert rein.rollback(session=SESSION).counts == {"dropped": 1}
    assert world.events() == []


@pytest.mark.parametrize("on_failure", ["rollback", "keep", "ask"])
def test_a_failed_session_drops_what_it_holds(sqlite_url: str, world: World, on_failure: Any) -> None:
    with opened(sqlite_url, world, rules=HOLD, on_failure=on_failure) as rein:
        with pytest.raises(ZeroDivisionError), rein.session() as session:
            do(rein, Put(thing="a", fields={"x": 1}), world, session.record)
            raise ZeroDivisionError
        assert [action.status for action in session.actions()] == [Status.DROPPED]
        rein.recover()
    assert world.events() == []


def test_a_part_of_a_rollback_drops_what_it_names(holding: AgentRein, world: World) -> None:
    first = do(holding, Put(thing="a", fields={"x": 1}), world)
    second = do(holding, Put(thing="b", fields={"x": 1}), world)
    holding.rollback(session=SESSION, only=[second.id])
    assert [one.id for one in holding.held()] == [first.id]
    completed(holding)
    assert [name for _, name in world.events()] == ["a"]


def test_back_to_an_action_drops_what_was_held_after_it(sqlite_url: str, world: World) -> None:
    rules = [ApprovalRule("world.put", "allow"), *HOLD]
    with opened(sqlite_url, world, rules=rules) as rein:
        before = do(rein, Blind(thing="a"), world)
        point = do(rein, Put(thing="b", fields={"x": 1}), world)
        after = do(rein, Blind(thing="c"), world)
        plan = rein.plan(session=SESSION, to=point.id)
        assert [(line.action.id, line.verdict) for line in plan] == [(after.id, "drop")]
        rein.rollback(session=SESSION, to=point.id)
        assert [one.id for one in rein.held()] == [before.id]


def test_a_person_drops_it(holding: AgentRein, world: World) -> None:
    held = do(holding, Put(thing="a", fields={"x": 1}), world, key="k")
    dropped = holding.drop(held.id, by="ana", reason="not to them")
    assert dropped.status is Status.DROPPED
    assert dropped.approval is not None
    assert (dropped.approval.by, dropped.approval.reason) == ("ana", "not to them")
    completed(holding)
    assert world.events() == []
    with pytest.raises(ActionDenied, match="was dropped: not to them"):
        do(holding, Put(thing="a", fields={"x": 1}), world, key="k")
    for again in (holding.drop, holding.release):
        with pytest.raises(TransitionError, match="it is not held"):
            again(held.id, by="ana")


# -- released ------------------------------------------------------------------------------------


def test_a_person_releases_it_while_its_session_is_open(holding: AgentRein, world: World) -> None:
    held = do(holding, Put(thing="a", fields={"x": 1}), world, key="k")
    done = holding.release(held.id[:20], by="ana")
    assert (done.status, done.seq) == (Status.EXECUTED, 1)
    assert done.approval is not None
    assert (done.approval.decision, done.approval.by) == ("release", "ana")
    assert performed(holding, Put(thing="a", fields={"x": 1}), world, key="k").action.id == held.id
    completed(holding)
    assert world.count("do") == 1


def test_approving_is_not_releasing(holding: AgentRein, world: World) -> None:
    held = do(holding, Put(thing="a", fields={"x": 1}), world)
    for decide in (holding.approve, holding.reject):
        with pytest.raises(TransitionError, match="released, or dropped"):
            decide(held.id, by="ana")


def test_a_delay_is_waited_for_by_whoever_recovers(
    sqlite_url: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(sqlite_url, world, rules=LATER) as rein:
        held = do(rein, Put(thing="a", fields={"x": 1}), world)
        rein.recover()
        completed(rein)
        rein.recover()
        assert world.events() == []
        passed(rein, monkeypatch)
        [line] = rein.recover()
        assert (line.action_id, line.outcome, line.released) == (held.id, "executed", True)
        assert len(rein.recover()) == 0
        assert world.count("do") == 1
        assert status(rein) is SessionStatus.COMPLETED


def test_what_certainly_was_not_done_is_failed_and_the_rest_goes_on(holding: AgentRein, world: World) -> None:
    do(holding, Blind(thing="a"), world)
    do(holding, Blind(thing="b"), world)
    world.set("refuse", 1)
    completed(holding)
    failed, done = sorted(holding.actions(session=SESSION), key=lambda action: action.args["thing"])
    assert (failed.status, failed.error["message"]) == (Status.FAILED, "refused")
    assert done.status is Status.EXECUTED
    assert status(holding) is SessionStatus.COMPLETED


class Gone(Blind):
    """Its snapshot finds that there is nothing to act on."""

    name = "world.gone"

    def snapshot(self, api: Any) -> Any:
        raise NotDone("it is gone")


def test_what_a_look_finds_impossible_is_failed(holding: AgentRein, world: World) -> None:
    gone = do(holding, Gone(thing="a"), world)
    do(holding, Blind(thing="b"), world)
    completed(holding)
    failed = holding.action(gone.id)
    assert (failed.status, failed.error["message"]) == (Status.FAILED, "it is gone")
    assert world.events() == [("do", "b")]


def test_what_is_throttled_while_it_is_looked_at_stays_held(
    holding: AgentRein, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(self: Put, api: Any) -> Any:
        raise Throttled("try later")

    do(holding, Put(thing="a", fields={"x": 1}), world)
    with monkeypatch.context() as patched:
        patched.setattr(Put, "snapshot", busy)
        completed(holding)
    assert holding.held()[0].error["message"] == "try later"
    holding.recover()
    assert world.events("do") == [("do", "a")]


@pytest.mark.parametrize("superseded", [False, True])
def test_a_release_that_was_cut_short_is_finished_by_whoever_recovers(
    holding: AgentRein, world: World, monkeypatch: pytest.MonkeyPatch, superseded: bool
) -> None:
    held = do(holding, Put(thing="a", fields={"x": 1}), world)
    if superseded:
        holding.journal.supersede("thread", "ses_newer")
    move = holding.journal.move

    def dies(action: Any, to: Status, **options: Any) -> Any:
        if to is Status.EXECUTING:
            raise KeyboardInterrupt
        return move(action, to, **options)

    with monkeypatch.context() as patched:
        patched.setattr(holding.journal, "move", dies)
        with pytest.raises(KeyboardInterrupt):
            holding.release(held.id, by="ana")
    assert holding.action(held.id).status is Status.APPROVED
    holding.recover()
    assert world.events("do") == [("do", "a")]


def test_what_may_have_been_done_is_in_doubt(holding: AgentRein, world: World) -> None:
    held = do(holding, Blind(thing="a"), world)
    world.set("lose reply", 1)
    completed(holding)
    assert holding.action(held.id).status is Status.IN_DOUBT
    assert status(holding) is SessionStatus.COMPLETED
    holding.recover()
    holding.approve(held.id, by="ana")
    assert holding.rollback(session=SESSION).complete
    assert world.events() == [("do", "a"), ("undo", "a")]


def test_a_probe_settles_it(holding: AgentRein, world: World) -> None:
    held = do(holding, Put(thing="a", fields={"x": 1}), world)
    world.set("lose reply", 1)
    completed(holding)
    assert holding.action(held.id).status is Status.EXECUTED
    assert world.count("do") == 1


def test_without_a_client_it_stays_held_and_says_so(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, rules=HOLD) as rein:
        held = do(rein, Blind(thing="a"), world)
        completed(rein)
        [stays] = rein.held()
        assert "nobody provides a client for 'world'" in stays.error["message"]
        [line] = rein.recover()
        assert (line.outcome, rein.recover().complete) == ("held", False)
        assert line.error is not None
        assert sum(entry.event == "note" for entry in rein.journal.entries([SESSION])) == 1, "said once"
        with pytest.raises(ConfigError, match="stays held: nobody provides"):
            rein.release(held.id, by="ana")
    with opened(sqlite_url, world) as rein:
        rein.recover()
        assert rein.action(held.id).status is Status.EXECUTED
        assert rein.action(held.id).error is None
    assert world.count("do") == 1


def test_other_credentials_do_not_release_it(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=LATER) as rein:
        held = do(rein, Blind(thing="a"), world)
    refused = pytest.raises(ConfigError, match="held for 'acme', and these credentials are 'other'")
    with opened(sqlite_url, World(world.path, account="other")) as rein, refused:
        rein.release(held.id, by="ana")
    assert world.events() == []


def test_what_nothing_undoes_waits_for_a_person_unless_it_was_named(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=HOLD) as rein:
        held = do(rein, Mail(thing="a"), world)
        completed(rein)
        rein.recover()
        assert world.events() == []
        assert rein.release(held.id, by="ana").status is Status.EXECUTED
    with opened(sqlite_url, world, rules=[ApprovalRule("world.mail", "hold")]) as rein:
        do(rein, Mail(thing="b"), world, "ses_other")
        completed(rein, "ses_other")
    assert world.count("do", "b") == 1


def test_what_can_no_longer_be_undone_waits_for_a_person(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=HOLD) as rein:
        held = do(rein, Keep(thing="a", value=1), world)
        world.put("a", {"password": "hunter2hunter2"})
        completed(rein)
        assert "nothing could undo it now" in rein.held()[0].error["message"]
        done = rein.release(held.id, by="ana")
        assert (done.status, done.reversal) == (Status.EXECUTED, Reversal.NONE)


def test_a_snapshot_too_large_for_the_journal_keeps_it_held(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=HOLD, max_payload=2_000) as rein:
        large = do(rein, Keep(thing="a", value=1), world)
        do(rein, Blind(thing="b"), world)
        world.put("a", "x" * 5_000)
        completed(rein)
        [held] = rein.held()
        assert held.id == large.id
        assert "the journal holds at most" in held.error["message"]
        assert world.count("do", "b") == 1, "and does not hold up the rest"
        assert rein.recover().unsettled
        assert rein.rollback(session=SESSION).complete
        assert rein.held() == []


def test_a_secret_that_no_key_seals_cannot_be_held(sqlite_url: str, world: World) -> None:
    secret = {"password": "hunter2hunter2"}
    refused = pytest.raises(ApprovalRequired, match="cannot be held: it holds a secret")
    with opened(sqlite_url, world, rules=HOLD) as rein, refused:
        do(rein, Keep(thing="a", value=secret), world, key="k")
    with opened(sqlite_url, world, rules=HOLD, seal=KEY) as rein:
        do(rein, Keep(thing="b", value=secret), world, "ses_sealed")
        completed(rein, "ses_sealed")
    assert world.get("b") == secret


def test_who_insists_on_a_person_gets_one(holding: AgentRein, world: World) -> None:
    do(holding, Blind(thing="a"), world, insist="a neighbour asks about it")
    completed(holding)
    [held] = holding.held()
    assert held.approval is not None
    assert (held.approval.reason, held.approval.release_after) == ("a neighbour asks about it", None)


def test_arguments_that_read_differently_by_now_are_not_done(
    holding: AgentRein, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    do(holding, Put(thing="a", fields={"x": 1}), world)
    newer = classmethod(lambda cls, args: cls(**{**args, "fields": {"x": 2}}))
    monkeypatch.setattr(Put, "from_args", newer)
    completed(holding)
    [still] = holding.held()
    assert still.status is Status.HELD
    assert still.error["message"] == "its arguments read differently than when it was held"
    assert world.events() == []


def test_a_session_that_fails_meanwhile_is_not_completed(
    holding: AgentRein, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    do(holding, Put(thing="a", fields={"x": 1}), world)
    look = holding.journal.standing

    def standing(session_id: str) -> Any:
        known = look(session_id)
        patched.undo()
        holding.journal.set_session(session_id, SessionStatus.ROLLING_BACK)
        return known

    with monkeypatch.context() as patched:
        patched.setattr(holding.journal, "standing", standing)
        completed(holding)
    assert status(holding) is SessionStatus.ROLLING_BACK
    assert world.events() == []


# -- superseded, forgotten, async ------------------------------------------------------------------


def test_what_a_superseded_session_holds_is_left_to_a_person(holding: AgentRein, world: World) -> None:
    held = do(holding, Blind(thing="a"), world)
    holding.journal.supersede("thread", "ses_newer")
    run(expire(holding.core, Scope((SESSION,))))
    holding.recover()
    assert [one.id for one in holding.held(thread="thread")] == [held.id]
    completed(holding)
    holding.recover()
    assert status(holding) is SessionStatus.COMPLETED
    assert world.events() == []
    holding.release(held.id, by="ana")
    assert world.count("do") == 1


def test_what_was_forgotten_is_not_done(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=LATER) as rein:
        held = do(rein, Blind(thing="a"), world)
        with pytest.raises(ConfigError, match="1 action is still held"):
            completed(rein)
            rein.forget(session=SESSION)
        assert rein.prune(older_than=timedelta(0)) == 0
        rein.drop(held.id, by="ana")
        assert rein.forget(session=SESSION) == 1


async def test_an_async_operation_needs_a_loop(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=HOLD) as rein:
        held = await ado(rein, Async(thing="a", pause=0.01), world)
        completed(rein)
        assert "world.async is async" in rein.held()[0].error["message"]
        assert world.events() == []
        await rein.arecover()
        assert rein.action(held.id).status is Status.EXECUTED
    assert world.count("do") == 1


@pytest.mark.parametrize("op", [Async(thing="a", pause=0.01), Put(thing="a", fields={"x": 1})], ids=str)
async def test_completion_from_an_event_loop(sqlite_url: str, world: World, op: Any) -> None:
    async with opened(sqlite_url, world, rules=HOLD) as rein:
        async with rein.session() as session:
            flow = rein.perform(op, world, Call(session=session.record))
            held = (await arun(flow)).action
            assert held.status is Status.HELD
        assert rein.action(held.id).status is Status.EXECUTED
        assert (await rein.arollback(session=session.id)).complete
    assert world.events("do") == [("do", "a")]


async def test_a_completion_that_is_cancelled_keeps_the_receipt_and_the_rest(
    sqlite_url: str, world: World
) -> None:
    async with opened(sqlite_url, world, rules=HOLD) as rein:
        slow = await ado(rein, Slow(thing="a", pause=0.1), world)
        rest = await ado(rein, Blind(thing="b"), world)
        completing = asyncio.ensure_future(arun(complete(rein.core, SESSION)))
        await asyncio.to_thread(world.reached, "in slow")
        completing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await completing
        assert [rein.action(one.id).status for one in (slow, rest)] == [Status.EXECUTED, Status.HELD]
        await rein.arecover()
    assert world.events("do") == [("do", "a"), ("do", "b")]


def test_another_tenants_are_not_shown(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=LATER) as rein, rein.session(tenant="acme") as session:
        held = do(rein, Blind(thing="a"), world, session.record)
    with opened(sqlite_url, world, tenant="other") as rein:
        assert rein.held() == []
        with pytest.raises(ConfigError, match="no action begins with"):
            rein.release(held.id, by="ana")
    with opened(sqlite_url, world, tenant="acme") as rein:
        assert [one.id for one in rein.held()] == [held.id]
