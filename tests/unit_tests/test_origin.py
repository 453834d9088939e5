"""A module's name for other processes, also where it was loaded by the path of its file."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from langchain_agentrein.origin import importable

Load = Callable[[str, str], Any]
TOOL = """
from langchain_agentrein import reversible

@reversible(undo=lambda action: None)
def act(n: int) -> int:
    '''Act.'''
    return n
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Writes `path` below a directory on `sys.path`, and loads it as LangGraph's server does: by its file."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def by_path(path: str, text: str = "") -> Any:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        name = "__" + path.replace("/", "__").replace(".py", "")
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None and spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield by_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    "module", [__name__, "langchain_agentrein.origin", "json", "sys", "__main__", "no.such"]
)
def test_what_is_imported_keeps_its_name(module: str) -> None:
    assert importable(module) == module


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("agent_a.py", "agent_a"),
        ("src/my_agent/graph.py", "src.my_agent.graph"),
        ("packaged/__init__.py", "packaged"),
        ("not-a-name/agent.py", "__not-a-name__agent"),
    ],
)
def test_what_was_loaded_by_its_path_is_named_as_it_is_imported(load: Load, path: str, name: str) -> None:
    assert importable(load(path, "").__name__) == name


def test_the_shortest_way_wins_and_never_from_inside_a_package(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "src" / "deep").mkdir(parents=True)
    (tmp_path / "src" / "deep" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    monkeypatch.syspath_prepend(str(tmp_path / "src" / "deep"))
    assert importable(load("src/deep/graph.py", "").__name__) == "deep.graph"


def test_a_file_that_no_import_reaches_keeps_the_name_it_has(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load("agent_b.py", "")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if "pytest" not in entry])
    assert importable(module.__name__) == "__agent_b"


def test_a_fresh_process_finds_the_operation_of_a_tool_in_such_a_file(load: Load, tmp_path: Path) -> None:
    operation = load("agent_c.py", TOOL).act.operation
    assert operation.source() == "agent_c"
    script = (
        "from langchain_agentrein.registry import REGISTRY\n"
        f"print(REGISTRY.get('act', 1, {operation.source()!r}).source())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("agent_c", "")
