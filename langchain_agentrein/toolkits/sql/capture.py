"""Images before and after, and the statement between them, in one transaction that is left open.

The snapshot that comes of it:

    {"dialect": "sqlite" | "postgres", "kind": "insert" | "update" | "delete",
     "xid": str | None,           # Postgres: the transaction, whose fate can be asked for
     "rowcount": int,             # rows that the statement itself names
     "tables": [{"schema": str, "name": str, "label": str,
                 "rows": [{"key": {column: value},
                           "before": {column: value} | None,     # None: it was not there
                           "after": {column: value} | None}]}],  # None: it is gone
     "sequences": [str],          # that it advanced, and an undo cannot set back
     "counters": [{"name": str, "before": int | None, "after": int}]}   # those that it can

An updated row holds only the columns that changed. A row that did not change is left out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from langchain_agentrein.action import Json
from langchain_agentrein.errors import NotDone, Throttled
from langchain_agentrein.toolkits.sql.binding import bind
from langchain_agentrein.toolkits.sql.database import Database, Expected
from langchain_agentrein.toolkits.sql.model import Table, TableId
from langchain_agentrein.toolkits.sql.reach import (
    Handle,
    PrintedKey,
    Reached,
    alias_of,
    capturable,
    direct,
    printed_key,
    reach,
    set_columns,
    spelled,
)
from langchain_agentrein.toolkits.sql.rows import ROWID, Rows, Values, key_of
from langchain_agentrein.toolkits.sql.statement import Write, refuse

PAUSE = 0.05
"""Seconds before the second try; doubled for each further one."""

Images = dict[TableId, dict[str, Values]]


@dataclass(slots=True)
class Held:
    """A transaction in which the statement ran, to be committed or rolled back."""

    connection: Connection
    before: Json


def capture(database: Database, write: Write, parameters: Mapping[str, Json] | None, most: int) -> Held:
    """Run the statement, uncommitted, with the images of everything that it changes.

    Raises:
        NotDone: It cannot run, or cannot be captured exactly. Nothing changed.
    """
    for attempt in range(database.tries):
        connection: Connection | None = None
        try:
            connection = database.begin()
            return Held(connection, _Capture(database, connection, write, parameters, most).run())
        except BaseException as error:
            if connection is not None:
                database.end(connection)
            if not isinstance(error, SQLAlchemyError):
                raise
            if not database.transient(error):
                raise NotDone(f"the statement failed, nothing changed: {reason(error)}") from error
            if attempt == database.tries - 1:
                raise Throttled(
                    f"another transaction is in the way, nothing changed: {reason(error)}"
                ) from error
        time.sleep(PAUSE * 2**attempt)
    raise AssertionError("unreachable")


def reason(error: BaseException) -> str:
    """What the database said, without the statement and its parameters."""
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return " ".join(str(original).split())


class _Capture:
    def __init__(
        self,
        database: Database,
        connection: Connection,
        write: Write,
        parameters: Mapping[str, Json] | None,
        most: int,
    ) -> None:
        self.database, self.connection = database, connection
        self.write, self.parameters, self.most = write, parameters, most
        self.rows = Rows(database, connection)

    def run(self) -> Json:
        write, database, connection = self.write, self.database, self.connection
        target = database.table(connection, write.table, write.schema)
        capturable(target)
        if write.kind == "update":
            set_columns(write, target)
        handles: dict[Handle, PrintedKey] = {}
        if write.kind != "insert":
            handles = direct(database, connection, write, target, self.parameters)
            if len(handles) > self.most:
                refuse(f"it touches {len(handles):,} rows, more than {self.most:,}", "narrow its WHERE")
        with database.plain(connection):
            named = self.rows.handled(target, handles, lock=True)
            _whole_keys(target, named, len(handles))
            reached = reach(self.rows, write, target, named, self.most)
            before = self._images(reached, lock=True)
        counter, tally = database.counter(connection, target), database.tally(connection)
        returned = self._execute(target)
        counted = database.tally(connection)
        with database.plain(connection):
            if write.kind == "insert":
                reached.keys[target.id] = self.rows.handled(target, returned)
                _whole_keys(target, reached.keys[target.id], len(returned))
            after = self._images(reached)
        self._verify(reached, set(handles.values()), set(returned), before, after)
        expected = self._expected(reached, before, after)
        if why := database.miscounted(tally, counted, expected):
            refuse(f"it changed more than could be captured: {why}")
        return {
            "dialect": database.dialect,
            "kind": write.kind,
            "xid": database.transaction_id(connection),
            "rowcount": len(returned),
            "tables": self._tables(reached, before, after),
            "sequences": self._sequences(target),
            "counters": self._counters(target, counter),
        }

    def _execute(self, target: Table) -> list[tuple[Any, ...]]:
        """Run it. An INSERT returns handles, since its keys may be new; the others return keys, which stay."""
        write, database = self.write, self.database
        alias = alias_of(write) if database.aliased else ""
        find = database.handles if write.kind == "insert" else partial(printed_key, database)
        sql = f"{write.sql}\nRETURNING {', '.join(find(target, alias))}"
        return [tuple(row) for row in self.connection.execute(bind(sql, self.parameters, database.dialect))]

    def _images(self, reached: Reached, *, lock: bool = False) -> Images:
        return {
            table_id: self.rows.keyed(self.rows.table(table_id), keys.values(), lock=lock)
            for table_id, keys in reached.keys.items()
        }

    def _verify(
        self,
        reached: Reached,
        named: set[PrintedKey],
        changed: set[PrintedKey],
        before: Images,
        after: Images,
    ) -> None:
        """The rows that the database says it changed must be those whose images were taken."""
        kind, target = self.write.kind, reached.target
        match kind:
            case "insert":
                exact = True
            case "update":
                exact = changed == named
            case "delete":  # a cascade may delete a row before the statement comes to it
                exact = changed <= named and not set(reached.direct) & set(after[target.id])
        missing = kind != "insert" and any(
            row not in before[table_id] for table_id, keys in reached.keys.items() for row in keys
        )
        if not exact or missing:
            refuse(
                f"the rows that it changed are not those that its WHERE had found in {target.label}",
                "write the WHERE without functions that answer differently each time",
            )

    def _expected(self, reached: Reached, before: Images, after: Images) -> dict[TableId, Expected]:
        expected = {}
        for table_id in reached.keys:
            old, new = before[table_id], after[table_id]
            own = table_id == reached.target.id and self.write.kind == "update"
            direct_keys = set(reached.direct) if own else set()
            differs = {row for row in old if row in new and old[row] != new[row]}
            expected[table_id] = Expected(
                inserted=len(set(new) - set(old)),
                deleted=len(set(old) - set(new)),
                updated=len(differs | direct_keys),
                touched=len(direct_keys) + reached.touched[table_id],
            )
        return expected

    def _tables(self, reached: Reached, before: Images, after: Images) -> Json:
        tables = []
        for table_id in reached.keys:
            table = self.rows.table(table_id)
            names = {**before[table_id], **after[table_id]}
            rows = [_row(table, before[table_id].get(row), after[table_id].get(row)) for row in names]
            kept = [row for row in rows if row is not None]
            if kept:
                tables.append(
                    {"schema": table_id[0], "name": table_id[1], "label": table.label, "rows": kept}
                )
        return tables

    def _sequences(self, target: Table) -> list[str]:
        """Those that the statement advanced: for the columns it leaves to their default, or by name."""
        write = self.write
        if write.kind != "insert":
            return sorted(set(write.sequences))
        named = [spelled(name, target) for name in write.columns]
        given = named or [column.name for column in target.columns[: write.values]]
        filled = {name for place, name in enumerate(given) if place not in write.defaults}
        used = {column.sequence for column in target.columns if column.sequence and column.name not in filled}
        return sorted({*used, *write.sequences})

    def _counters(self, target: Table, was: int | None) -> Json:
        now = self.database.counter(self.connection, target)
        if now == was or now is None:
            return []
        return [{"name": target.id[1], "before": was, "after": now}]


def _whole_keys(table: Table, found: dict[str, Values], handles: int) -> None:
    if len(found) != handles or any(
        value is None for row in found.values() for value in key_of(table, row).values()
    ):
        refuse(f"rows of {table.label} have NULL in their primary key", "leave them out")


def _row(table: Table, before: Values | None, after: Values | None) -> Json:
    if before is not None and after is not None:
        changed = [name for name in before if before[name] != after[name] and name != ROWID]
        if not changed:
            return None
        key = key_of(table, before)
        return {
            "key": key,
            "before": {c: before[c] for c in changed},
            "after": {c: after[c] for c in changed},
        }
    whole = before if before is not None else after
    return {"key": key_of(table, whole or {}), "before": before, "after": _shown(after)}


def _shown(values: Values | None) -> Values | None:
    return {name: value for name, value in values.items() if name != ROWID} if values is not None else None
