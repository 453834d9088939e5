"""The table in README.md: what stands between its marks is written by `make bench`, the rest by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from benchmarks.harness import Row

BEGIN, END = "<!-- written by make bench -->", "<!-- until here -->"
HEAD = "| | ours | against | ratio | goal | met | |\n" + "| --- " * 7 + "|\n"


def kept(rows: Sequence[Row], machine: Iterable[str], size: str, file: Path) -> None:
    """Replace what stands between the marks."""
    text = file.read_text()
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"{file.name} has lost its marks: {BEGIN} ... {END}")
    file.write_text(f"{before}{BEGIN}\n{''.join(_lines(rows, machine, size))}{END}{after}")


def _lines(rows: Sequence[Row], machine: Iterable[str], size: str) -> Iterable[str]:
    yield f"Measured on {datetime.now(UTC):%Y-%m-%d}, size `{size}`, on\n\n"
    for fact in machine:
        yield f"- {fact}\n"
    for group, some in groupby(rows, key=lambda row: row.group):
        yield f"\n### {group}\n\n{HEAD}"
        for row in some:
            met = {True: "yes", False: "**no**", None: ""}[row.met]
            cells = (row.what, row.ours, row.other, row.ratio, row.goal, met, row.note)
            yield f"| {' | '.join(cells)} |\n"
    yield "\n"
