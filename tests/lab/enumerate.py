"""The boundaries as the source has them: every step that a flow yields, every transaction on the journal."""

from __future__ import annotations

import ast
import functools
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tests.lab.points import PACKAGE

FLOWS = ("engine", "graphs", "rein.py", "deciding.py", "session.py", "reading.py", "tool.py", "calling.py")
WRITES = {"write", "erasing"}


@dataclass(frozen=True, slots=True)
class Place:
    """A boundary in the source.

    Attributes:
        where: `file:function`, which no edit above it moves.
        what: What is called there.
        lines: From, to.
    """

    kind: str
    file: str
    where: str
    what: str
    lines: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.where} {self.what}"

    def met(self, reached: Collection[str]) -> bool:
        """Whether one of the points lies here."""
        if self.kind == "commit":
            return any(one.startswith(f"commit:{self.where}:") for one in reached)
        first, last = self.lines
        return any(f"step:{self.file}:{line}:" in one for one in reached for line in range(first, last + 1))


@functools.cache
def boundaries() -> list[Place]:
    """All of them."""
    found: list[Place] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        file = str(path.relative_to(PACKAGE))
        tree = ast.parse(path.read_text())
        for function, node in _walk(tree, ""):
            where = f"{file}:{function}"
            if isinstance(node, ast.Yield) and file.startswith(FLOWS) and _is_step(node):
                lines = node.lineno, node.end_lineno or node.lineno
                found.append(Place("step", file, where, _called(node), lines))
            if isinstance(node, ast.With | ast.AsyncWith) and file.startswith("journal/") and _writes(node):
                found.append(Place("commit", file, where, "transaction", (node.lineno, node.lineno)))
    return [place for place in found if place.where != "journal/store.py:erasing"]


BEFORE_IT = {"op.do", "op.undo"}
AFTER_IT = {"self.core.journal.holds", "journal.begin", "journal.move", "journal.pause"}


def in_gap(point: str) -> bool:
    """Whether a point lies between the last word of the journal and the request: all that comes later is refused."""
    kind, *place, last = point.rpartition("#")[0].split(":")
    if kind == "request":
        return last == "before" and not place[0].startswith("GET")
    if kind == "commit":
        return last == "after" and place[-1] in ("begin", "move", "pause")
    if kind != "step":
        return False
    file, line = place[0], int(place[1])
    wanted = BEFORE_IT if last == "before" else AFTER_IT
    return any(
        one.file == file and one.lines[0] <= line <= one.lines[1] and one.what in wanted
        for one in boundaries()
        if one.kind == "step" and (last == "before" or file in ("engine/perform.py", "engine/undoing.py"))
    )


def _walk(node: ast.AST, function: str) -> Iterator[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(node):
        named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        inner = child.name if named else function  # type: ignore[attr-defined]
        yield inner, child
        yield from _walk(child, inner)


def _is_step(node: ast.Yield) -> bool:
    return isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") in ("Step", "Sleep")


def _called(node: ast.Yield) -> str:
    assert isinstance(node.value, ast.Call)
    if getattr(node.value.func, "id", "") == "Sleep":
        return "Sleep"
    call = node.value.args[0]
    if isinstance(call, ast.Lambda) and isinstance(call.body, ast.Call):
        call = call.body.func
    return ast.unparse(call)


def _writes(node: ast.With | ast.AsyncWith) -> bool:
    calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
    return any(isinstance(call.func, ast.Attribute) and call.func.attr in WRITES for call in calls)
