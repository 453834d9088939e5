"""The verbs for what is held: held, release, drop; and `recover`, which does what is due."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from langchain_agentrein import AgentRein, ApprovalRule
from langchain_agentrein.cli import app
from langchain_agentrein.toolkits import FilesToolkit

Command = Callable[..., Result]
SECRET = "sk_live_abcdefghijklmnop"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    return made


@pytest.fixture
def agentrein(tmp_path: Path, work: Path) -> Command:
    def invoke(*words: str, client: bool = True) -> Result:
        options = ["--journal", f"sqlite:///{tmp_path}/journal.db"]
        options += ["--client", f"files={work}"] if client else []
        return CliRunner().invoke(app, [*options, *words])

    return invoke


def holding(
    tmp_path: Path, work: Path, *names: str, after: Any = timedelta(hours=1), done: bool = True
) -> Any:
    """Hold the writing of files; the ids of what is held."""
    rules = [ApprovalRule("files.write", "hold", release_after=after)]
    with AgentRein(f"sqlite:///{tmp_path}/journal.db", rules=rules) as rein:
        tools = {tool.name: tool for tool in rein.tools(FilesToolkit(work))}
        with rein.session(intent="write", thread_id="desk") as session:
            for name in names:
                tools["files_write"].invoke({"path": f"{name}.txt", "content": name})
            if not done:
                session.opener = False  # it stays open, as an interrupted run would
        return [action.id for action in rein.held()]


def test_what_is_held_is_listed_with_what_it_waits_for(
    tmp_path: Path, work: Path, agentrein: Command
) -> None:
    [first] = holding(tmp_path, work, "a", done=False)
    listed = agentrein("held").stdout
    assert first in listed
    assert "files.write  a.txt" in listed
    assert "waits for its session to complete, which is open" in listed
    holding(tmp_path, work, "b")
    assert "due at 2" in agentrein("held", "--thread", "desk").stdout
    told = json.loads(agentrein("held", "--json").stdout)
    assert [one["args"]["path"] for one in told] == ["a.txt", "b.txt"]
    assert [one["due_at"] is None for one in told] == [True, False]
    assert [one["session_status"] for one in told] == ["open", "completed"]


def test_nothing_is_held(tmp_path: Path, work: Path, agentrein: Command) -> None:
    holding(tmp_path, work)
    with AgentRein(f"sqlite:///{tmp_path}/journal.db"):
        pass
    assert agentrein("held").stdout == "nothing is held\n"


def test_a_secret_is_not_shown(
    tmp_path: Path, work: Path, agentrein: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTREIN_SEAL_KEY", "c2VhbHMgdGhlIHNlY3JldHMgb2YgdGhlc2UgdGVzdHM=")
    rules = [ApprovalRule("files.write", "hold", release_after=3600)]
    with AgentRein(f"sqlite:///{tmp_path}/journal.db", rules=rules) as rein, rein.session():
        [write] = [tool for tool in rein.tools(FilesToolkit(work)) if tool.name == "files_write"]
        write.invoke({"path": "a.txt", "content": SECRET})
    for words in (("held",), ("held", "--json")):
        result = agentrein(*words)
        assert result.exit_code == 0
        assert SECRET not in result.output


def test_it_is_released_by_its_id(tmp_path: Path, work: Path, agentrein: Command) -> None:
    [held] = holding(tmp_path, work, "a")
    result = agentrein("release", held, "--by", "ana@acme.com")
    assert (result.exit_code, result.stdout) == (
        0,
        f"files.write {held}: done; it can be rolled back\n",
    )
    assert (work / "a.txt").read_text() == "a"
    again = agentrein("release", held)
    assert again.exit_code == 2
    assert "cannot become released: it is not held" in " ".join(again.stderr.split())
    assert agentrein("rollback", "--thread", "desk", "--yes").exit_code == 0
    assert not (work / "a.txt").exists()
    shown = agentrein("show", held).stdout
    assert "released by ana@acme.com" in shown


def test_it_is_dropped_by_its_id(tmp_path: Path, work: Path, agentrein: Command) -> None:
    [held] = holding(tmp_path, work, "a")
    result = agentrein("drop", held, "--by", "ana@acme.com", "--reason", "not today")
    assert (result.exit_code, result.stdout) == (0, f"files.write {held}: dropped; it is never done\n")
    assert agentrein("held").stdout == "nothing is held\n"
    told = " ".join(agentrein("timeline").stdout.split())
    assert "dropped because ana@acme.com said so: 'not today'" in told
    assert agentrein("release", held).exit_code == 2
    assert list(work.iterdir()) == []


def test_without_a_client_it_says_how_to_name_one(tmp_path: Path, work: Path, agentrein: Command) -> None:
    [held] = holding(tmp_path, work, "a")
    result = agentrein("release", held, client=False)
    assert result.exit_code == 2
    assert "stays held" in result.stderr
    assert "--client files=DIR" in " ".join(result.stderr.split())
    assert "--client files=DIR" in " ".join(agentrein("held").stdout.split())


def test_a_rollback_says_that_it_drops(tmp_path: Path, work: Path, agentrein: Command) -> None:
    holding(tmp_path, work, "a")
    planned = agentrein("plan", "--thread", "desk").stdout
    assert "1 drop" in planned
    assert "it is held, and was never done" in planned
    result = agentrein("rollback", "--thread", "desk", "--yes", "--by", "ana")
    assert result.exit_code == 0
    assert "1 dropped; nothing is left to do" in result.stdout
    told = " ".join(agentrein("timeline").stdout.split())
    assert "dropped because ana rolled the session back" in told


def test_recover_does_what_is_due(tmp_path: Path, work: Path, agentrein: Command) -> None:
    [held] = holding(tmp_path, work, "a", after=1e-6, done=False)
    with AgentRein(f"sqlite:///{tmp_path}/journal.db", clients=lambda *_: None) as rein:
        rein.journal.set_session(rein.sessions()[0].id, "completed")  # type: ignore[arg-type]
    result = agentrein("recover", client=False)
    assert result.exit_code == 1
    assert "it was held, and due; held: nobody provides a client" in " ".join(result.stdout.split())
    assert "1 action is held: `agentrein held`" in result.stdout
    assert "due: `agentrein recover` does it" in agentrein("held").stdout
    result = agentrein("recover")
    assert (result.exit_code, " ".join(result.stdout.split())) == (
        0,
        f"files.write {held}: it was held, and due; done; it can be rolled back",
    )
    assert agentrein("recover").stdout == "nothing was left under way\n"
    assert (work / "a.txt").read_text() == "a"
