"""kill -9 at every point: nothing is lost, nothing is done twice, and `recover` finishes it."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from langchain_agentrein import AgentRein, InDoubt, Status
from langchain_agentrein.action import SessionStatus
from tests.support.driving import SESSION, Elsewhere, act, do, opened, performed, recover, roll_back
from tests.support.world import Blind, Charge, Create, Put, World

KILLED = -9


def rolled_back(url: str, path: Any, options: dict[str, Any], scope: dict[str, Any]) -> None:
    """In a process of its own: roll a part of the session back."""
    world = World(path)
    with opened(url, world, **options) as rein:
        rein.rollback(session=SESSION, **scope)


def kill_in_journal(url: str, path: Any, hook: str) -> None:
    """In a process of its own: act, and die just before or just after the journal's `hook`."""
    world = World(path)
    with opened(url, world) as rein:
        when, name = hook.split()
        original = getattr(rein.journal, name)

        def fatal(*args: Any, **options: Any) -> Any:
            if when == "after":
                original(*args, **options)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(rein.journal, name, fatal)
        do(rein, Put(thing="a", fields={"x": 1}), world, key="k")


@pytest.mark.parametrize(
    ("moment", "effects", "recovered"),
    [
        ("before begin", 0, None),
        ("after begin", 0, Status.FAILED),
        ("before effect", 0, Status.FAILED),
        ("after effect", 1, Status.EXECUTED),
        ("before move", 1, Status.EXECUTED),
        ("after move", 1, Status.EXECUTED),
    ],
)
def test_killed_on_the_way_forward(
    journal_url: str, world: World, moment: str, effects: int, recovered: Status | None
) -> None:
    if moment.endswith("effect"):
        world.set("kill", moment)
        dead = Elsewhere(act, journal_url, world.path, [(Put, {"thing": "a", "fields": {"x": 1}}, "k")], {})
    else:
        dead = Elsewhere(kill_in_journal, journal_url, world.path, moment)
    assert dead.ended() == KILLED
    assert world.count("do") == effects
    with opened(journal_url, world) as rein:
        rein.recover()
        assert [action.status for action in rein.journal.calls("k")] == ([recovered] if recovered else [])
        done = performed(rein, Put(thing="a", fields={"x": 1}), world, key="k")
        assert done.replayed is (recovered is Status.EXECUTED)
        assert world.count("do") == 1, "the call is made again, and has had one effect"
        assert rein.rollback(session=SESSION).complete
        assert world.get("a") is None
        assert rein.verify()


def test_a_rerun_settles_by_itself_what_a_dead_worker_left(journal_url: str, world: World) -> None:
    world.set("kill", "after effect")
    dead = Elsewhere(act, journal_url, world.path, [(Put, {"thing": "a", "fields": {"x": 1}}, "k")], {})
    assert dead.ended() == KILLED
    with opened(journal_url, world) as rein:
        assert performed(rein, Put(thing="a", fields={"x": 1}), world, key="k").replayed
    assert world.count("do") == 1


def test_what_no_probe_can_find_goes_to_a_person(journal_url: str, world: World) -> None:
    world.set("kill", "after effect")
    assert Elsewhere(act, journal_url, world.path, [(Blind, {"thing": "a"}, "k")], {}).ended() == KILLED
    with opened(journal_url, world) as rein:
        with pytest.raises(InDoubt):
            do(rein, Blind(thing="a"), world, key="k")
        [action] = rein.actions(session=SESSION)
        assert action.status is Status.IN_DOUBT
        assert action.error["type"] == "WorkerLost"
        rein.approve(action.id, by="ana")
        assert rein.rollback(session=SESSION).complete
    assert world.events() == [("do", "a"), ("undo", "a")]


def prepared(url: str, world: World, *ops: Any) -> list[str]:
    with opened(url, world) as rein:
        return [do(rein, op, world).id for op in ops]


def status(rein: AgentRein) -> SessionStatus:
    known = rein.journal.session(SESSION)
    assert known is not None
    return known.status


@pytest.mark.parametrize("moment", ["before undo", "after undo"])
def test_killed_in_the_middle_of_an_undo(journal_url: str, world: World, moment: str) -> None:
    prepared(journal_url, world, *(Put(thing=thing, fields={"x": 1}) for thing in "abc"))
    world.set("kill", moment)
    assert Elsewhere(roll_back, journal_url, world.path, {}).ended() == KILLED
    with opened(journal_url, world) as rein:
        assert status(rein) is SessionStatus.ROLLING_BACK
        rein.recover()
        assert status(rein) is SessionStatus.ROLLED_BACK
        assert [action.status for action in rein.actions(session=SESSION)] == [Status.RESTORED] * 3
    assert [name for _, name in world.events("undo")] == ["c", "b", "a"]


