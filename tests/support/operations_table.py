"""The table of a toolkit's page, from the operations themselves: what `make operations` writes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path

from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.base import Toolkit

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- written by make operations -->\n", "<!-- until here -->\n"
Proved = Callable[[type[Operation]], str]


def row(operation: type[Operation], proved: Proved) -> str:
    """One line of the table."""
    said = " ".join((inspect.getdoc(operation) or "").split())
    reaches = ", ".join(sorted(map(str, operation.undo_effects))) or "-"
    probe = "yes" if operation.overrides("probe") else "-"
    scopes = ", ".join(getattr(operation, "scopes"))  # noqa: B009 - each connector declares it
    told = f"- | - | - | - | {scopes}"
    if not operation.read_only:
        told = f"{operation.reversal} | {operation.risk} | {reaches} | {probe} | {scopes}"
    return f"| `{operation.name}` | {said} | {told} | {proved(operation)} |"


def page(now: str, toolkit: type[Toolkit], scopes: str, proved: Proved) -> str:
    """A page with its table renewed.

    Args:
        scopes: What the column of permissions is called.
        proved: What an operation is proved against.
    """
    head = [
        "| operation | what it does, and what its undo does | reversal | risk | the undo itself | probe "
        f"| {scopes} | proved against |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    return renewed(now, [*head, *(row(operation, proved) for operation in toolkit.operations)])


def renewed(now: str, lines: Sequence[str]) -> str:
    """A page with the lines of its table renewed."""
    table = "\n".join(lines) + "\n"
    before, _, rest = now.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table}\n{END}{after}"
