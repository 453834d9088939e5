"""One undo: exactly once, destroying nobody's work, ending as what it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from langchain_agentrein import (
    Action,
    AgentRein,
    Conflict,
    JournalUnavailable,
    Reversal,
    Risk,
    Status,
    Undone,
)
from langchain_agentrein.engine import Progress, compensate, step_back
from langchain_agentrein.errors import LostRace
from langchain_agentrein.flow import run
from tests.support.driving import SESSION, do, opened
from tests.support.world import Blind, Charge, Create, Keep, Put, Whole, World, WorldOperation


@contextmanager
def replaced(cls: type, hook: str, function: Any) -> Iterator[None]:
    original = getattr(cls, hook)
    setattr(cls, hook, function)
    try:
        yield
    finally:
        setattr(cls, hook, original)


def put(rein: AgentRein, world: World, op: type[Put] = Put) -> Action:
    """Set two of three fields of a thing: `x` and `y` change, `z` keeps its value."""
    world.put("a", {"x": 0, "y": 0, "z": 0, "other": 0})
    return do(rein, op(thing="a", fields={"x": 1, "y": 1, "z": 0}), world)


def change(world: World, **fields: Any) -> None:
    world.put("a", {**world.get("a"), **fields})


# -- whose state is it? --------------------------------------------------------------------------


def test_what_nobody_touched_is_restored_and_read_back(rein: AgentRein, world: World) -> None:
    put(rein, world)
    [line] = rein.rollback(session=SESSION)
    assert (line.outcome, line.residue) == ("restored", ())
    assert world.get("a") == {"x": 0, "y": 0, "z": 0, "other": 0}


def test_what_is_already_as_before_is_not_undone_again(rein: AgentRein, world: World) -> None:
    put(rein, world)
    change(world, x=0, y=0)
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "restored"
    assert world.count("undo") == 0


def test_a_foreign_edit_is_kept_and_the_rest_restored(rein: AgentRein, world: World) -> None:
    put(rein, world)
    change(world, x="theirs", other=5)
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "conflict"
    assert line.residue == ("kept x, which somebody changed since",)
    assert world.get("a") == {"x": "theirs", "y": 0, "z": 0, "other": 5}
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "conflict"
    assert world.count("undo") == 1, "what is left is a conflict, and nothing else"


def test_a_foreign_edit_of_a_field_that_the_action_left_alone_is_kept(rein: AgentRein, world: World) -> None:
    put(rein, world)
    change(world, z="theirs")
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "restored"
    assert world.get("a") == {"x": 0, "y": 0, "z": "theirs", "other": 0}


@pytest.mark.parametrize("theirs", [{"x": "theirs"}, {"z": "theirs"}])
def test_what_restores_all_or_nothing_restores_nothing_then(
    rein: AgentRein, world: World, theirs: dict[str, Any]
) -> None:
    put(rein, world, Whole)
    change(world, **theirs)
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "conflict"
    assert world.count("undo") == 0


def test_skip_leaves_what_others_changed(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, on_conflict="skip") as rein:
        put(rein, world)
        change(world, x="theirs")
        report = rein.rollback(session=SESSION)
        assert report.complete
        assert [line.outcome for line in report] == ["compensated"]
        assert world.get("a")["x"] == "theirs"
        assert world.get("a")["y"] == 0


def test_force_overwrites(rein: AgentRein, world: World) -> None:
    put(rein, world)
    change(world, x="theirs")
    [line] = rein.rollback(session=SESSION, on_conflict="force")
    assert line.outcome == "restored"
    assert world.get("a") == {"x": 0, "y": 0, "z": 0, "other": 0}


def test_a_thing_that_others_removed_is_a_conflict(rein: AgentRein, world: World) -> None:
    put(rein, world)
    world.put("a", None)
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "conflict"
    assert world.get("a") is None


def test_what_others_attached_to_a_created_thing_is_a_conflict(rein: AgentRein, world: World) -> None:
    do(rein, Create(thing="a"), world)
    world.put("a", {"children": ["comment 1"]})
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "conflict"
    assert line.error is not None
    assert "child comment 1" in line.error
    assert world.get("a") is not None
    [line] = rein.rollback(session=SESSION, on_conflict="skip")
    assert line.outcome == "compensated"
    assert world.get("a") is not None


def test_where_nobody_looked_nobody_can_tell(rein: AgentRein, world: World) -> None:
    world.put("a", {"value": 0})
    world.set("fail observe", 1)
    with replaced(Put, "expect", lambda self, action: None):
        action = do(rein, Put(thing="a", fields={"x": 1}), world)
    assert not rein.journal.get(action.id).seen
    world.put("a", None)
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "conflict", "not looked is not 'nothing was there'"
    assert world.get("a") is None


@pytest.mark.parametrize(
    ("was", "value"), [(float("nan"), 1), (1, float("nan")), (1, True), (True, 1), (0, False)]
)
def test_values_that_only_look_alike(rein: AgentRein, world: World, was: Any, value: Any) -> None:
    world.put("a", was)
    do(rein, Keep(thing="a", value=value), world)
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "restored"
    assert world.count("undo") == 1
    assert type(world.get("a")) is type(was)


# -- exactly once --------------------------------------------------------------------------------


def test_a_journal_that_fails_after_the_undo_does_not_undo_twice(rein: AgentRein, world: World) -> None:
    do(rein, Blind(thing="a"), world)
    move, failures = rein.journal.move, 2

    def flaky(action: Action, to: Status, **changes: Any) -> Action:
        nonlocal failures
        if action.status is Status.COMPENSATING and failures:
            failures -= 1
            raise JournalUnavailable("locked")
        return move(action, to, **changes)

    rein.journal.move = flaky  # type: ignore[method-assign]
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "compensated"
    assert world.count("undo") == 1


def test_an_undo_that_cannot_be_read_back_is_not_done_twice(rein: AgentRein, world: World) -> None:
    put(rein, world)
    look, looks = Put._look, 0

    def lagging(self: Any, api: Any) -> Any:
        nonlocal looks
        looks += 1
        return {"x": 1, "y": 1, "z": 0} if looks < 4 else look(self, api)

    with replaced(Put, "_look", lagging):
        [line] = rein.rollback(session=SESSION)
    assert line.outcome == "restored"
    assert world.count("undo") == 1


def test_an_undo_whose_reply_is_lost_is_not_done_twice(rein: AgentRein, world: World) -> None:
    put(rein, world)
    do(rein, Blind(thing="b"), world)
    world.set("lose undo's reply", 1)
    [line, below] = rein.rollback(session=SESSION)
    assert (line.outcome, below.outcome) == ("stuck", "waiting"), "nobody can look: a person's"
    assert line.error is not None and "may have happened (TimeoutError" in line.error
    assert world.count("undo", "b") == 1

    rein.rollback(session=SESSION)
    assert world.count("undo", "b") == 1, "nobody said that it did not happen"
    rein.rollback(session=SESSION, approve=[line.action_id], by="ana")
    assert world.count("undo", "b") == 2


def test_an_undo_whose_reply_is_lost_is_looked_at(rein: AgentRein, world: World) -> None:
    put(rein, world)
    world.set("lose undo's reply", 1)
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "restored"
    assert world.count("undo") == 1


class Told(Put):
    """As `Put`, and what stays is named."""

    name, reversal = "world.told", Reversal.COMPENSATING

    def _unhappen(self, api: Any, action: Action) -> Any:
        super()._unhappen(api, action)
        return ["the log has both"]


def test_what_a_lost_reply_would_have_named_is_not_passed_over(rein: AgentRein, world: World) -> None:
    put(rein, world, Told)
    world.set("lose undo's reply", 1)
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "compensated"
    [said] = line.residue
    assert said.startswith("it is as before, after a try that broke off (TimeoutError")
    assert said.endswith("what else stays is not known")


def test_an_undo_that_never_reads_back_is_stuck(rein: AgentRein, world: World) -> None:
    put(rein, world)
    with replaced(Put, "_unhappen", lambda self, api, action: None):
        [line] = rein.rollback(session=SESSION)
    assert line.outcome == "stuck"
    assert line.error is not None
    assert "could not be read back" in line.error
    assert world.count("undo") == 1


def test_a_claim_of_a_living_worker_is_respected(rein: AgentRein, world: World) -> None:
    action = do(rein, Blind(thing="a"), world)
    claimed = rein.journal.move(action, Status.COMPENSATING, hold=60)
    with pytest.raises(LostRace, match="held by"):
        run(compensate(rein.core, claimed))
    with pytest.raises(LostRace):
        run(compensate(rein.core, action))
    assert world.count("undo") == 0


def test_a_lapsed_claim_is_taken_over_and_its_late_finisher_is_fenced(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world) as first, opened(sqlite_url, world) as second:
        action = do(first, Put(thing="a", fields={"x": 1}), world)
        stale = first.journal.move(action, Status.COMPENSATING, hold=0)
        [line] = second.rollback(session=SESSION)
        assert line.outcome == "restored"
        with pytest.raises(LostRace):
            first.journal.move(stale, Status.STUCK)
        assert world.count("undo") == 1


def test_a_worker_that_lost_its_claim_before_the_undo_does_not_undo(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world) as first, opened(sqlite_url, world) as second:
        put(first, world)
        attached = Put.attached

        def overtaken(self: Any, api: Any, action: Action) -> Any:
            if action.held_by == first.journal.worker:
                first.journal.release(action)
                second.rollback(session=SESSION)
            return attached(self, api, action)

        with replaced(Put, "attached", overtaken):
            [line] = first.rollback(session=SESSION)
        assert line.outcome == "restored"
        assert world.count("undo") == 1


def test_an_undo_that_nobody_can_look_at_is_not_repeated_after_a_crash(rein: AgentRein, world: World) -> None:
    action = do(rein, Blind(thing="a"), world)
    rein.journal.move(action, Status.COMPENSATING, hold=0)
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "stuck"
    assert line.error is not None
    assert "a worker died while it undid this" in line.error
    assert world.count("undo") == 0


def test_a_repeatable_undo_is_repeated_after_a_crash(
    rein: AgentRein, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Blind, "repeatable", True)
    action = do(rein, Blind(thing="a"), world)
    rein.journal.move(action, Status.COMPENSATING, hold=0)
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "compensated"
    assert world.count("undo") == 1


def test_an_interrupted_undo_lets_go_of_its_claim(rein: AgentRein, world: World) -> None:
    put(rein, world)

    def interrupted(self: Any, api: Any, action: Action) -> Any:
        raise KeyboardInterrupt

    with replaced(Put, "_unhappen", interrupted), pytest.raises(KeyboardInterrupt):
        rein.rollback(session=SESSION)
    [action] = rein.actions(session=SESSION)
    assert action.status is Status.COMPENSATING
    assert len(rein.recover()) == 1, "nobody has to wait for the lease"
    assert world.get("a")["x"] == 0


def test_an_undo_that_loses_a_race_of_its_own_does_not_go_round_for_ever(
    rein: AgentRein, world: World
) -> None:
    do(rein, Blind(thing="a"), world)

    def races(self: Any, api: Any, action: Action) -> Any:
        raise LostRace("act_other", "executed", "compensating")

    with replaced(Blind, "_unhappen", races):
        [line] = rein.rollback(session=SESSION)
    assert line.outcome == "stuck"


def test_a_walk_stops_above_what_another_worker_still_undoes(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, lease=0.2, drain_timeout=0.2) as rein:
        action = do(rein, Blind(thing="a"), world)
        rein.journal.move(action, Status.COMPENSATING, hold=60)
        progress = Progress()
        line = run(step_back(rein.core, rein.journal.get(action.id), progress))
        assert line.outcome == "compensating"
        assert progress.stopped


# -- honest outcomes -----------------------------------------------------------------------------


class Exact(WorldOperation):
    """Promises an exact undo, and cannot be looked at."""

    name, risk, reversal = "world.exact", Risk.LOW, Reversal.EXACT


def test_nothing_is_called_restored_without_being_read_back(rein: AgentRein, world: World) -> None:
    do(rein, Exact(thing="a"), world)
    [line] = rein.rollback(session=SESSION)
    assert line.outcome == "compensated"
    assert line.residue == ("not read back: the operation has no `observe`",)


def test_residue_is_named_and_is_not_a_restoration(rein: AgentRein, world: World) -> None:
    put(rein, world)
    unhappen = Put._unhappen

    def leaves_traces(self: Any, api: Any, action: Action) -> Any:
        unhappen(self, api, action)
        return ["a trigger wrote 3 audit rows"]

    with replaced(Put, "_unhappen", leaves_traces):
        [line] = rein.rollback(session=SESSION)
    assert (line.outcome, line.residue) == ("compensated", ("a trigger wrote 3 audit rows",))


def test_an_unfinished_undo_is_a_persons(rein: AgentRein, world: World) -> None:
    do(rein, Blind(thing="a"), world)
    with replaced(Blind, "_unhappen", lambda *_: Undone(("half of it",), unfinished="close it by hand")):
        [line] = rein.rollback(session=SESSION)
    assert (line.outcome, line.error, line.residue) == ("stuck", "close it by hand", ("half of it",))

    [line] = rein.rollback(session=SESSION)
    assert (line.outcome, line.error) == ("compensated", None), "looked at again, once they have done it"


def test_an_undo_may_say_that_it_is_a_conflict(rein: AgentRein, world: World) -> None:
    do(rein, Blind(thing="a"), world)

    def conflict(*_: Any) -> Any:
        raise Conflict("it was merged", ["by bo"])

    with replaced(Blind, "_unhappen", conflict):
        [line] = rein.rollback(session=SESSION)
    assert (line.outcome, line.error) == ("conflict", "it was merged; by bo")


def test_the_attempts_are_counted_and_the_cause_is_kept(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world) as rein:
        do(rein, Blind(thing="a"), world)
        world.set("fail undo", 3)
        rein.rollback(session=SESSION, reason="wrong list", by="ana")
        rein.rollback(session=SESSION)
        [action] = rein.actions(session=SESSION)
        assert action.undo.attempts == 2
        assert action.undo.outcome == "compensated"
        assert action.undo.error is None
        assert action.undone_at is not None


def test_what_was_forgotten_cannot_be_undone_and_says_so(rein: AgentRein, world: World) -> None:
    action = do(rein, Blind(thing="a"), world)
    world.set("fail undo", 3)
    rein.rollback(session=SESSION)
    rein.forget(session=SESSION, by="dpo")
    [line] = rein.plan(session=SESSION)
    assert line.verdict == "irreversible"
    [done] = rein.rollback(session=SESSION)
    assert (done.outcome, done.residue) == ("irreversible", ("what its undo needs was forgotten",))
    assert rein.journal.get(action.id).args is None
    assert rein.verify()


def test_an_undo_without_approval_waits(rein: AgentRein, world: World) -> None:
    action = do(rein, Charge(thing="a"), world)
    waiting = run(compensate(rein.core, action))
    assert waiting.status is Status.STUCK
    assert waiting.undo.error == "awaiting approval: its undo moves money"
    done = run(compensate(rein.core, waiting, approved_by="ana"))
    assert (done.status, done.undo.residue) == (Status.COMPENSATED, ("the fee stays",))