@pytest.mark.parametrize(("moment", "undos"), [("before undo", 0), ("after undo", 1)])
def test_killed_in_the_middle_of_an_undo_that_nobody_can_look_at(
    journal_url: str, world: World, moment: str, undos: int
) -> None:
    prepared(journal_url, world, Blind(thing="a"))
    world.set("kill", moment)
    assert Elsewhere(roll_back, journal_url, world.path, {}).ended() == KILLED
    with opened(journal_url, world) as rein:
        [line] = rein.recover()
        assert line.outcome == "stuck"
        assert status(rein) is SessionStatus.STUCK
        [again] = rein.rollback(session=SESSION)
        assert again.outcome == "stuck", "nor because somebody rolls back again"
        assert world.count("undo") == undos, "not twice, and not by guessing"
        rein.approve(line.action_id, by="ana")
        assert rein.rollback(session=SESSION).complete
    assert world.count("undo") == undos + 1, "a person said so"


def test_recover_finishes_a_part_and_no_more(journal_url: str, world: World) -> None:
    ids = prepared(journal_url, world, *(Create(thing=thing) for thing in "abcd"))
    world.set("kill", "before undo")
    scope = {"only": [ids[1], ids[2]], "reason": "wrong list", "by": "ana"}
    assert Elsewhere(rolled_back, journal_url, world.path, {}, scope).ended() == KILLED
    with opened(journal_url, world) as rein:
        report = rein.recover()
        assert [line.action_id for line in report] == [ids[2], ids[1]]
        assert {line.cause for line in report} <= {"ana rolled it back: wrong list", "wrong list"}
        assert status(rein) is SessionStatus.OPEN, "after a part of it, it is what it was"
    assert [name for _, name in world.events("undo")] == ["c", "b"]


def test_recover_finishes_a_part_of_several_sessions(journal_url: str, world: World) -> None:
    with opened(journal_url, world) as rein:
        ids = [do(rein, Create(thing=thing), world, f"ses_{thing}").id for thing in "abc"]
    world.set("kill", "before undo")
    assert Elsewhere(thread_back, journal_url, world.path, ids[0]).ended() == KILLED
    with opened(journal_url, world) as rein:
        assert rein.recover().complete
        assert {one.status for one in rein.sessions()} == {SessionStatus.OPEN}
    assert [name for _, name in world.events("undo")] == ["c", "b"]


def thread_back(url: str, path: Any, to: str) -> None:
    """In a process of its own: roll every session of the thread back, to an action."""
    world = World(path)
    with opened(url, world) as rein:
        rein.rollback(thread="thread", all_sessions=True, to=to)


def test_a_smaller_rollback_does_not_make_a_greater_one_forgotten(journal_url: str, world: World) -> None:
    ids = prepared(journal_url, world, *(Create(thing=thing) for thing in "abc"))
    world.set("kill", "before undo")
    assert Elsewhere(roll_back, journal_url, world.path, {}).ended() == KILLED
    with opened(journal_url, world) as rein:
        rein.rollback(session=SESSION, only=[ids[0]])
        assert status(rein) is SessionStatus.ROLLING_BACK
        rein.recover()
        assert status(rein) is SessionStatus.ROLLED_BACK
    assert sorted(name for _, name in world.events("undo")) == ["a", "b", "c"]


def test_an_approval_of_the_plan_survives_the_crash(journal_url: str, world: World) -> None:
    ids = prepared(journal_url, world, Charge(thing="a"), Create(thing="b"))
    world.set("kill", "before undo")
    scope = {"approve": [ids[0]], "by": "ana"}
    assert Elsewhere(rolled_back, journal_url, world.path, {}, scope).ended() == KILLED
    with opened(journal_url, world) as rein:
        assert rein.recover().complete
        assert rein.journal.get(ids[0]).undo.approved_by == "ana"
    assert world.count("undo", "a") == 1


def test_what_a_living_worker_does_is_left_alone(journal_url: str, world: World) -> None:
    world.set("wait", "before effect")
    alive = Elsewhere(act, journal_url, world.path, [(Blind, {"thing": "a"}, "k")], {})
    world.reached("before effect")
    with opened(journal_url, world) as rein:
        assert len(rein.recover()) == 0
        [action] = rein.actions(session=SESSION)
        assert action.status is Status.EXECUTING
        world.set("wait", None)
        assert alive.ended() == 0
        assert performed(rein, Blind(thing="a"), world, key="k").replayed
    assert world.count("do") == 1


def test_a_worker_keeps_its_lease_however_long_it_takes(journal_url: str, world: World) -> None:
    world.set("wait", "before effect")
    alive = Elsewhere(act, journal_url, world.path, [(Blind, {"thing": "a"}, "k")], {"lease": 0.3})
    world.reached("before effect")
    with opened(journal_url, world) as rein:
        [first] = rein.actions(session=SESSION)
        time.sleep(0.7)
        [later] = rein.actions(session=SESSION)
        assert first.held_until is not None
        assert later.held_until is not None
        assert later.held_until > first.held_until
        assert len(rein.recover()) == 0
    world.set("wait", None)
    assert alive.ended() == 0


def test_recover_twice_does_nothing_the_second_time(journal_url: str, world: World) -> None:
    prepared(journal_url, world, Create(thing="a"))
    world.set("kill", "before undo")
    assert Elsewhere(roll_back, journal_url, world.path, {}).ended() == KILLED
    assert Elsewhere(recover, journal_url, world.path, {}).ended() == 0
    with opened(journal_url, world) as rein:
        assert len(rein.recover()) == 0
    assert world.count("undo") == 1
