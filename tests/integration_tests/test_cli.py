"""The command line on journals of both kinds."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from langchain_agentrein import AgentRein
from langchain_agentrein.cli import app
from langchain_agentrein.journal import found_version
from langchain_agentrein.toolkits import FilesToolkit


def test_a_journal_is_not_made_by_looking_for_it(journal_url: str) -> None:
    assert found_version(journal_url) is None
    result = CliRunner().invoke(app, ["--journal", journal_url, "sessions"])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "journal" in result.stderr
    assert found_version(journal_url) is None
    AgentRein(journal_url).close()
    assert found_version(journal_url) == 1


def test_another_process_rolls_back(journal_url: str, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    with AgentRein(journal_url) as rein, rein.session(thread_id="desk"):
        [write] = [tool for tool in rein.tools(FilesToolkit(work)) if tool.name == "files_write"]
        write.invoke({"path": "a.txt", "content": "new"})
    words = ["--journal", journal_url, "--client", f"files={work}"]
    assert "1 undo" in CliRunner().invoke(app, [*words, "plan", "--thread", "desk"]).stdout
    assert CliRunner().invoke(app, [*words, "rollback", "--thread", "desk", "--yes"]).exit_code == 0
    assert list(work.iterdir()) == []
    verified = CliRunner().invoke(app, [*words, "verify"])
    assert verified.exit_code == 0, verified.stdout
