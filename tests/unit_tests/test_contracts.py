"""Rules of this house that a review would otherwise have to repeat."""

from __future__ import annotations

import ast
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_socket import SocketBlockedError

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "langchain_agentrein"
SOURCES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 350
BROAD = {"Exception", "BaseException"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def broad_handlers(tree: ast.Module) -> Iterator[ast.ExceptHandler]:
    """`except:`, `except Exception:` and `except (A, Exception):`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(kind is None or (isinstance(kind, ast.Name) and kind.id in BROAD) for kind in caught):
                yield node


def does_nothing(handler: ast.ExceptHandler) -> bool:
    return all(
        isinstance(step, ast.Pass | ast.Continue)
        or (isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant))
        for step in handler.body
    )


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_error_is_swallowed_unseen(path: Path) -> None:
    swallowed = [handler.lineno for handler in broad_handlers(tree_of(path)) if does_nothing(handler)]
    assert not swallowed, f"{name_of(path)} swallows every error at line {swallowed}"
    suppressed = [
        node.lineno
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("suppress")
        and any(ast.unparse(kind) in BROAD for kind in node.args)
    ]
    assert not suppressed, f"{name_of(path)} suppresses every error at line {suppressed}"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST, f"{name_of(path)} has {lines} lines: split it by what a reader looks for"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    tree = tree_of(path)
    assert ast.get_docstring(tree) or not tree.body, f"{name_of(path)} has no docstring"


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name == "__init__.py"], ids=name_of)
def test_an_init_only_gathers_names(path: Path) -> None:
    classes = [node.name for node in ast.walk(tree_of(path)) if isinstance(node, ast.ClassDef)]
    assert not classes, f"{name_of(path)} defines {classes}: give each a file"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_executable_is_stored(path: Path) -> None:
    """The journal holds JSON: whoever can write a row must not be able to run code here."""
    banned = {"pickle", "cloudpickle", "dill", "marshal", "shelve"}
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree_of(path))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not imported & banned
    called = {ast.unparse(node.func) for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)}
    assert not called & {"eval", "exec"}


def test_imports_point_one_way() -> None:
    """The contracts stand in pyproject.toml."""
    script = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", script, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_pins_name_versions_and_no_place() -> None:
    """Whoever installs from another index, or from a mirror, can use the pins."""
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    odd = [
        pin for pin in pins if not pin.startswith("#") and (pin.count("==") != 1 or set(pin) & set("@/:; "))
    ]
    assert not odd


@pytest.mark.parametrize("name", ["Makefile", "pyproject.toml", "constraints.txt", ".ci/run"])
def test_nothing_says_where_packages_come_from(name: str) -> None:
    """That is for the machine's own configuration to say."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.findall(
        r"index-url|find-links|trusted-host|\[\[tool\.uv\.index|https?://\S*(?:simple|packages)\b", text
    )


def test_unit_tests_reach_nobody() -> None:
    with pytest.warns(UserWarning, match="A test tried to use socket"), pytest.raises(SocketBlockedError):
        socket.create_connection(("127.0.0.1", 9))
