"""The SQL of an undo: one statement a row, in an order in which each finds what it refers to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from langchain_agentrein.toolkits.sql.model import ForeignKey, Table, TableId, key_text, literal, quote
from langchain_agentrein.toolkits.sql.observation import Change
from langchain_agentrein.toolkits.sql.order import parents_first
from langchain_agentrein.toolkits.sql.rows import COUNT, ROWID, Rows, Values, equal_rows


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of the undo."""

    sql: str
    parameters: dict[str, Any]


@dataclass(slots=True)
class Plan:
    """What is to be put back.

    Attributes:
        update: With the columns to restore.
        count: With how many equal rows are to come; fewer than none are to go.
    """

    delete: list[Change] = field(default_factory=list)
    insert: list[Change] = field(default_factory=list)
    update: list[tuple[Change, list[str]]] = field(default_factory=list)
    count: list[tuple[Change, int]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.delete or self.insert or self.update or self.count)

    @property
    def every(self) -> list[Change]:
        """The rows that it is about."""
        return [*self.taken_back, *self.insert, *(change for change, _ in self.count)]

    @property
    def names(self) -> set[str]:
        """The fields that it is about."""
        return {
            *(f"{change.name}.{column}" for change, columns in self.update for column in columns),
            *(change.name for change in [*self.delete, *self.insert]),
            *(f"{change.name}.{COUNT}" if change.updated else change.name for change, _ in self.count),
        }

    @property
    def taken_back(self) -> list[Change]:
        """The rows that it deletes or updates, on which others may have built."""
        return [*self.delete, *(change for change, _ in self.update)]


