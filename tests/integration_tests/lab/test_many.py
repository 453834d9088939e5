"""Many workers on one journal, some of which die; and `agentrein recover --watch` beside them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from langchain_agentrein import ApprovalRule, Status
from langchain_agentrein.action import SessionStatus
from langchain_agentrein.engine import complete
from langchain_agentrein.errors import AgentReinError
from langchain_agentrein.flow import run
from tests.support.driving import SESSION, Elsewhere, do, opened
from tests.support.world import Create, Put, World

ROOT = Path(__file__).parents[3]
SESSIONS = [f"ses_{n}" for n in range(3)]
LEASE = 1.0


def hustle(url: str, path: Any, seed: int) -> None:
    """In a process of its own: do, recover and roll back what all the others do, recover and roll back."""
    world, rnd = World(path), random.Random(seed)
    with opened(url, world, lease=LEASE) as rein:
        for _ in range(3):
            for session in rnd.sample(SESSIONS, len(SESSIONS)):
                for call in "xyz":
                    op = Create if call == "x" else Put
                    args: dict[str, Any] = {"thing": f"{session}-{call}"}
                    args |= {} if op is Create else {"fields": {"n": 1}}
                    try:
                        do(rein, op.from_args(args), world, session, key=f"{session}-{call}")
                    except AgentReinError:
                        continue  # it is being rolled back, or is another one's
                try:
                    rein.recover() if rnd.random() < 0.5 else rein.rollback(session=session)
                except AgentReinError:
                    continue


def test_eight_processes_run_recover_and_roll_back_the_same_sessions(
    postgres_database: str, world: World
) -> None:
    with opened(postgres_database, world):
        """The tables are there before they all come."""
    workers = [Elsewhere(hustle, postgres_database, world.path, seed) for seed in range(8)]
    time.sleep(1.5)
    for doomed in workers[:2]:
        doomed.kill()
    assert {worker.ended(timeout=100) for worker in workers[2:]} == {0}
    with opened(postgres_database, world, lease=LEASE) as rein:
        time.sleep(LEASE)
        rein.recover()
        for known in rein.sessions():
            rein.rollback(session=known.id)
        assert rein.verify().ok
        sessions = [known.id for known in rein.sessions()]
        found = rein.journal.actions(sessions)
        assert not {Status.EXECUTING, Status.COMPENSATING, Status.EXECUTED} & {one.status for one in found}
    sent = world.sent()
    assert len(sent) == len(set(sent)), "one effect for each call and generation"
    for thing in {name for _, name in world.events()}:
        kinds = [what for what, name in world.events() if name == thing]
        assert kinds == ["do", "undo"] * (len(kinds) // 2), f"{thing}: done, undone, done, undone: {kinds}"


def watching(url: str, module: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "langchain_agentrein",
            "--app",
            "watched:rein",
            "recover",
            "--watch",
            *options,
        ],
        cwd=module,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{module}", "JOURNAL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


WATCHED = """
import os
from tests.support.driving import opened
from tests.support.world import World

rein = opened(os.environ["JOURNAL"], World({path!r}), attempts=1)
"""


def heard(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdout is not None
    told = ""
    for line in process.stdout:
        told += line
        if word in told:
            return told
    raise AssertionError(f"it ended without a word of {word!r}: {told}")


def test_watchers_finish_what_dies_and_name_what_they_give_up(
    postgres_database: str, world: World, tmp_path: Path
) -> None:
    (tmp_path / "watched.py").write_text(WATCHED.format(path=str(world.path)))
    world.set("fail undo", 100)
    with opened(postgres_database, world, attempts=1) as rein:
        do(rein, Create(thing="a"), world)
        rein.rollback(session=SESSION)
        [poison] = rein.actions(session=SESSION)
        assert poison.status is Status.STUCK
        options = ["--every", "0.1", "--retries", "2", "--pause", "0.05"]
        watchers = [watching(postgres_database, tmp_path, *options) for _ in range(2)]
        try:
            for watcher in watchers:
                assert poison.id[:12] in heard(watcher, "left to a person")
            time.sleep(0.5)
            tried = rein.journal.get(poison.id).undo.attempts
            assert 3 <= tried <= 5, (
                "the first time, and twice again; once more for each that came at the same moment"
            )
            time.sleep(0.5)
            assert rein.journal.get(poison.id).undo.attempts == tried, "and then never"
            world.set("fail undo", 0)
            assert rein.rollback(session=SESSION).complete, "a person can"
        finally:
            for watcher in watchers:
                watcher.send_signal(signal.SIGTERM)
            ended = [watcher.wait(timeout=30) for watcher in watchers]
            for watcher in watchers:
                assert watcher.stdout is not None
                watcher.stdout.close()
        assert ended == [0, 0]
        assert rein.sessions()[0].status is SessionStatus.ROLLED_BACK
    assert world.count("undo", "a") == 1


def test_a_watcher_does_what_is_due_once_and_names_what_it_cannot(
    postgres_database: str, world: World, tmp_path: Path
) -> None:
    (tmp_path / "watched.py").write_text(WATCHED.format(path=str(world.path)))
    rules = [ApprovalRule("world.*", "hold", release_after=0.3)]
    with opened(postgres_database, world, rules=rules) as rein:
        due = do(rein, Create(thing="a"), world)
        foreign = do(rein, Create(thing="b"), World(world.path, account="other"))
        run(complete(rein.core, SESSION))
        watcher = watching(postgres_database, tmp_path, "--every", "0.1")
        try:
            assert foreign.id in heard(watcher, "left to a person")
            while rein.action(due.id).status is not Status.EXECUTED:
                time.sleep(0.02)
        finally:
            watcher.terminate()
            watcher.communicate(timeout=30)
        assert rein.action(foreign.id).status is Status.HELD
    assert world.events("do") == [("do", "a")]
