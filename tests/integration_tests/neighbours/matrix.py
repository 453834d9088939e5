"""What stands in docs/compatibility.md: each test of this folder declares a scenario and what holds in it.

A test may declare only what it checked: `Proof`, its fixture, compares the two when the test ends. The
table is made from the declarations. `python -m tests.integration_tests.neighbours.matrix` renews the page.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "compatibility.md"
BEGIN, END = "<!-- the matrix, by `make matrix` -->\n", "<!-- the end of the matrix -->\n"
Test = TypeVar("Test", bound=Callable[..., Any])


class Claim(Enum):
    """A column of the table."""

    ONE_EFFECT = "one effect"
    NOT_REPEATED = "not repeated"
    ASKED_ONCE = "asked once"
    REJECTED = "rejected stays undone"
    UNWOUND = "unwound"
    RESUMES = "resumes"
    ANSWERED = "answered"
    NEXT = "next message"


@dataclass(frozen=True)
class Scenario:
    """A row of the table.

    Attributes:
        neighbour: What stands beside us.
        how: In which place, mode or combination.
        holds: What the test checks, and finds.
        lacks: What the test shows not to hold, and why.
        note: What else the reader should know.
    """

    neighbour: str
    how: str
    holds: frozenset[Claim]
    lacks: Mapping[Claim, str] = field(default_factory=dict)
    note: str = ""


def scenario(
    neighbour: str, how: str, *holds: Claim, lacks: Mapping[Claim, str] | None = None, note: str = ""
) -> Callable[[Test], Test]:
    """Declare what a test shows."""
    declared = Scenario(neighbour, how, frozenset(holds), lacks or {}, note)

    def declare(test: Test) -> Test:
        test.scenario = declared  # type: ignore[attr-defined]
        return test

    return declare


def scenarios() -> Iterator[Scenario]:
    """Every scenario, by file, in the order of the files' tests."""
    for file in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(f"{__package__}.{file.stem}")
        for test in vars(module).values():
            declared = getattr(test, "scenario", None)
            if isinstance(declared, Scenario):
                yield declared


def table() -> str:
    """The table and its notes, as Markdown."""
    rows = list(scenarios())
    claims, notes = list(Claim), []
    lines = [
        "| neighbour | how | " + " | ".join(claim.value for claim in claims) + " | |",
        "| --- " * (len(claims) + 3) + "|",
    ]
    for row in sorted(rows, key=lambda row: row.neighbour.strip("`").lower()):
        cells = []
        for claim in claims:
            if claim in row.lacks:
                notes.append(row.lacks[claim])
                cells.append(f"**no** ({len(notes)})")
            else:
                cells.append("yes" if claim in row.holds else "")
        if row.note:
            notes.append(row.note)
        reference = f"({len(notes)})" if row.note else ""
        lines.append(f"| {row.neighbour} | {row.how} | " + " | ".join(cells) + f" | {reference} |")
    told = [f"{number}. {note}" for number, note in enumerate(notes, start=1)]
    return "\n".join([*lines, "", *told, ""])


def page(now: str) -> str:
    """The page with its table renewed."""
    return re.sub(
        f"(?<={re.escape(BEGIN)}).*(?={re.escape(END)})",
        lambda _: "\n" + table() + "\n",
        now,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    # The module that the tests know: run as a script, this one is another.
    from tests.integration_tests.neighbours.matrix import page

    PAGE.write_text(page(PAGE.read_text()))