class Steps:
    """Makes the steps of plans for one transaction."""

    def __init__(self, rows: Rows, tables: Iterable[TableId], *, updated: bool) -> None:
        """`updated`: the action was an UPDATE, so a row that is gone and one that came are the same."""
        self.rows, self.database, self.updated = rows, rows.database, updated
        self.tables = {table_id: rows.table(table_id) for table_id in tables}
        self._leaving: set[tuple[TableId, str]] = set()

    def of(self, plan: Plan, *, moves: bool) -> list[Step]:
        """The steps.

        Args:
            moves: A row that is gone and one that came may be one whose key changed: change it back, and
                whatever refers to it follows. Otherwise delete the one and insert the other.
        """
        pairs = self._moved(plan) if moves else []
        moved = {id(change) for pair in pairs for change in pair}
        self._leaving = {(change.table_id, change.key_text) for change in plan.delete}
        delete = [change for change in plan.delete if id(change) not in moved]
        insert = [change for change in plan.insert if id(change) not in moved]
        return list(self._steps(Plan(delete, insert, plan.update, plan.count), pairs))

    def _steps(self, plan: Plan, pairs: Sequence[tuple[Change, Change]]) -> Iterator[Step]:
        keys = self._foreign_keys()
        for gone, come in pairs:
            yield self._update(come, {n: v for n, v in (gone.before or {}).items() if n != ROWID})
        leaving = parents_first(
            plan.delete, [change.after or {} for change in plan.delete], keys, self.tables
        )
        for placed in leaving:
            if placed.later:
                yield self._update(placed.change, dict.fromkeys(placed.later))
        for placed in reversed(leaving):
            yield self._delete(placed.change)
        coming = parents_first(
            plan.insert, [change.before or {} for change in plan.insert], keys, self.tables
        )
        for placed in coming:
            yield self._insert(placed.change, placed.later)
        for placed in coming:
            if placed.later:
                yield self._update(
                    placed.change, {name: (placed.change.before or {})[name] for name in placed.later}
                )
        for change, columns in plan.update:
            yield self._update(change, {name: (change.before or {})[name] for name in columns})
        for change, number in plan.count:
            yield from self._count(change, number)

    def _moved(self, plan: Plan) -> list[tuple[Change, Change]]:
        """Pairs of a row to insert and one to delete that are the same row under two keys."""
        pairs = []
        for table_id in self.tables:
            gone = [change for change in plan.insert if change.table_id == table_id]
            come = [change for change in plan.delete if change.table_id == table_id]
            for columns in self._telling(self.tables[table_id]):
                same = _alike(gone, come, columns)
                used = {id(change) for pair in same for change in pair}
                gone, come = ([one for one in some if id(one) not in used] for some in (gone, come))
                pairs += same
            if self.updated and len(gone) == len(come):
                pairs += zip(gone, come, strict=True)
        return pairs

    def _telling(self, table: Table) -> list[list[str]]:
        """Columns by which a row is known under another key: all others, or those that others refer to."""
        rest = [column.name for column in table.stored if column.name not in table.key]
        return [rest, *(list(key.parent_columns) for key in self.rows.referencing(table))]

    def _foreign_keys(self) -> list[ForeignKey]:
        return [
            key
            for table in self.tables.values()
            for key in self.rows.referencing(table)
            if key.child in self.tables
        ]

    def _update(self, change: Change, values: Values) -> Step:
        table = self.tables[change.table_id]
        sets, parameters = self._assign(table, values, "v")
        where, keys = self._assign(table, change.key, "k")
        return Step(
            literal(f"UPDATE {table.own_sql} SET ") + ", ".join(sets) + " WHERE " + " AND ".join(where),
            parameters | keys,
        )

    def _delete(self, change: Change) -> Step:
        table = self.tables[change.table_id]
        where, keys = self._assign(table, change.key, "k")
        return Step(literal(f"DELETE FROM {table.own_sql} WHERE ") + " AND ".join(where), keys)

    def _insert(self, change: Change, later: Sequence[str] = ()) -> Step:
        table = self.tables[change.table_id]
        before = change.before or {}
        columns = [column for column in table.stored if column.name in before]
        names = [quote(column.name) for column in columns]
        marks = [self.database.placeholder(column, f"v{place}") for place, column in enumerate(columns)]
        parameters = {
            f"v{place}": None if column.name in later else self.database.encode(column, before[column.name])
            for place, column in enumerate(columns)
        }
        if table.rowid and before.get(ROWID) is not None and self._free(table, before[ROWID]):
            names, marks = [table.rowid, *names], [":rowid", *marks]
            parameters["rowid"] = before[ROWID]
        overriding = "OVERRIDING SYSTEM VALUE " if self.database.dialect == "postgres" else ""
        head = literal(f"INSERT INTO {table.sql} ({', '.join(names)}) {overriding}VALUES ")
        return Step(f"{head}({', '.join(marks)})", parameters)

    def _count(self, change: Change, number: int) -> Iterator[Step]:
        table = self.tables[change.table_id]
        if number > 0:
            came = Change(change.table_id, change.label, change.key, change.key, None)
            yield from [self._insert(came)] * number
            return
        condition, parameters = equal_rows(self.database, table, [change.key])
        inner = literal(f"SELECT t.ctid FROM {table.own_sql} t WHERE ") + f"{condition} LIMIT {-number}"
        yield Step(literal(f"DELETE FROM {table.own_sql} WHERE ctid IN ") + f"({inner})", parameters)

    def _free(self, table: Table, rowid: int) -> bool:
        """Whether a row's hidden number is free, or becomes so before the row comes back."""
        keys = ", ".join(self.database.selected(column, "t") for column in table.key_columns)
        sql = literal(f"SELECT {keys} FROM {table.sql} t WHERE t.{table.rowid} = ") + ":rowid"
        row = self.rows.connection.execute(text(sql), {"rowid": rowid}).first()
        return (
            row is None
            or (table.id, key_text(list(self.rows.named(table.key_columns, row).values()))) in self._leaving
        )

    def _assign(self, table: Table, values: Values, prefix: str) -> tuple[list[str], dict[str, Any]]:
        parts, parameters = [], {}
        for place, (name, value) in enumerate(values.items()):
            column = table.column(name)
            parameters[f"{prefix}{place}"] = self.database.encode(column, value)
            parts.append(f"{literal(quote(name))} = {self.database.placeholder(column, f'{prefix}{place}')}")
        return parts, parameters


def _alike(
    gone: Sequence[Change], come: Sequence[Change], columns: Sequence[str]
) -> list[tuple[Change, Change]]:
    """Pairs that are equal in these columns, and not NULL in all of them."""
    waiting: dict[str, list[Change]] = {}
    for change in reversed(come):
        waiting.setdefault(_part(change.after, columns), []).append(change)
    empty = _part({}, columns)
    return [
        (change, found.pop())
        for change in gone
        if (part := _part(change.before, columns)) != empty and (found := waiting.get(part))
    ]


def _part(image: Values | None, columns: Sequence[str]) -> str:
    return key_text([(image or {}).get(name) for name in columns])
