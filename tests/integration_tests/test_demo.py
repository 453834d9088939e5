"""`agentrein demo`, run as a user runs it; what it claims is checked again, from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from langchain_agentrein import AgentRein, Status
from langchain_agentrein.action import Action, SessionStatus
from langchain_agentrein.demo.script import BULK_DELETE
from langchain_agentrein.demo.shop import Shop

ROOT = Path(__file__).parents[2]
NO_NETWORK = """
import socket

def refuse(self, address):
    raise AssertionError(f"the demo reached for {address}")

socket.socket.connect = refuse
"""


@dataclass
class Run:
    """A finished demo.

    Attributes:
        untouched: The same world, built anew.
    """

    shop: Shop
    untouched: Shop
    said: str

    def actions(self, thread: str) -> list[Action]:
        with AgentRein(self.shop.journal_url) as rein:
            return rein.actions(thread=thread)


def demo(folder: Path, *options: str) -> Run:
    """Run it in a process of its own, which cannot reach any network."""
    guard = folder / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(NO_NETWORK)
    done = subprocess.run(
        [sys.executable, "-m", "langchain_agentrein", "demo", *options, "--dir", str(folder / "world")],
        env={**os.environ, "PYTHONPATH": f"{guard}{os.pathsep}{ROOT}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    untouched = Shop(folder / "untouched")
    untouched.build()
    return Run(Shop(folder / "world"), untouched, done.stdout)


@pytest.fixture(scope="module")
def unwound(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return demo(tmp_path_factory.mktemp("demo"), "--yes")


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return demo(tmp_path_factory.mktemp("killed"), "--yes", "--kill")


def test_everything_is_as_it_was(unwound: Run) -> None:
    assert unwound.shop.state() == unwound.untouched.state()
    assert "Identical" in unwound.said


def test_there_was_something_to_take_back(unwound: Run) -> None:
    actions = unwound.actions("july-clean-up")
    undone = [action for action in actions if action.status is Status.RESTORED]
    assert {action.operation for action in undone} == {
        "sql.execute",
        "files.write",
        "files.move",
        "files.delete",
    }
    [bulk] = [action for action in undone if action.args.get("statement") == BULK_DELETE]
    assert bulk.receipt["rowcount"] > 100
    assert set(bulk.receipt["tables"]) == {"customers", "addresses", "orders", "order_items", "tickets"}
    assert bulk.approval is not None
    assert bulk.approval.decision == "approve"


def test_it_failed_because_of_what_the_agent_did(unwound: Run) -> None:
    *_, last = unwound.actions("july-clean-up")
    assert (last.operation, last.status) == ("billing.hand_over", Status.FAILED)
    assert last.error["type"] == "BooksDisagree"
    with AgentRein(unwound.shop.journal_url) as rein:
        assert [session.status for session in rein.sessions()] == [SessionStatus.ROLLED_BACK]
        assert rein.verify()
        told = rein.timeline(thread="july-clean-up")
    assert all("billing.hand_over" in node.because for node in told.actions if node.status is Status.RESTORED)


def test_the_timeline_says_why(unwound: Run) -> None:
    for action in unwound.actions("july-clean-up"):
        assert action.intent.source == "reasoning"
        assert action.intent.text
    page = unwound.shop.timeline.read_text()
    assert str(unwound.shop.timeline) in unwound.said
    assert "Restored because" in page
    assert "not seen since before 2021 are deleted" in page


def test_it_says_that_the_model_is_scripted(unwound: Run) -> None:
    assert "The model is scripted" in unwound.said


def settled_by(run: Run, action: Action) -> list[str]:
    with AgentRein(run.shop.journal_url) as rein:
        entries = rein.journal.entries([action.session_id])
    return [
        entry.detail["settled"]
        for entry in entries
        if entry.action_id == action.id and "settled" in (entry.detail or {})
    ]


@pytest.mark.parametrize(
    ("moment", "ended"), [("before-commit", Status.FAILED), ("after-commit", Status.RESTORED)]
)
def test_a_killed_effect_is_settled_and_undone(killed: Run, moment: str, ended: Status) -> None:
    actions = killed.actions(f"killed-{moment}")
    [bulk] = [action for action in actions if action.args.get("statement") == BULK_DELETE]
    assert bulk.status is ended
    assert settled_by(killed, bulk) == ["probe"]
    assert {action.status for action in actions} == {ended, Status.RESTORED}


def test_after_both_kills_everything_is_as_it_was(killed: Run) -> None:
    assert killed.shop.state() == killed.untouched.state()
    assert killed.said.count("Identical") == 2
    assert killed.said.count("SIGKILL).") == 2


def test_other_processes_recovered(killed: Run) -> None:
    with AgentRein(killed.shop.journal_url) as rein:
        assert {session.status for session in rein.sessions()} == {SessionStatus.ROLLED_BACK}
        entries = rein.journal.entries([session.id for session in rein.sessions()])
    workers = {(entry.session_id, entry.worker) for entry in entries if entry.worker}
    assert len(workers) >= 6  # each session: who was killed, who recovered, who rolled back


def test_the_world_is_always_the_same(unwound: Run, killed: Run) -> None:
    assert unwound.untouched.state() == killed.untouched.state()


def test_a_difference_would_be_noticed(unwound: Run) -> None:
    before = unwound.untouched.state()
    (unwound.untouched.files / "notes" / "warehouse.md").write_text("changed")
    assert before.differences(unwound.untouched.state()) == ["files/notes/warehouse.md has changed"]


def test_the_verbs_read_what_the_demo_left(unwound: Run) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "langchain_agentrein",
            "--journal",
            unwound.shop.journal_url,
            "sessions",
            "--json",
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)[0]["status"] == "rolled_back"
