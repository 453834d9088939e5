"""Postgres: the rows of one table that a transaction changed, whatever changed them, by their versions.

New row versions carry this transaction's number, and the old ones are still there for a second
connection that looks through the snapshot with which the transaction began. Many are read some at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import text

from langchain_agentrein.toolkits.sql import blocks
from langchain_agentrein.toolkits.sql.model import Table, key_text, literal
from langchain_agentrein.toolkits.sql.recording import Changed
from langchain_agentrein.toolkits.sql.rows import COUNT, Rows, Values, key_of
from langchain_agentrein.toolkits.sql.statement import refuse

NEW, OLD = "age(t.xmin) <= 0", "CAST(t.xmax AS text) <> '0'"
CURSOR = "agentrein_scan"


class Scan:
    """Reads one table through.

    Args:
        rows: The transaction itself.
        past: The database as it was when it began.
        counts: Rows inserted, updated and deleted, as the database counts them.
        bounded: Refuses so many rows, if they are too many.

    Attributes:
        went: Old versions that are gone.
        came: New versions.
    """

    def __init__(
        self,
        rows: Rows,
        past: Rows,
        table: Table,
        counts: tuple[int, int, int],
        bounded: Callable[[int], None],
    ) -> None:
        self.rows, self.past, self.table, self.bounded = rows, past, table, bounded
        self.inserted, self.updated, self.deleted = counts
        self.went = self.came = 0

    def into(self, changed: Changed, *, tried: bool) -> Changed:
        """Add what changed.

        Args:
            tried: What a trigger tried in a subtransaction, and took back, was counted all the same.
        Raises:
            NotDone: The counts say that something else changed, or there are too many.
        """
        if self.table.counted:
            if self.inserted + self.updated + self.deleted > 2 * blocks.TOGETHER:
                refuse(
                    f"it touches more than {blocks.TOGETHER:,} rows of {self.table.label}, which has no key"
                )
            self._equal(changed)
        elif self.inserted + self.updated + self.deleted <= blocks.MANY:
            self._together(changed)
        else:
            self._in_blocks(changed)
        exact = self.came - self.went == self.inserted - self.deleted or tried
        if not exact or self.came > self.inserted + self.updated or self.went > self.updated + self.deleted:
            refuse(
                f"it changed more than could be captured: Postgres counts {self.inserted} inserted and "
                f"{self.deleted} deleted rows of {self.table.label}, and {self.came} came for {self.went} "
                "that went"
            )
        return changed

    def _together(self, changed: Changed) -> None:
        after, before = self._versions()
        changed.add(self._by_key(before), self._by_key(after))

    def _versions(self) -> tuple[list[Values], list[Values]]:
        """Those that came and those that went, all of them."""
        after = [row for some in self._new() for row in some]
        before = [row for some in self._old() for row in some]
        return after, before

    def _in_blocks(self, changed: Changed) -> None:
        """Old rows first, each with what has become of it; then those that are new altogether."""
        found = 0
        for some in self._old():
            before = self._by_key(some)
            after = self.rows.keyed(self.table, before.values())
            found += len(after)
            changed.add(before, after)
        fresh = self._count(NEW) if self.inserted + self.updated else 0
        if fresh == found:  # each new version is that of an old row
            self.came = fresh
            return
        for some in self._new():
            after = self._by_key(some)
            before = self.past.keyed(self.table, after.values())
            changed.add({}, {key: row for key, row in after.items() if key not in before})

    def _new(self) -> Iterator[list[Values]]:
        if self.inserted + self.updated == 0:
            return
        for places in self._read(self.rows, NEW):
            self.came += len(places)
            self.bounded(self.came)
            yield list(places.values())

    def _old(self) -> Iterator[list[Values]]:
        if self.updated + self.deleted == 0:
            return
        for places in self._read(self.past, OLD):
            for place in self._still_there(list(places)):
                del places[place]
            self.went += len(places)
            self.bounded(self.went)
            yield list(places.values())

    def _read(self, rows: Rows, condition: str) -> Iterator[dict[str, Values]]:
        """Row versions by their place, a block at a time."""
        columns = [rows.database.selected(column, "t") for column in self.table.stored]
        sql = (
            f"SELECT CAST(t.ctid AS text), {', '.join(columns)} FROM {self.table.own_sql} t WHERE {condition}"
        )
        rows.connection.execute(text(literal(f"DECLARE {CURSOR} NO SCROLL CURSOR FOR {sql}")))
        fetch = text(f"FETCH FORWARD {blocks.BLOCK} FROM {CURSOR}")
        while some := rows.connection.execute(fetch).all():
            yield {row[0]: rows.named(self.table.stored, row[1:]) for row in some}
        rows.connection.execute(text(f"CLOSE {CURSOR}"))

    def _count(self, condition: str) -> int:
        sql = f"SELECT count(*) FROM {self.table.own_sql} t WHERE {condition}"
        return int(self.rows.connection.execute(text(literal(sql))).scalar_one())

    def _still_there(self, places: Sequence[str]) -> list[str]:
        """Those row versions that were only locked."""
        head = literal(f"SELECT CAST(t.ctid AS text) FROM {self.table.own_sql} t WHERE ")
        listed = "{" + ",".join(f'"{place}"' for place in places) + "}"
        found = self.rows.connection.execute(text(head + "t.ctid = ANY (CAST(:h AS tid[]))"), {"h": listed})
        return [row[0] for row in found]

    def _equal(self, changed: Changed) -> None:
        """Rows that nothing tells apart: how many equal ones there were, and are."""
        after, before = self._versions()
        images = {key_text(list(row.values())): row for row in [*before, *after]}
        change: Counter[str] = Counter(key_text(list(row.values())) for row in after)
        change.subtract(key_text(list(row.values())) for row in before)
        now = self.rows.keyed(self.table, images.values())
        were: dict[str, Values] = {}
        are: dict[str, Values] = {}
        for key, image in images.items():
            there = int(now[key][COUNT]) if key in now else 0
            if there - change[key]:
                were[key] = {**image, COUNT: there - change[key]}
            if there:
                are[key] = {**image, COUNT: there}
        changed.add(were, are)

    def _by_key(self, versions: Sequence[Values]) -> dict[str, Values]:
        return {key_text(list(key_of(self.table, row).values())): row for row in versions}
