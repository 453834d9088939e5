"""The examples of the README and of docs/ run, top to bottom, as a reader would run them."""

from __future__ import annotations

import re
import sqlite3
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage

from tests.support.agents import calls, script
from tests.support.models import ScriptedModel

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(path: Path) -> list[str]:
    return BLOCK.findall(path.read_text())


def readme(directory: Path) -> ScriptedModel:
    (directory / "exports").mkdir()
    (directory / "exports" / "2019.csv").write_text("old leads")
    with sqlite3.connect(directory / "crm.db") as connection:
        connection.executescript(
            "CREATE TABLE leads (id INTEGER PRIMARY KEY, year INTEGER, archived INTEGER DEFAULT 0);"
            "INSERT INTO leads (year) VALUES (2019), (2020);"
        )
    return script(
        calls(("sql_execute", {"statement": "UPDATE leads SET archived = 1 WHERE year = 2019"})),
        calls(("files_delete", {"path": "2019.csv"})),
        AIMessage("Archived one lead, removed its export."),
    )


MODELS = {
    "README.md": readme,
    "deploy.md": lambda directory: script(),
    "existing-agent.md": lambda directory: script(calls(("book", {"room": "blue"})), AIMessage("Booked.")),
}


@pytest.fixture
def as_module(request: pytest.FixtureRequest) -> Iterator[types.ModuleType]:
    """A module to run a page in, so that what the page defines can be found again."""
    module = types.ModuleType(f"page_{re.sub('[^a-z]', '_', request.node.name)}")
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_examples_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_module: types.ModuleType
) -> None:
    monkeypatch.chdir(tmp_path)
    if page.name in MODELS:
        as_module.__dict__["model"] = MODELS[page.name](tmp_path)
    for number, example in enumerate(examples(page), start=1):
        exec(compile(example, f"{page.name} example {number}", "exec"), as_module.__dict__)
    if page.name == "README.md":
        assert (tmp_path / "exports" / "2019.csv").read_text() == "old leads"
        with sqlite3.connect(tmp_path / "crm.db") as connection:
            assert connection.execute("SELECT sum(archived) FROM leads").fetchone() == (0,)


def test_links_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_tests_that_the_architecture_names_are_there() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    path = ""
    for named, test in re.findall(r"`([\w/]+\.py)?(?:::(\w+))?`", text):
        path = named or path
        if not path.startswith(("unit_tests", "integration_tests")):
            continue
        file = ROOT / "tests" / path
        assert file.exists(), f"ARCHITECTURE.md names tests/{path}"
        assert not test or f"def {test}(" in file.read_text(), f"ARCHITECTURE.md names {path}::{test}"
