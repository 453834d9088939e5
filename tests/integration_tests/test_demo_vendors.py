"""`agentrein demo --issues` and `--mails`, run as a user runs it; what they claim is checked again, from their journals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from langchain_agentrein import AgentRein, Status
from langchain_agentrein.action import SessionStatus
from langchain_agentrein.demo.emulator import HOME
from langchain_agentrein.demo.issues.script import THREAD
from langchain_agentrein.demo.mails.script import THREAD as FOLLOW_UP

installed = (HOME / "node_modules").exists() or os.environ.get("CI") == "true"


def demo(*options: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "langchain_agentrein", "demo", *options],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(not installed, reason="no emulators: make test installs them")
def test_the_colleagues_words_stand_and_the_rest_is_put_back(tmp_path: Path) -> None:
    done = demo("--issues", "--yes", "--dir", str(tmp_path / "world"), cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "Identical, and all that ana wrote stands" in done.stdout
    assert "because `release.announce` failed" in done.stdout
    with AgentRein(f"sqlite:///{tmp_path}/world/agentrein.db") as rein:
        [session] = rein.sessions(thread=THREAD)
        actions = rein.actions(thread=THREAD)
        assert rein.verify().ok
    assert session.status is SessionStatus.STUCK, "two conflicts are left to a person"
    assert [one.status for one in actions if one.operation == "github.issues.delete"] == [Status.REJECTED] * 2
    left = sorted(one.operation for one in actions if one.status is Status.CONFLICT)
    assert left == ["github.issues.create", "github.issues.update"]
    assert (tmp_path / "world" / "timeline.html").read_text().count("conflict")


def test_without_the_emulator_it_says_how_to_get_it(tmp_path: Path) -> None:
    done = demo("--issues", "--yes", "--emulators", str(tmp_path / "none"), cwd=tmp_path)

    assert done.returncode == 2
    assert "npm install emulate@" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_is_scripted_alone(tmp_path: Path) -> None:
    done = demo("--issues", "--kill", "--yes", cwd=tmp_path)

    assert (done.returncode, "leave --kill and --model out" in done.stderr) == (2, True)


@pytest.mark.skipif(not installed, reason="no emulators: make test installs them")
def test_no_mail_to_the_wrong_people_leaves(tmp_path: Path) -> None:
    done = demo("--mails", "--yes", "--dir", str(tmp_path / "world"), cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "No mail left" in done.stdout
    assert "the 12 mails left" in done.stdout
    with AgentRein(f"sqlite:///{tmp_path}/world/agentrein.db") as rein:
        second, first = rein.sessions(thread=FOLLOW_UP)
        dropped = [
            one.status for one in rein.actions(session=first.id) if one.operation == "gmail.messages.send"
        ]
        sent = [one for one in rein.actions(session=second.id) if one.operation == "gmail.messages.send"]
    assert first.status is SessionStatus.ROLLED_BACK and second.status is SessionStatus.COMPLETED
    assert dropped == [Status.DROPPED] * 200
    assert [one.status for one in sent] == [Status.EXECUTED] * 12
    assert len({one.args["to"][0] for one in sent}) == 12
