"""What is held is done at most once: killed at every boundary of its release, raced by others, met by a rollback."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import pytest

from langchain_agentrein import AgentRein, ApprovalRule, ConfigError, Status
from langchain_agentrein.action import Action, SessionStatus
from langchain_agentrein.engine import complete
from langchain_agentrein.flow import run
from tests.support.driving import SESSION, Elsewhere, do, opened
from tests.support.world import Put, World

KILLED = -9
HOLD = [ApprovalRule("world.*", "hold")]


def holding(url: str, world: World, *things: str) -> list[Action]:
    with opened(url, world, rules=HOLD) as rein:
        return [do(rein, Put(thing=thing, fields={"x": 1}), world, key=thing) for thing in things]


def completing(url: str, path: Any, moment: str) -> None:
    """In a process of its own: complete the session, and die before or after the journal does something for the nth time."""
    with opened(url, World(path)) as rein:
        if moment:
            when, name, nth = moment.split()
            fatal(rein, when, name, int(nth))
        run(complete(rein.core, SESSION))


def fatal(rein: AgentRein, when: str, name: str, nth: int) -> None:
    original, times = getattr(rein.journal, name), iter(range(1, 100))

    def deadly(*args: Any, **options: Any) -> Any:
        here = next(times) == nth
        if here and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        told = original(*args, **options)
        if here:
            os.kill(os.getpid(), signal.SIGKILL)
        return told

    setattr(rein.journal, name, deadly)


def status(rein: AgentRein) -> SessionStatus:
    known = rein.journal.session(SESSION)
    assert known is not None
    return known.status


KILLS = [
    ("before set_session 1", Status.HELD, Status.HELD),
    ("after set_session 1", Status.HELD, Status.EXECUTED),
    ("after on_hold 1", Status.HELD, Status.EXECUTED),
    ("before move 1", Status.HELD, Status.EXECUTED),
    ("after move 1", Status.APPROVED, Status.EXECUTED),
    ("before move 2", Status.APPROVED, Status.EXECUTED),
    ("after move 2", Status.EXECUTING, Status.FAILED),
    ("before effect", Status.EXECUTING, Status.FAILED),
    ("after effect", Status.EXECUTING, Status.EXECUTED),
    ("before move 3", Status.EXECUTING, Status.EXECUTED),
    ("after move 3", Status.EXECUTED, Status.EXECUTED),
]
ON_POSTGRES = {"after set_session 1", "after move 1", "after move 2", "after effect"}


@pytest.mark.parametrize(("moment", "left", "recovered"), KILLS)
def test_killed_at_every_boundary_of_a_release(
    sqlite_url: str, world: World, moment: str, left: Status, recovered: Status
) -> None:
    killed(sqlite_url, world, moment, left, recovered)


@pytest.mark.parametrize(("moment", "left", "recovered"), [one for one in KILLS if one[0] in ON_POSTGRES])
def test_killed_on_postgres(
    postgres_database: str, world: World, moment: str, left: Status, recovered: Status
) -> None:
    killed(postgres_database, world, moment, left, recovered)


def killed(journal_url: str, world: World, moment: str, left: Status, recovered: Status) -> None:
    [held] = holding(journal_url, world, "a")
    if moment.endswith("effect"):
        world.set("kill", moment)
    dead = Elsewhere(completing, journal_url, world.path, "" if moment.endswith("effect") else moment)
    assert dead.ended() == KILLED
    with opened(journal_url, world) as rein:
        assert rein.action(held.id).status is left
        rein.recover()
        assert rein.action(held.id).status is recovered
        run(complete(rein.core, SESSION))
        rein.recover()
        done = rein.action(held.id)
        assert done.status is (Status.EXECUTED if recovered is Status.HELD else recovered)
        assert world.count("do") == (done.status is Status.EXECUTED)
        assert status(rein) is SessionStatus.COMPLETED
        assert rein.rollback(session=SESSION).complete
        assert world.get("a") is None
        assert rein.verify()


def meeting(url: str, path: Any) -> None:
    """In a process of its own: recover, and claim what is due only once another process is about to, too."""
    world = World(path)
    with opened(url, world) as rein:
        original = rein.journal.move

        def move(action: Action, to: Status, **options: Any) -> Any:
            if to is Status.APPROVED:
                world.log("here", action.id)
                deadline = time.monotonic() + 20
                while world.count("here", action.id) < 2 and time.monotonic() < deadline:
                    time.sleep(0.005)
            return original(action, to, **options)

        rein.journal.move = move  # type: ignore[method-assign]
        rein.recover()


def test_two_processes_that_release_at_once_do_it_once(journal_url: str, world: World) -> None:
    [held] = holding(journal_url, world, "a")
    with opened(journal_url, world) as rein:
        rein.journal.set_session(SESSION, SessionStatus.COMPLETED)
    others = [Elsewhere(meeting, journal_url, world.path) for _ in range(2)]
    assert [other.ended() for other in others] == [0, 0]
    assert world.count("here", held.id) == 2
    assert world.count("do") == 1
    with opened(journal_url, world) as rein:
        assert rein.action(held.id).status is Status.EXECUTED
        assert rein.verify()


@pytest.mark.parametrize("step", [Status.APPROVED, Status.EXECUTING])
def test_a_rollback_that_comes_before_the_effect_leaves_none(
    journal_url: str, world: World, step: Status
) -> None:
    [held] = holding(journal_url, world, "a")
    with opened(journal_url, world) as rein, opened(journal_url, world) as other:
        original = rein.journal.move

        def move(action: Action, to: Status, **options: Any) -> Any:
            if to is step:
                report = other.rollback(session=SESSION)
                assert report.complete, report  # nothing of it is left for a person
            return original(action, to, **options)

        rein.journal.move = move  # type: ignore[method-assign]
        run(complete(rein.core, SESSION))
        ended = rein.action(held.id).status
        assert ended is (Status.DROPPED if step is Status.APPROVED else Status.EXPIRED)
        assert status(rein) is SessionStatus.ROLLED_BACK
        rein.recover()
        assert rein.verify()
    assert world.events() == []


@pytest.mark.parametrize("step", [Status.APPROVED, Status.EXECUTING])
def test_from_the_freeze_on_nothing_is_released(journal_url: str, world: World, step: Status) -> None:
    """A rollback that has frozen the session, and has not dropped anything yet."""
    [held] = holding(journal_url, world, "a")
    with opened(journal_url, world) as rein:
        original = rein.journal.move

        def move(action: Action, to: Status, **options: Any) -> Any:
            if to is step:
                rein.journal.set_session(SESSION, SessionStatus.ROLLING_BACK)
            return original(action, to, **options)

        rein.journal.move = move  # type: ignore[method-assign]
        with pytest.raises(ConfigError, match="its session is being rolled back"):
            rein.release(held.id, by="ana")
        assert rein.action(held.id).status is (Status.HELD if step is Status.APPROVED else Status.APPROVED)
        rein.recover()
        assert status(rein) is SessionStatus.ROLLED_BACK
        assert rein.held() == []
    assert world.events() == []


def test_a_rollback_waits_for_a_release_under_way(journal_url: str, world: World) -> None:
    [held] = holding(journal_url, world, "a")
    world.set("wait", "before effect")
    with opened(journal_url, world) as rein, opened(journal_url, world) as other:
        releasing = threading.Thread(target=lambda: run(complete(rein.core, SESSION)))
        releasing.start()
        world.reached("before effect")
        rolling = threading.Thread(target=lambda: other.rollback(session=SESSION))
        rolling.start()
        while status(other) is not SessionStatus.ROLLING_BACK:
            time.sleep(0.005)
        world.set("wait", None)
        for thread in (releasing, rolling):
            thread.join(20)
        assert rein.action(held.id).status is Status.RESTORED
        assert status(rein) is SessionStatus.ROLLED_BACK
    assert world.events("do") == [("do", "a")]
    assert world.events("undo") == [("undo", "a")]


def test_a_release_under_way_is_nobody_elses_to_settle(sqlite_url: str, world: World) -> None:
    [held] = holding(sqlite_url, world, "a")
    world.set("wait", "before effect")
    with opened(sqlite_url, world) as rein, opened(sqlite_url, world) as other:
        releasing = threading.Thread(target=lambda: run(complete(rein.core, SESSION)))
        releasing.start()
        world.reached("before effect")
        other.recover()
        under_way = other.action(held.id).status
        world.set("wait", None)
        releasing.join(20)
        assert under_way is Status.EXECUTING
        assert rein.action(held.id).status is Status.EXECUTED
    assert world.events("do") == [("do", "a")]


def test_a_person_and_the_completion_release_it_once(journal_url: str, world: World) -> None:
    held = holding(journal_url, world, *"abc")
    with opened(journal_url, world) as rein, opened(journal_url, world) as other:
        gate, errors = threading.Barrier(2), []

        def person() -> None:
            gate.wait()
            for action in held:
                try:
                    other.release(action.id, by="ana")
                except Exception as error:
                    errors.append(error)

        thread = threading.Thread(target=person)
        thread.start()
        gate.wait()
        run(complete(rein.core, SESSION))
        thread.join(20)
        assert all("it is not held" in str(error) for error in errors), errors
        rein.recover()
        assert {rein.action(action.id).status for action in held} == {Status.EXECUTED}
    assert sorted(name for _, name in world.events("do")) == list("abc")
