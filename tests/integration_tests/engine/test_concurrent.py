"""Many workers on one journal: one effect for one call, one undo for one effect."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from langchain_agentrein import Status
from tests.support.driving import SESSION, Elsewhere, act, do, opened, roll_back
from tests.support.world import Blind, Create, Put, World

THINGS = "abcd"
PUT = {"thing": "a", "fields": {"x": 1}}


def test_processes_with_one_call_have_one_effect(journal_url: str, world: World) -> None:
    world.set("wait", "before effect")
    others = [Elsewhere(act, journal_url, world.path, [(Blind, {"thing": "a"}, "k")], {}) for _ in range(3)]
    world.reached("before effect")
    world.set("wait", None)
    assert [other.ended() for other in others] == [0, 0, 0]
    assert world.count("do") == 1
    with opened(journal_url, world) as rein:
        [action] = rein.journal.calls("k")
        assert action.status is Status.EXECUTED


def test_processes_that_act_in_one_session_each_have_their_place(journal_url: str, world: World) -> None:
    ops = [[(Blind, {"thing": f"{n}-{m}"}, "") for m in range(5)] for n in range(3)]
    others = [Elsewhere(act, journal_url, world.path, some, {}) for some in ops]
    assert [other.ended() for other in others] == [0, 0, 0]
    with opened(journal_url, world) as rein:
        assert [action.seq for action in rein.actions(session=SESSION)] == list(range(1, 16))
        assert rein.verify()


@pytest.mark.parametrize("op", [Blind, Create])
def test_processes_that_roll_back_together_undo_each_once(
    journal_url: str, world: World, op: type[Blind | Create]
) -> None:
    with opened(journal_url, world) as rein:
        for thing in THINGS:
            do(rein, op(thing=thing), world)
    others = [Elsewhere(roll_back, journal_url, world.path, {"lease": 30}) for _ in range(4)]
    assert [other.ended() for other in others] == [0] * 4
    assert [name for _, name in world.events("undo")] == list(reversed(THINGS))
    with opened(journal_url, world) as rein:
        assert {action.status for action in rein.actions(session=SESSION)} <= {
            Status.RESTORED,
            Status.COMPENSATED,
        }
        assert rein.sessions()[0].status == "rolled_back"
        assert rein.verify()


def test_threads_that_roll_back_together_undo_each_once(journal_url: str, world: World) -> None:
    gate = threading.Barrier(4)
    errors: list[BaseException] = []

    def go() -> None:
        gate.wait()
        try:
            rein.rollback(session=SESSION)
        except BaseException as error:
            errors.append(error)

    with opened(journal_url, world, lease=30) as rein:
        for thing in THINGS:
            do(rein, Blind(thing=thing), world)
        threads = [threading.Thread(target=go) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    assert [name for _, name in world.events("undo")] == list(reversed(THINGS))


async def test_tasks_that_roll_back_together_undo_each_once(journal_url: str, world: World) -> None:
    with opened(journal_url, world, lease=30) as rein:
        for thing in THINGS:
            do(rein, Blind(thing=thing), world)
        await asyncio.gather(*(rein.arollback(session=SESSION) for _ in range(4)))
    assert [name for _, name in world.events("undo")] == list(reversed(THINGS))


def test_an_effect_that_races_a_rollback_is_refused_or_undone(journal_url: str, world: World) -> None:
    def go(n: int) -> None:
        try:
            do(rein, Create(thing=f"t{n}"), world)
        except Exception as error:
            refused.append(str(error))

    refused: list[str] = []
    with opened(journal_url, world) as rein:
        do(rein, Create(thing="first"), world)
        threads = [threading.Thread(target=go, args=(n,)) for n in range(6)]
        for thread in threads[:3]:
            thread.start()
        report = rein.rollback(session=SESSION)
        for thread in threads[3:]:
            thread.start()
        for thread in threads:
            thread.join()
        session = [action for action in rein.actions(session=SESSION) if action.status is Status.EXECUTED]
        assert session == [], "nothing ran on behind the rollback"
        assert report.complete
        assert all("takes no new actions" in text for text in refused)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_is_a_worker_of_its_own(journal_url: str, tmp_path: Path) -> None:
    world = World(tmp_path / "world.db")
    script = tmp_path / "fork.py"
    script.write_text(FORKING)
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, str(script), journal_url, str(world.path)],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert world.count("do") == 2
    with opened(journal_url, world) as rein:
        workers = {entry.worker for entry in rein.journal.entries([SESSION])}
        assert len(workers) == 2
        assert rein.verify()


FORKING = """
import os, sys
from tests.support.driving import do, opened
from tests.support.world import Blind, World

world = World(sys.argv[2])
rein = opened(sys.argv[1], world)
do(rein, Blind(thing="parent"), world)
child = os.fork()
if child == 0:
    try:
        do(rein, Blind(thing="child"), world)
        assert rein.core.keeper._thread is not None and rein.core.keeper._thread.is_alive()
    except BaseException:
        os._exit(1)
    os._exit(0)
_, status = os.waitpid(child, 0)
assert status == 0, status
rein.close()
"""


def test_a_late_worker_after_its_session_was_rolled_back(journal_url: str, world: World) -> None:
    """A worker is taken for dead, its action settled and its session rolled back, and then it goes on."""
    world.set("wait", "before effect")
    late = Elsewhere(act, journal_url, world.path, [(Put, PUT, "k")], {})
    world.reached("before effect")
    with opened(journal_url, world, drain_timeout=0.1) as rein:
        assert len(rein.rollback(session=SESSION)) == 0, "the probe says that nothing happened"
        world.set("wait", None)
        assert late.ended() == 0
        first, second = rein.journal.calls("k")
        assert (first.status, second.status) == (Status.FAILED, Status.EXECUTED)
        assert rein.sessions()[0].status == "stuck", "and a person is told that it did, after all"
        assert rein.rollback(session=SESSION).complete
    assert world.get("a") is None
