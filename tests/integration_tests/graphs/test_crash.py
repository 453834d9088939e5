"""An agent whose process is killed: at most one effect forward, exactly one undo back, nothing lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from langchain_agentrein import AgentRein, Status

ROOT = Path(__file__).parents[3]


class Crashing:
    """Runs the crashing agent in `directory`."""

    def __init__(self, directory: Path, **plan: Any) -> None:
        self.directory = directory
        (directory / "plan.json").write_text(json.dumps({"durability": "sync", **plan}))

    def start(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tests.support.crashing_agent", str(self.directory), *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def dies(self, *arguments: str) -> None:
        done = self.start(*arguments)
        assert done.returncode == -signal.SIGKILL, done.stderr

    def ends(self, *arguments: str) -> dict[str, Any]:
        done = self.start(*arguments)
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    @property
    def world(self) -> list[str]:
        return (self.directory / "world.log").read_text().splitlines()

    def statuses(self) -> list[Status]:
        with AgentRein(f"sqlite:///{self.directory}/journal.db") as rein:
            assert rein.verify().ok
            return [action.status for action in rein.actions(thread="crash")]


def test_a_kill_after_the_effect_is_found_by_the_probe(tmp_path: Path) -> None:
    agent = Crashing(tmp_path, kill="after effect")
    agent.dies("run")

    told = agent.ends("resume")

    assert told == {"asked": [], "last": "all booked"}
    assert agent.world == ["book a", "book b"]


def test_a_kill_before_the_effect_runs_it_once_as_a_new_generation(tmp_path: Path) -> None:
    agent = Crashing(tmp_path, kill="before effect")
    agent.dies("run")

    assert agent.ends("resume")["last"] == "all booked"

    assert agent.world == ["book a", "book b"]
    assert agent.statuses() == [Status.FAILED, Status.EXECUTED, Status.EXECUTED]


@pytest.mark.parametrize(("decision", "booked"), [("approve", 1), ("reject", 2)])
def test_without_a_probe_a_person_is_asked_and_never_a_second_try(
    tmp_path: Path, decision: str, booked: int
) -> None:
    agent = Crashing(tmp_path, kill="after effect", probe=False)
    agent.dies("run")

    assert agent.ends("resume")["asked"] == ["agentrein_settle"]
    assert agent.world == ["book a"]

    assert agent.ends("resume", decision)["last"] == "all booked"
    assert agent.world.count("book a") == booked, "it runs again only if a person says that it did not happen"


def test_a_kill_in_the_middle_of_the_walk_undoes_nothing_twice(tmp_path: Path) -> None:
    agent = Crashing(tmp_path, kill="after undo", charge=True, at="b")
    agent.dies("run")
    assert agent.world == ["book a", "book b", "cancel b"]

    assert agent.ends("resume") == {"failed": {"compensated": 2}}

    assert agent.world == ["book a", "book b", "cancel b", "cancel a"]


def test_another_process_finishes_the_walk_without_the_graph(tmp_path: Path) -> None:
    agent = Crashing(tmp_path, kill="after undo", charge=True, at="b")
    agent.dies("run")
    script = (
        "import sys; sys.argv = ['x', sys.argv[1]]\n"
        "import tests.support.crashing_agent as agent\n"
        "from langchain_agentrein import AgentRein\n"
        "print(AgentRein(f'sqlite:///{agent.HERE}/journal.db').recover())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert agent.world == ["book a", "book b", "cancel b", "cancel a"]
    assert agent.ends("resume") == {"failed": {"compensated": 2}}, "the graph finds the work done"
    assert agent.world.count("cancel a") == 1


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_effects_cut_off_from_their_messages_stop_the_run(tmp_path: Path, decision: str) -> None:
    agent = Crashing(tmp_path, kill="after effect", durability="async", slow=True)
    agent.dies("run")

    told = agent.ends("run") if not _has_input(tmp_path) else agent.ends("resume")

    assert told["asked"] == ["agentrein_orphans"]
    assert agent.world == ["book a"], "nothing ran on beside the orphan"
    agent.ends("resume", decision)
    expected = {
        "approve": ["book a", "cancel a", "book a", "book b"],
        "reject": ["book a", "book a", "book b"],
    }
    assert agent.world == expected[decision]


def test_on_orphans_rollback_does_it_unasked(tmp_path: Path) -> None:
    agent = Crashing(tmp_path, kill="after effect", durability="async", slow=True, on_orphans="rollback")
    agent.dies("run")

    told = agent.ends("run") if not _has_input(tmp_path) else agent.ends("resume")

    assert told == {"asked": [], "last": "all booked"}
    assert agent.world == ["book a", "cancel a", "book a", "book b"]


def _has_input(directory: Path) -> bool:
    """Whether any checkpoint outlived the process: the first ones may be lost too."""
    import sqlite3

    with sqlite3.connect(directory / "checkpoints.db") as connection:
        found = connection.execute("SELECT count(*) FROM checkpoints").fetchone()
    return bool(found[0])
