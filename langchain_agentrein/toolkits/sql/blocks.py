"""The rows of a snapshot: a few as they are; many in compressed blocks, of which only one is open at a time.

A row is

    {"key": {column: value},
     "before": {column: value} | None,     # None: it was not there
     "after": {column: value} | None}      # None: it is gone

and a block of them

    {"count": int, "inserted": int, "deleted": int,
     "updated": [str],    # the columns that differ in rows that are still there
     "data": Packed}

Packed, values stand by column, under the column's name: so the journal finds a secret by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from langchain_agentrein.action import Json
from langchain_agentrein.journal.packed import Packed

BLOCK = 1_000
"""Rows in a block."""
MANY = 2_000
"""Rows above which they are kept, and compared, in blocks."""
TOGETHER = 200_000
"""Rows above which a call is refused whose rows must be in memory together: see `apart`."""
SIDES = ("key", "before", "after")


class Gathered:
    """The rows of one table as they are found.

    Args:
        counting: Nothing is kept of them but their number.
    """

    def __init__(self, *, counting: bool = False) -> None:
        self.count = 0
        self.counting = counting
        self._rows: list[Json] = []
        self._blocks: list[Json] = []

    def add(self, rows: Iterable[Json]) -> None:
        """Take in some more, no more at once than may be in memory."""
        for row in rows:
            self.count += 1
            if self.counting:
                continue
            self._rows.append(row)
            if len(self._rows) >= (BLOCK if self._blocks else max(MANY + 1, BLOCK)):
                self._pack()

    def as_json(self) -> dict[str, Json]:
        """`{"rows": [row]}`, or `{"blocks": [block]}`."""
        if not self._blocks:
            return {"rows": self._rows}
        if self._rows:
            self._pack(all_of_them=True)
        return {"blocks": self._blocks}

    def _pack(self, *, all_of_them: bool = False) -> None:
        while len(self._rows) >= BLOCK or (all_of_them and self._rows):
            self._blocks.append(_packed(self._rows[:BLOCK]))
            del self._rows[:BLOCK]


def rows_of(table: Json) -> Iterator[Json]:
    """The rows of one table of a snapshot; of its blocks one is open at a time."""
    if "blocks" not in table:
        yield from table["rows"]
        return
    for block in table["blocks"]:
        yield from opened(block)


def in_parts(before: Json) -> bool:
    """Whether a snapshot holds so many rows of a table that they stand in blocks."""
    return any("blocks" in table for table in before["tables"])


def count_of(table: Json) -> int:
    """How many rows of one table a snapshot holds."""
    return sum(block["count"] for block in table["blocks"]) if "blocks" in table else len(table["rows"])


@dataclass(frozen=True, slots=True)
class Kinds:
    """What was done to the rows of one table.

    Attributes:
        inserted: How many came.
        deleted: How many went.
        updated: The columns that differ in those that stayed.
    """

    inserted: int
    deleted: int
    updated: frozenset[str]


def kinds_of(table: Json) -> Kinds:
    """What a snapshot says of one table, its blocks unopened."""
    if "blocks" not in table:
        return _kinds(table["rows"])
    blocks = table["blocks"]
    return Kinds(
        sum(block["inserted"] for block in blocks),
        sum(block["deleted"] for block in blocks),
        frozenset(name for block in blocks for name in block["updated"]),
    )


def opened(block: Json) -> Iterator[Json]:
    """The rows of one block."""
    data: Any = Packed(block["data"]).value()
    columns = {side: {name: iter(some) for name, some in data[side].items()} for side in SIDES}
    for shape in data["shape_of"]:
        yield {
            side: None if names is None else {name: next(columns[side][name]) for name in names}
            for side, names in zip(SIDES, data["shapes"][shape], strict=True)
        }


def _packed(rows: list[Json]) -> Json:
    shapes: dict[tuple[tuple[str, ...] | None, ...], int] = {}
    shape_of: list[int] = []
    columns: dict[str, dict[str, list[Json]]] = {side: {} for side in SIDES}
    for row in rows:
        shape = tuple(None if row[side] is None else tuple(row[side]) for side in SIDES)
        shape_of.append(shapes.setdefault(shape, len(shapes)))
        for side in SIDES:
            for name, value in (row[side] or {}).items():
                columns[side].setdefault(name, []).append(value)
    kinds = _kinds(rows)
    return {
        "count": len(rows),
        "inserted": kinds.inserted,
        "deleted": kinds.deleted,
        "updated": sorted(kinds.updated),
        "data": Packed.of({"shapes": list(shapes), "shape_of": shape_of, **columns}),
    }


def _kinds(rows: list[Json]) -> Kinds:
    return Kinds(
        sum(row["before"] is None for row in rows),
        sum(row["after"] is None for row in rows),
        frozenset(name for row in rows if row["before"] and row["after"] for name in row["before"]),
    )
