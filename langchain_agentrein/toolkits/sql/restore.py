"""The undo: one transaction that looks, restores, and reads back what it restored."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from langchain_agentrein.action import Json
from langchain_agentrein.errors import AgentReinError, Conflict, NotDone, Throttled
from langchain_agentrein.toolkits.sql.attached import attached
from langchain_agentrein.toolkits.sql.capture import PAUSE, Images, reason
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.model import ForeignKey, Table, TableId, literal, quote
from langchain_agentrein.toolkits.sql.observation import Change, changes
from langchain_agentrein.toolkits.sql.order import parents_first
from langchain_agentrein.toolkits.sql.rows import ROWID, Rows, Values


def restore(
    database: Database, before: Json, fields: Sequence[str] | None, *, forced: bool = False
) -> list[str]:
    """Put back what the action changed, where it still is as the action left it.

    Args:
        before: The snapshot.
        fields: The fields that may be restored; `None`: all.
        forced: Overwrite what others changed since.
    Returns:
        What stays, one sentence each.
    Raises:
        Conflict: Something is neither as the action left it nor as it was before. Nothing changed.
        Throttled: Other transactions stood in the way. Nothing changed.
    """
    for attempt in range(database.tries):
        try:
            with database.writing() as connection:
                residue = _Restore(database, connection, before, fields, forced=forced).run()
                connection.commit()
                return residue
        except IntegrityError as error:
            raise Conflict("the rows as they were no longer fit the database", [reason(error)]) from error
        except SQLAlchemyError as error:
            if not database.transient(error):
                raise
            if attempt == database.tries - 1:
                raise Throttled(f"another transaction is in the way: {reason(error)}") from error
        time.sleep(PAUSE * 2**attempt)
    raise AssertionError("unreachable")


@dataclass(frozen=True, slots=True)
class _Statement:
    """One step of the undo."""

    sql: str
    parameters: dict[str, Any]


@dataclass(slots=True)
class _Plan:
    """What is to be put back.

    Attributes:
        columns: For an update, the columns to restore.
    """

    delete: list[Change] = field(default_factory=list)
    insert: list[Change] = field(default_factory=list)
    update: list[tuple[Change, list[str]]] = field(default_factory=list)


class _Restore:
    def __init__(
        self,
        database: Database,
        connection: Connection,
        before: Json,
        fields: Sequence[str] | None,
        *,
        forced: bool,
    ) -> None:
        self.forced = forced
        self.database, self.connection, self.before = database, connection, before
        self.fields = None if fields is None else frozenset(fields)
        self.rows = Rows(database, connection)
        self.changes = list(changes(before))

    def run(self) -> list[str]:
        self._tables_fit()
        self.database.defer(self.connection)
        with self.database.plain(self.connection):
            plan = self._plan(self._present(lock=True))
            undone = [*plan.delete, *(change for change, _ in plan.update)]
            if found := attached(self.rows, undone):
                raise Conflict("others have since built on it", found)
            self._apply(list(self._statements(plan)))
            self._read_back(plan)
        return [*self._counters(), *self._residue()]

    def _tables_fit(self) -> None:
        """The tables must still have the columns that are to be restored."""
        for change in self.changes:
            try:
                table = self.rows.table(change.table_id)
            except NotDone as error:
                raise Conflict(f"the table {change.label} is gone") from error
            known = {column.name for column in table.stored}
            if missing := {*(change.before or ()), *change.key} - known - {ROWID}:
                raise Conflict(f"{change.label} has no column {', '.join(sorted(missing))} any more")

    def _present(self, *, lock: bool = False) -> Images:
        return {
            table_id: self.rows.keyed(self.rows.table(table_id), (change.key for change in some), lock=lock)
            for table_id, some in _by_table(self.changes).items()
        }

    def _plan(self, present: Images) -> _Plan:
        """Compare row by row; what is already as before is left alone."""
        plan, moved = _Plan(), []
        for change in self.changes:
            now = change.fields(present[change.table_id].get(change.key_text))
            was, left = change.fields(change.before), change.fields(change.after)
            columns = []
            for name in was:
                if (self.fields is not None and name not in self.fields) or now.get(name, _GONE) == was[name]:
                    continue
                # Forced, a changed row is overwritten; what is gone altogether cannot be.
                overwritten = self.forced and name in now and (change.updated or change.before is None)
                if now.get(name, _GONE) != left[name] and not overwritten:
                    moved.append(
                        f"{name} was changed since" if name in now else f"{change.name} was deleted since"
                    )
                columns.append(name.removeprefix(f"{change.name}."))
            if columns and change.updated:
                plan.update.append((change, columns))
            elif columns:
                (plan.delete if change.before is None else plan.insert).append(change)
        if moved:
            raise Conflict("somebody changed what would be overwritten", list(dict.fromkeys(moved)))
        return plan

    def _statements(self, plan: _Plan) -> Iterator[_Statement]:
        keys = self._foreign_keys()
        tables = {change.table_id: self.rows.table(change.table_id) for change in self.changes}
        leaving = parents_first(plan.delete, [change.after or {} for change in plan.delete], keys, tables)
        for placed in leaving:
            if placed.later:
                yield self._update(placed.change, dict.fromkeys(placed.later))
        for placed in reversed(leaving):
            yield self._delete(placed.change)
        coming = parents_first(plan.insert, [change.before or {} for change in plan.insert], keys, tables)
        for placed in coming:
            yield self._insert(placed.change, placed.later)
        for placed in coming:
            if placed.later:
                yield self._update(
                    placed.change, {name: (placed.change.before or {})[name] for name in placed.later}
                )
        for change, columns in plan.update:
            yield self._update(change, {name: (change.before or {})[name] for name in columns})

    def _foreign_keys(self) -> list[ForeignKey]:
        ids = {change.table_id for change in self.changes}
        return [
            key
            for table_id in ids
            for key in self.rows.referencing(self.rows.table(table_id))
            if key.child in ids
        ]

    def _update(self, change: Change, values: Values) -> _Statement:
        table = self.rows.table(change.table_id)
        sets, parameters = self._assign(table, values, "v")
        where, keys = self._assign(table, change.key, "k")
        return _Statement(
            literal(f"UPDATE {table.sql} SET ") + ", ".join(sets) + " WHERE " + " AND ".join(where),
            parameters | keys,
        )

    def _delete(self, change: Change) -> _Statement:
        table = self.rows.table(change.table_id)
        where, keys = self._assign(table, change.key, "k")
        return _Statement(literal(f"DELETE FROM {table.sql} WHERE ") + " AND ".join(where), keys)

    def _insert(self, change: Change, later: Sequence[str]) -> _Statement:
        table = self.rows.table(change.table_id)
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
        return _Statement(f"{head}({', '.join(marks)})", parameters)

    def _free(self, table: Table, rowid: int) -> bool:
        sql = literal(f"SELECT 1 FROM {table.sql} WHERE {table.rowid} = ") + ":rowid"
        return self.connection.execute(text(sql), {"rowid": rowid}).first() is None

    def _assign(self, table: Table, values: Values, prefix: str) -> tuple[list[str], dict[str, Any]]:
        parts, parameters = [], {}
        for place, (name, value) in enumerate(values.items()):
            column = table.column(name)
            parameters[f"{prefix}{place}"] = self.database.encode(column, value)
            parts.append(f"{literal(quote(name))} = {self.database.placeholder(column, f'{prefix}{place}')}")
        return parts, parameters

    def _apply(self, statements: list[_Statement]) -> None:
        """All in order; if a unique value is still taken by a row that moves later, row by row until all fit."""
        try:
            with self.connection.begin_nested():
                for sql, some in groupby(statements, key=lambda statement: statement.sql):
                    self.connection.execute(text(sql), [statement.parameters for statement in some])
            return
        except IntegrityError:
            pass
        while statements:
            left, first = [], None
            for statement in statements:
                try:
                    with self.connection.begin_nested():
                        self.connection.execute(text(statement.sql), statement.parameters)
                except IntegrityError as error:
                    left.append(statement)
                    first = first or error
            if first is not None and len(left) == len(statements):
                raise first
            statements = left

    def _read_back(self, plan: _Plan) -> None:
        present = self._present()
        for change in [*plan.delete, *plan.insert]:
            now = change.fields(present[change.table_id].get(change.key_text))
            if now != change.fields(change.before):
                raise AgentReinError(
                    f"{change.name} reads back different from what was before; nothing was undone"
                )
        for change, columns in plan.update:
            row = present[change.table_id].get(change.key_text, {})
            if any(row.get(name, _GONE) != (change.before or {})[name] for name in columns):
                raise AgentReinError(
                    f"{change.name} reads back different from what was before; nothing was undone"
                )

    def _counters(self) -> Iterator[str]:
        for counter in self.before["counters"]:
            name = counter["name"]
            table = self.rows.table(next(c.table_id for c in self.changes if c.table_id[1] == name))
            now = self.database.counter(self.connection, table)
            if self.fields is None and now == counter["after"]:
                self.database.set_counter(self.connection, table, counter["before"])
            elif now != counter["before"]:
                yield f"the AUTOINCREMENT counter of {table.label} stays at {now}"

    def _residue(self) -> Iterator[str]:
        for sequence in self.before["sequences"]:
            yield f"sequence {sequence} advanced"
        for table_id in _by_table(self.changes):
            table = self.rows.table(table_id)
            if table.triggers:
                yield f"triggers of {table.label} ran during the undo: {', '.join(table.triggers)}"


_GONE: Any = object()


def _by_table(some: Sequence[Change]) -> dict[TableId, list[Change]]:
    found: dict[TableId, list[Change]] = {}
    for change in some:
        found.setdefault(change.table_id, []).append(change)
    return found
