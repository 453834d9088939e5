"""Back: newest effect first, past nothing that failed."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from langchain_agentrein import (
    ActionDenied,
    AgentRein,
    ApprovalRule,
    ConfigError,
    JournalUnavailable,
    SessionFrozen,
    Status,
)
from langchain_agentrein.action import Action, SessionStatus
from tests.support.driving import SESSION, call, do, opened
from tests.support.world import Blind, Create, Mail, Put, Slow, World


def status_of(rein: AgentRein, session: str = SESSION) -> SessionStatus:
    known = rein.journal.session(session)
    assert known is not None
    return known.status


def test_undos_run_newest_effect_first(rein: AgentRein, world: World) -> None:
    for thing in "abcde":
        do(rein, Create(thing=thing), world)
    report = rein.rollback(session=SESSION)
    assert [name for _, name in world.events("undo")] == list("edcba")
    assert [line.seq for line in report] == [5, 4, 3, 2, 1]
    assert report.complete
    assert status_of(rein) is SessionStatus.ROLLED_BACK


def test_the_order_is_that_of_the_starts_and_not_of_the_proposals(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=[ApprovalRule("world.create", "ask")]) as rein:
        with pytest.raises(Exception, match="approve action"):
            do(rein, Create(thing="first proposed"), world, key="k")
        do(rein, Blind(thing="first run"), world)
        [waiting] = rein.journal.calls("k")
        rein.approve(waiting.id, by="ana")
        do(rein, Create(thing="first proposed"), world, key="k")
        rein.rollback(session=SESSION)
        assert [name for _, name in world.events("undo")] == ["first proposed", "first run"]


def test_the_order_does_not_depend_on_the_clock(
    rein: AgentRein, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = time.time_ns()
    for n, thing in enumerate("abc"):
        backwards = clock - n * 3_600_000_000_000
        monkeypatch.setattr(time, "time_ns", lambda at=backwards: at)
        do(rein, Create(thing=thing), world)
    monkeypatch.undo()
    rein.rollback(session=SESSION)
    assert [name for _, name in world.events("undo")] == ["c", "b", "a"]
    assert [entry.n for entry in rein.journal.entries([SESSION])] == sorted(
        entry.n for entry in rein.journal.entries([SESSION])
    )


def test_sessions_of_one_thread_unwind_in_the_order_of_time(rein: AgentRein, world: World) -> None:
    for thing, session in zip("abcd", ["s1", "s2", "s1", "s2"], strict=True):
        do(rein, Create(thing=thing), world, session)
    report = rein.rollback(thread="thread", all_sessions=True)
    assert [name for _, name in world.events("undo")] == ["d", "c", "b", "a"]
    assert report.complete


def test_a_thread_means_its_latest_session(rein: AgentRein, world: World) -> None:
    do(rein, Create(thing="yesterday"), world, "s1")
    do(rein, Create(thing="today"), world, "s2")
    rein.rollback(thread="thread")
    assert [name for _, name in world.events("undo")] == ["today"]
    assert status_of(rein, "s1") is SessionStatus.OPEN


def test_a_failing_undo_is_tried_again(rein: AgentRein, world: World) -> None:
    do(rein, Blind(thing="a"), world)
    world.set("fail undo", 2)
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "compensated"
    assert world.count("undo") == 1


def test_an_undo_that_fails_for_good_is_stuck_and_the_walk_stops_below_it(
    rein: AgentRein, world: World
) -> None:
    for thing in "abc":
        do(rein, Blind(thing=thing), world)
    world.set("fail undo", 3)
    top, middle, bottom = rein.rollback(session=SESSION)
    assert top.outcome == "stuck"
    assert top.error is not None
    assert "tried 3 times" in top.error
    assert "no route to the world" in top.error
    assert (middle.outcome, bottom.outcome) == ("waiting", "waiting")
    assert world.count("undo") == 0
    assert status_of(rein) is SessionStatus.STUCK
    again = rein.rollback(session=SESSION)
    assert again.complete
    assert [name for _, name in world.events("undo")] == ["c", "b", "a"]
    assert status_of(rein) is SessionStatus.ROLLED_BACK


def test_a_walk_that_may_go_on_goes_on_below_a_stuck_undo(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, on_stuck="continue") as rein:
        for thing in ["a", "b", "c", "c"]:
            do(rein, Blind(thing=thing), world)
        world.set("fail undo", 3)
        report = rein.rollback(session=SESSION)
        assert [line.outcome for line in report] == ["stuck", "waiting", "compensated", "compensated"], (
            "what touches the same thing waits"
        )
        assert [name for _, name in world.events("undo")] == ["b", "a"]


def test_throttled_undos_wait(rein: AgentRein, world: World) -> None:
    do(rein, Blind(thing="a"), world)
    world.set("throttle undo", 6)
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "compensated"


def test_only_and_to(rein: AgentRein, world: World) -> None:
    actions = [do(rein, Create(thing=thing), world) for thing in "abcd"]
    [line] = rein.rollback(session=SESSION, only=[actions[1].id])
    assert line.action_id == actions[1].id
    assert status_of(rein) is SessionStatus.OPEN, "after a part of it, it is what it was"
    rein.rollback(session=SESSION, to=actions[2].id)
    assert [name for _, name in world.events("undo")] == ["b", "d"]
    do(rein, Create(thing="e"), world)
    rein.rollback(session=SESSION)
    assert [name for _, name in world.events("undo")] == ["b", "d", "e", "c", "a"]


def doubtful(rein: AgentRein, world: World) -> Action:
    """An action whose request was lost, and of which no probe could tell so."""
    world.set("blind", True)
    world.set("lose request", 1)
    with pytest.raises(TimeoutError):
        do(rein, Put(thing="a", fields={"x": 1}), world)
    world.set("blind", False)
    [action] = rein.actions(session=SESSION)
    assert action.status is Status.IN_DOUBT
    return action


def test_a_part_that_turns_out_not_to_have_happened_is_nothing_to_undo(rein: AgentRein, world: World) -> None:
    action = doubtful(rein, world)
    assert len(rein.rollback(session=SESSION, only=[action.id])) == 0
    assert rein.journal.get(action.id).status is Status.FAILED
    assert rein.sessions()[0].status is SessionStatus.OPEN, "what was stopped for it goes on"


def test_recover_finishes_a_part_that_turned_out_not_to_have_happened(rein: AgentRein, world: World) -> None:
    action = doubtful(rein, world)
    scope = {"sessions": [SESSION], "to": None, "only": [action.id], "was": "open", "asking": False}
    rein.journal.set_session(SESSION, SessionStatus.ROLLING_BACK, scope=scope)  # and there its worker died
    rein.recover()
    assert rein.journal.get(action.id).status is Status.FAILED
    assert rein.sessions()[0].status is SessionStatus.OPEN


def test_a_part_that_settles_the_last_stuck_undo_ends_the_session(rein: AgentRein, world: World) -> None:
    action = do(rein, Blind(thing="a"), world)
    world.set("fail undo", 3)
    rein.rollback(session=SESSION)
    assert status_of(rein) is SessionStatus.STUCK
    rein.rollback(session=SESSION, only=[action.id])
    assert status_of(rein) is SessionStatus.ROLLED_BACK


def test_a_part_of_what_has_ended_that_is_left_to_a_person_makes_it_stuck(
    rein: AgentRein, world: World
) -> None:
    action = do(rein, Blind(thing="a"), world)
    rein.journal.set_session(SESSION, SessionStatus.SUPERSEDED)
    world.set("fail undo", 3)
    rein.rollback(session=SESSION, only=[action.id])
    assert status_of(rein) is SessionStatus.STUCK, "nobody would look for it in a superseded one"


@pytest.mark.parametrize("wrong", [{"only": ["act_nowhere"]}, {"to": "act_nowhere"}])
def test_a_scope_that_names_nothing_stops_nothing(rein: AgentRein, world: World, wrong: Any) -> None:
    do(rein, Create(thing="a"), world)
    with pytest.raises(ConfigError, match="act_nowhere has no effect"):
        rein.rollback(session=SESSION, **wrong)
    with pytest.raises(ConfigError, match="act_nowhere has no effect"):
        rein.plan(session=SESSION, **wrong)
    assert status_of(rein) is SessionStatus.OPEN
    do(rein, Create(thing="b"), world)


def test_a_walk_goes_on_past_what_turns_out_to_have_had_no_effect(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, drain_timeout=0.1) as rein:
        done = do(rein, Put(thing="a", fields={"x": 1}), world)
        cut_off = rein.perform(Put(thing="b", fields={"x": 1}), world, call())
        value: Any = None
        while not getattr(step := cut_off.send(value), "effect", False):
            value = step.call(*step.args)  # type: ignore[union-attr]
        named = [action.id for action in rein.actions(session=SESSION)]

        [line] = rein.rollback(session=SESSION, only=named)

        assert (line.action_id, line.outcome) == (done.id, "restored")
        assert [one.status for one in rein.actions(session=SESSION)] == [Status.RESTORED, Status.FAILED]
        cut_off.close()


@pytest.mark.parametrize(
    "what", [{"session": "ses_no"}, {"thread": "no"}, {}, {"session": "a", "thread": "b"}]
)
def test_a_rollback_of_nothing_that_is_there(rein: AgentRein, what: Any) -> None:
    with pytest.raises(ConfigError):
        rein.rollback(**what)


def test_a_rollback_first_refuses_new_actions_and_lets_approvals_lapse(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=[ApprovalRule("world.create", "ask")]) as rein:
        do(rein, Blind(thing="a"), world)
        for key in ("proposed", "approved"):
            with pytest.raises(Exception, match="approve action"):
                do(rein, Create(thing=key), world, key=key)
        [approved] = rein.journal.calls("approved")
        rein.approve(approved.id, by="ana")
        seen: list[Any] = []
        undo = Blind.undo

        def look(self: Any, api: Any, action: Any) -> Any:
            for key in ("proposed", "approved", "new"):
                try:
                    do(rein, Create(thing=key), world, key=key)
                except (SessionFrozen, ActionDenied) as refused:
                    seen.append(type(refused))
            return undo(self, api, action)

        Blind.undo = look  # type: ignore[method-assign]
        try:
            rein.rollback(session=SESSION)
        finally:
            Blind.undo = undo  # type: ignore[method-assign]
        assert seen == [SessionFrozen] * 3
        assert world.count("do") == 1
        assert {action.status for key in ("proposed", "approved") for action in rein.journal.calls(key)} == {
            Status.EXPIRED
        }


def test_a_rollback_waits_for_what_is_under_way(rein: AgentRein, world: World) -> None:
    def act() -> None:
        do(rein, Slow(thing="slow", pause=0.3), world)

    thread = threading.Thread(target=act)
    thread.start()
    world.reached("in slow")
    [line] = rein.rollback(session=SESSION)
    thread.join()
    assert line.outcome == "compensated"
    assert world.events() == [("do", "slow"), ("undo", "slow")]


def test_a_rollback_settles_what_does_not_end(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, drain_timeout=0.1) as rein:
        thread = threading.Thread(target=lambda: do(rein, Slow(thing="slow", pause=0.6), world))
        thread.start()
        world.reached("in slow")
        [line] = rein.rollback(session=SESSION)
        assert line.outcome == "in_doubt"
        thread.join()
        [action] = rein.actions(session=SESSION)
        assert action.status is Status.EXECUTED, "its receipt came late, and is recorded all the same"
        [line] = rein.rollback(session=SESSION)
        assert line.outcome == "compensated"


def test_what_cannot_be_undone_is_named(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=[ApprovalRule("world.mail", "allow")]) as rein:
        do(rein, Create(thing="a"), world)
        do(rein, Mail(thing="m"), world)
        mail, create = rein.rollback(session=SESSION)
        assert (mail.outcome, mail.residue) == ("irreversible", ("world.mail cannot be undone",))
        assert create.outcome == "restored"
        assert status_of(rein) is SessionStatus.ROLLED_BACK


def test_a_session_undoes_itself_when_an_exception_leaves_it(rein: AgentRein, world: World) -> None:
    with pytest.raises(ZeroDivisionError) as caught, rein.session(intent="test") as session:
        do(rein, Create(thing="a"), world, session.record)
        raise ZeroDivisionError
    assert world.count("undo") == 1
    assert any("was rolled back" in note for note in caught.value.__notes__)
    known = rein.journal.session(session.id)
    assert known is not None
    assert known.failure == {"type": "ZeroDivisionError", "message": ""}


async def test_a_session_undoes_itself_under_async_as_well(rein: AgentRein, world: World) -> None:
    with pytest.raises(ZeroDivisionError):
        async with rein.session() as session:
            do(rein, Create(thing="a"), world, session.record)
            raise ZeroDivisionError
    assert world.count("undo") == 1


def test_a_rollback_that_fails_does_not_hide_the_error_that_it_follows_from(
    rein: AgentRein, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any, **__: Any) -> None:
        raise JournalUnavailable("the disk is gone")

    with pytest.raises(ZeroDivisionError) as caught, rein.session() as session:
        do(rein, Create(thing="a"), world, session.record)
        monkeypatch.setattr(rein.journal, "set_session", down)
        raise ZeroDivisionError
    assert any("could not be rolled back" in note for note in caught.value.__notes__)


@pytest.mark.parametrize(("on_failure", "status"), [("keep", "kept"), ("ask", "rolling_back")])
def test_a_failed_session_may_be_kept_or_asked_about(
    sqlite_url: str, world: World, on_failure: Any, status: str
) -> None:
    with opened(sqlite_url, world, on_failure=on_failure) as rein:
        with pytest.raises(ZeroDivisionError), rein.session() as session:
            do(rein, Create(thing="a"), world, session.record)
            raise ZeroDivisionError
        assert world.count("undo") == 0
        assert session.status == status
        assert len(rein.recover()) == 0, "a person was asked"
        session.rollback(by="ana")
        assert world.count("undo") == 1


def test_a_completed_session_takes_no_approval_any_more(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=[ApprovalRule("world.create", "ask")]) as rein:
        with rein.session() as session, pytest.raises(Exception, match="approve action"):
            do(rein, Create(thing="a"), world, session.record, key="k")
        assert session.status is SessionStatus.COMPLETED
        [action] = rein.journal.calls("k")
        assert action.status is Status.EXPIRED


def test_sessions_inside_sessions_join(rein: AgentRein, world: World) -> None:
    with rein.session() as outer, rein.session() as inner:
        assert inner.id == outer.id
        do(rein, Create(thing="a"), world, inner.record)
    assert outer.status is SessionStatus.COMPLETED
    with rein.session() as outer:
        with pytest.raises(ZeroDivisionError), rein.session() as inner:
            do(rein, Create(thing="b"), world, inner.record)
            raise ZeroDivisionError
        assert outer.status is SessionStatus.OPEN, "only the opener rolls back"


def test_a_superseded_session_can_be_rolled_back(rein: AgentRein, world: World) -> None:
    do(rein, Create(thing="a"), world, "s1")
    do(rein, Create(thing="b"), world, "s2")
    assert rein.journal.supersede("thread", "s2") == ["s1"]
    assert status_of(rein, "s1") is SessionStatus.SUPERSEDED
    rein.rollback(session="s1")
    assert [name for _, name in world.events("undo")] == ["a"]


async def test_the_async_twins_do_the_same(rein: AgentRein, world: World) -> None:
    for thing in "abc":
        do(rein, Create(thing=thing), world)
    plan = await rein.aplan(session=SESSION)
    assert [line.verdict for line in plan] == ["undo"] * 3
    report = await rein.arollback(session=SESSION)
    assert [line.outcome for line in report] == ["restored"] * 3
    assert len(await rein.arecover()) == 0
    assert (await rein.averify()).ok
    assert len(await rein.aactions(session=SESSION)) == 3
    assert [one.id for one in await rein.asessions()] == [SESSION]
    assert call().session.id == SESSION


def test_rolling_back_twice_undoes_once(rein: AgentRein, world: World) -> None:
    do(rein, Put(thing="a", fields={"x": 1}), world)
    rein.rollback(session=SESSION)
    assert len(rein.rollback(session=SESSION)) == 0
    assert world.count("undo") == 1
