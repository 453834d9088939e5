"""The notebooks run from top to bottom, and show what they promise."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from langchain_agentrein.demo.emulator import HOME

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROMISES = {
    "quickstart": (
        ("Restored because", "Four bookings are unpaid", "ana@hotel.example"),
        (
            "DELETE touches 4 rows of bookings",
            "room 3 has its key out already",
            "the record is whole: 2 session",
        ),
    ),
    "approvals": (
        ("Edited by ana@harbor.example", "people wrote this: answer, never delete", "wrote months ago"),
        (
            "Asked because: rule 'github.issues.update' ask",
            "github_issues_delete: critical risk, CANNOT be undone",
            "closed | Offline mode (3.0) | how do i install this",
            "elsewhere: approved\nissue 2 is open",
            "issue 2 is now closed",
            "sent: []\nheld: ['emma@client.example']",
            "sent after a person's word: ['emma@client.example']",
            "sent when the work is done: ['emma@client.example', 'noah@client.example']",
            "the record is whole: 3 session",
        ),
    ),
}
"""What a notebook must show as HTML, and what it must print."""
NEED_EMULATORS = {"approvals"}
installed = (HOME / "node_modules").exists() or os.environ.get("CI") == "true"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if path.stem in NEED_EMULATORS and not installed:
        pytest.skip("no emulators: make test installs them")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    notebook = read(path)
    place = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=place).execute()

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    page = "\n".join(output.get("data", {}).get("text/html", "") for output in outputs)
    printed = "\n".join(output.get("text", "") for output in outputs)
    on_the_page, in_print = PROMISES.get(path.stem, ((), ()))
    assert [words for words in on_the_page if words not in page] == []
    assert [words for words in in_print if words not in printed] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    assert not [cell for cell in read(path).cells if cell.get("outputs") or cell.get("execution_count")]


def read(path: Path) -> nbformat.NotebookNode:
    notebook: nbformat.NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    return notebook
