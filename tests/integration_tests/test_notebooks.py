"""The notebooks run from top to bottom, and show what they promise."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

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
    )
}
"""What a notebook must show as HTML, and what it must print."""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
