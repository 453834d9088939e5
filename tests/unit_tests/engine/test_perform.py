"""Forward: the record before the effect, and one effect for one call."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text

from langchain_agentrein import (
    Action,
    AgentRein,
    CallConflict,
    ConfigError,
    InDoubt,
    JournalError,
    JournalUnavailable,
    NotDone,
    PayloadTooLarge,
    Reversal,
    Risk,
    SessionFrozen,
    Status,
)
from langchain_agentrein.action import SessionStatus
from langchain_agentrein.errors import LostRace
from langchain_agentrein.journal import Journal
from tests.support.driving import SESSION, do, opened, performed
from tests.support.world import Blind, Create, Keep, Put, World, WorldOperation


class Peek(WorldOperation):
    """Looks into the journal, over a connection of its own, while its effect is under way."""

    name, risk, reversal = "world.peek", Risk.LOW, Reversal.EXACT
    number: int = 7

    def snapshot(self, api: Any) -> Any:
        return {"old": "value", "raw": b"\x00\xff"}

    def do(self, api: Any, action: Action) -> Any:
        with Journal(api.journal_url) as journal:
            [api.seen] = journal.actions([action.session_id])
        api.log("do", self.thing, action.key)
        return {}

    def undo(self, api: Any, action: Action) -> Any:
        with Journal(api.journal_url) as journal:
            [api.seen] = journal.actions([action.session_id])


def test_the_record_is_durable_before_the_effect(rein: AgentRein, world: World, journal_url: str) -> None:
    world.journal_url = journal_url  # type: ignore[attr-defined]
    with opened(journal_url, world) as rein:
        done = do(rein, Peek(thing="a"), world)
        seen: Action = world.seen  # type: ignore[attr-defined]
        assert seen.id == done.id
        assert seen.status is Status.EXECUTING
        assert (seen.operation, seen.operation_version, seen.account) == ("world.peek", 1, "acme")
        assert seen.args == {"thing": "a"}
        assert seen.before == {"old": "value", "raw": b"\x00\xff"}
        assert seen.key == done.key
        assert seen.held_by == rein.journal.worker


def test_the_intent_to_undo_is_durable_before_the_undo(world: World, journal_url: str) -> None:
    world.journal_url = journal_url  # type: ignore[attr-defined]
    with opened(journal_url, world) as rein:
        do(rein, Peek(thing="a"), world)
        rein.rollback(session=SESSION, reason="wrong", by="ana")
        seen: Action = world.seen  # type: ignore[attr-defined]
        assert seen.status is Status.COMPENSATING
        assert seen.undo.attempts == 1
        assert seen.undo.cause == "ana rolled it back: wrong"


def test_no_journal_no_effect(rein: AgentRein, world: World, sqlite_url: str) -> None:
    def broken(*_: object, **__: object) -> None:
        raise JournalUnavailable("gone")

    rein.journal.begin = broken  # type: ignore[assignment,method-assign]
    with pytest.raises(JournalUnavailable):
        do(rein, Put(thing="a", fields={"x": 1}), world)
    assert world.events() == []


def test_a_repeated_call_gets_the_recorded_result(rein: AgentRein, world: World) -> None:
    first = performed(rein, Blind(thing="a"), world, key="k")
    again = performed(rein, Blind(thing="a"), world, key="k")
    assert not first.replayed
    assert again.replayed
    assert again.action.receipt == {"thing": "a"}
    assert world.count("do") == 1


def test_equal_calls_without_a_key_both_run(rein: AgentRein, world: World) -> None:
    do(rein, Blind(thing="a"), world)
    do(rein, Blind(thing="a"), world)
    assert world.count("do") == 2


def test_a_rerun_after_a_failure_is_a_new_generation_with_another_key(rein: AgentRein, world: World) -> None:
    world.set("refuse", 1)
    with pytest.raises(NotDone):
        do(rein, Blind(thing="a"), world, key="k")
    again = do(rein, Blind(thing="a"), world, key="k")
    first, second = rein.journal.calls("k")
    assert (first.status, second.status) == (Status.FAILED, Status.EXECUTED)
    assert (first.generation, second.generation) == (1, 2)
    assert first.key != second.key
    assert again.parent_id == first.id


def test_a_rerun_after_an_undo_opens_a_child_session(rein: AgentRein, world: World) -> None:
    first = do(rein, Create(thing="a"), world, key="k")
    rein.rollback(session=SESSION)
    second = do(rein, Create(thing="a"), world, key="k")
    assert second.generation == 2
    assert second.session_id != first.session_id
    child = rein.journal.session(second.session_id)
    assert child is not None
    assert child.parent_id == SESSION
    assert world.sent() == [first.key, second.key]


def test_a_call_into_a_completed_session_opens_a_child(rein: AgentRein, world: World) -> None:
    do(rein, Create(thing="a"), world)
    rein.journal.set_session(SESSION, SessionStatus.COMPLETED)
    late = do(rein, Create(thing="b"), world)
    later = do(rein, Create(thing="c"), world)
    assert late.session_id == later.session_id == f"{SESSION}~1"


@pytest.mark.parametrize("op", [Blind(thing="b"), Create(thing="a")])
def test_the_same_call_with_other_arguments_is_a_conflict(
    rein: AgentRein, world: World, op: WorldOperation
) -> None:
    do(rein, Blind(thing="a"), world, key="k")
    with pytest.raises(CallConflict, match="other arguments"):
        do(rein, op, world, key="k")
    assert world.count("do") == 1


def test_two_threads_with_one_call_have_one_effect(journal_url: str, tmp_path: Path) -> None:
    world = World(tmp_path / "world.db")
    outcomes: list[Any] = []
    gate = threading.Barrier(4)

    def go() -> None:
        gate.wait()
        try:
            outcomes.append(do(rein, Blind(thing="a"), world, key="k").receipt)
        except Exception as error:
            outcomes.append(error)

    with opened(journal_url, world) as rein:
        threads = [threading.Thread(target=go) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert world.count("do") == 1
    assert outcomes == [{"thing": "a"}] * 4


def test_parallel_actions_of_one_session_each_have_an_order(journal_url: str, tmp_path: Path) -> None:
    world = World(tmp_path / "world.db")
    gate = threading.Barrier(8)
    errors: list[BaseException] = []

    def go(n: int) -> None:
        gate.wait()
        try:
            do(rein, Blind(thing=f"t{n}"), world)
        except BaseException as error:
            errors.append(error)

    with opened(journal_url, world) as rein:
        threads = [threading.Thread(target=go, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert [action.seq for action in rein.actions(session=SESSION)] == list(range(1, 9))
        assert rein.verify()


class Races(WorldOperation):
    """Its effect happens, and then it loses a race of its own."""

    name, risk, reversal = "world.races", Risk.LOW, Reversal.COMPENSATING

    def do(self, api: Any, action: Action) -> Any:
        api.log("do", self.thing, action.key)
        raise LostRace("act_other", "executed", "executing")


def test_a_lost_race_after_the_effect_does_not_run_it_again(rein: AgentRein, world: World) -> None:
    with pytest.raises(LostRace):
        do(rein, Races(thing="a"), world)
    assert world.count("do") == 1
    [action] = rein.actions(session=SESSION)
    assert action.status is Status.IN_DOUBT


class OddReceipt(WorldOperation):
    """Returns what has no JSON."""

    name, risk, reversal = "world.odd_receipt", Risk.LOW, Reversal.COMPENSATING
    kind: str

    def do(self, api: Any, action: Action) -> Any:
        api.log("do", self.thing, action.key)
        circle: list[Any] = []
        circle += [circle, circle]
        return {
            "object": object(),
            "circle": circle,
            "huge": 10**6000,
            "surrogate": "\ud800",
            "big": "x" * 3000,
        }[self.kind]


@pytest.mark.parametrize("kind", ["object", "circle", "huge", "surrogate", "big"])
def test_no_receipt_is_too_odd_to_be_recorded(sqlite_url: str, world: World, kind: str) -> None:
    with opened(sqlite_url, world, max_payload=2000) as rein:
        do(rein, OddReceipt(thing="a", kind=kind), world)
        [action] = rein.actions(session=SESSION)
        assert action.status is Status.EXECUTED
        assert action.receipt is not None
        assert rein.verify()


class Breaks(WorldOperation):
    """Every hook that is asked after the effect fails."""

    name, risk, reversal = "world.breaks", Risk.LOW, Reversal.COMPENSATING

    def receipt(self, value: Any) -> Any:
        raise ZeroDivisionError("receipt")

    def result(self, receipt: Any) -> Any:
        raise ZeroDivisionError("result")

    def undo_until(self, action: Action) -> Any:
        raise ZeroDivisionError("undo_until")

    def observe(self, api: Any, action: Action) -> Any:
        raise ZeroDivisionError("observe")

    def expect(self, action: Action) -> Any:
        raise ZeroDivisionError("expect")

    def shown(self, value: Any) -> Any:
        return value


def test_what_fails_after_the_effect_does_not_lose_it(rein: AgentRein, world: World) -> None:
    do(rein, Breaks(thing="a"), world)
    [action] = rein.actions(session=SESSION)
    assert action.status is Status.EXECUTED
    assert action.receipt == {"thing": "a"}


class OddSnapshot(WorldOperation):
    """Its snapshot is no JSON."""

    name, risk, reversal = "world.odd_snapshot", Risk.LOW, Reversal.EXACT

    def snapshot(self, api: Any) -> Any:
        return {"there": api.odd}


@pytest.mark.parametrize("key", [None, "x3a0Vwz6Y0ZSc1Hq7pPNgnhZ1xLMqVNlBTtDhBhDgJo="])
@pytest.mark.parametrize("odd", [object(), {1: 2}, 10**6000, float], ids=["object", "key", "huge", "type"])
def test_a_snapshot_that_is_no_json_is_refused_before_the_effect(
    sqlite_url: str, world: World, odd: object, key: str | None
) -> None:
    world.odd = odd  # type: ignore[attr-defined]
    with opened(sqlite_url, world, seal=key) as rein:
        with pytest.raises(ConfigError, match=r"snapshot of world\.odd_snapshot"):
            do(rein, OddSnapshot(thing="a"), world)
        assert rein.sessions() == []
    assert world.events() == []


def test_arguments_of_ten_megabytes(sqlite_url: str, world: World) -> None:
    big = "x" * 10_000_000
    with opened(sqlite_url, world) as rein:
        action = do(rein, Keep(thing="a", value=big), world)
        assert rein.journal.get(action.id).args["value"] == big
        [line] = rein.rollback(session=SESSION)
        assert line.outcome == "restored"


def test_more_than_the_journal_holds_is_refused_before_the_effect(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, max_payload=10_000) as rein:
        with pytest.raises(PayloadTooLarge, match=r"args takes .* at most 10,000"):
            do(rein, Keep(thing="a", value="x" * 20_000), world)
        assert rein.sessions() == []
    assert world.events() == []


def test_a_journal_that_fails_after_the_effect_is_tried_again(rein: AgentRein, world: World) -> None:
    move, failures = rein.journal.move, 3

    def flaky(action: Action, to: Status, **changes: Any) -> Action:
        nonlocal failures
        if to is Status.EXECUTED and failures:
            failures -= 1
            raise JournalUnavailable("locked")
        return move(action, to, **changes)

    rein.journal.move = flaky  # type: ignore[method-assign]
    assert do(rein, Blind(thing="a"), world).status is Status.EXECUTED
    assert world.count("do") == 1


def test_a_journal_that_stays_away_after_the_effect_leaves_it_to_recover(
    rein: AgentRein, world: World
) -> None:
    move = rein.journal.move

    def down(action: Action, to: Status, **changes: Any) -> Action:
        raise JournalUnavailable("the disk is gone")

    rein.journal.move = down  # type: ignore[method-assign]
    with pytest.raises(InDoubt, match="happened, but its receipt could not be recorded"):
        do(rein, Put(thing="a", fields={"x": 1}), world, key="k")
    rein.journal.move = move  # type: ignore[method-assign]
    [action] = rein.actions(session=SESSION)
    assert action.status is Status.EXECUTING
    rein.journal.release(action)
    [line] = rein.recover()
    assert line.outcome == "executed"
    assert world.count("do") == 1


def test_a_journal_that_stays_away_after_an_error_does_not_hide_the_error(
    rein: AgentRein, world: World
) -> None:
    def down(action: Action, to: Status, **changes: Any) -> Action:
        raise JournalUnavailable("the disk is gone")

    rein.journal.move = down  # type: ignore[method-assign]
    world.set("lose reply", 1)
    with pytest.raises(TimeoutError) as caught:
        do(rein, Blind(thing="a"), world)
    assert any("the disk is gone" in note for note in caught.value.__notes__)


def test_throttling_is_waited_for(rein: AgentRein, world: World) -> None:
    world.set("throttle", 3)
    assert do(rein, Blind(thing="a"), world).status is Status.EXECUTED
    assert world.count("do") == 1


def test_throttling_for_good_is_a_failure(rein: AgentRein, world: World) -> None:
    world.set("throttle", 100)
    with pytest.raises(NotDone):
        do(rein, Blind(thing="a"), world)
    [action] = rein.actions(session=SESSION)
    assert action.status is Status.FAILED


def test_an_operation_may_not_lock_the_file_of_the_journal(
    rein: AgentRein, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Blind, "locks", lambda self, api: (tmp_path / "journal.db",))
    with pytest.raises(ConfigError, match="where the journal lives"):
        do(rein, Blind(thing="a"), world)
    assert world.events() == []


def test_a_frozen_session_takes_no_new_actions(rein: AgentRein, world: World) -> None:
    do(rein, Blind(thing="a"), world)
    rein.journal.set_session(SESSION, SessionStatus.ROLLING_BACK)
    with pytest.raises(SessionFrozen):
        do(rein, Blind(thing="b"), world)
    assert world.count("do") == 1


def test_a_journal_on_a_full_disk(tmp_path: Path, world: World) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/journal.db")
    with opened(engine, world, backoff=0.001) as rein:
        do(rein, Blind(thing="a"), world)
        with engine.connect() as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        engine.dispose()

        @event.listens_for(engine, "connect")
        def _limit(raw: Any, _: Any) -> None:
            raw.execute(f"PRAGMA max_page_count = {pages}")

        with pytest.raises((JournalError, InDoubt), match=r"full.*free some disk space"):
            for n in range(1000):
                do(rein, Keep(thing=f"t{n}", value="x" * 500), world)
        before = len(world.events("do"))
        with pytest.raises(JournalError, match=r"full.*free some disk space"):
            do(rein, Keep(thing="later", value="x" * 5000), world)
        assert len(world.events("do")) == before
        recorded = {action.args["thing"] for action in rein.actions(session=SESSION)}
        assert {name for _, name in world.events("do")} <= recorded
        assert rein.verify()
    engine.dispose()
