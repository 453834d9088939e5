"""SQLite: one writer at a time, values of any type in any column."""

from __future__ import annotations

import math
import os
import re
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Pool, text
from sqlalchemy.exc import DBAPIError

from langchain_agentrein.action import Json
from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.model import Column, ForeignKey, Table, literal, quote, spell
from langchain_agentrein.toolkits.sql.recording import Recorder, Rehearsal
from langchain_agentrein.toolkits.sql.sqlite_log import LogRecorder
from langchain_agentrein.toolkits.sql.statement import Name, Statement

MAIN = "main"
WAIT = 30.0
"""Seconds to wait for another thread's transaction on a database in memory."""
_ON_CONFLICT = re.compile(r"(?i)\bon\s+conflict\s+(replace|ignore|rollback|fail)\b")
_SHARED: weakref.WeakKeyDictionary[Pool, threading.Lock] = weakref.WeakKeyDictionary()
_SHARED_GUARD = threading.Lock()


class SQLite(Database):
    """A SQLite file, or a database in memory."""

    dialect = "sqlite"
    aliased = False

    def begin(self) -> Connection:
        self._enter()
        try:
            connection = self.engine.connect()
            try:
                raw = connection.connection.dbapi_connection
                connection.execute(text("SELECT 1")).all()
                # The engine may be set up to begin a transaction of its own, which came too late to lock.
                if getattr(raw, "in_transaction", False):
                    connection.exec_driver_sql("ROLLBACK")
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            except BaseException:
                connection.close()
                raise
        except BaseException:
            self._leave()
            raise
        return connection

    def end(self, connection: Connection) -> None:
        if connection.closed:
            return
        try:
            super().end(connection)
        finally:
            self._leave()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        self._enter()
        try:
            with self.engine.connect() as connection:
                was = connection.exec_driver_sql("PRAGMA query_only").scalar_one()
                connection.exec_driver_sql("PRAGMA query_only = 1")
                try:
                    if not getattr(connection.connection.dbapi_connection, "in_transaction", False):
                        connection.exec_driver_sql("BEGIN")
                    yield connection
                finally:
                    connection.exec_driver_sql(f"PRAGMA query_only = {int(was)}")
        finally:
            self._leave()

    def table(self, connection: Connection, name: Name, schema: Name | None = None) -> Table:
        if schema is not None and schema.text.lower() != MAIN:
            raise NotDone(
                f"refused, nothing changed: {schema.text} is an attached database; only main can be undone"
            )
        if self.all(
            connection, "SELECT 1 FROM sqlite_temp_master WHERE lower(name) = lower(:n)", n=name.text
        ):
            raise NotDone(f"refused, nothing changed: {name.text} is temporary: gone with its connection")
        found = self.all(
            connection,
            "SELECT name, type, sql FROM sqlite_master WHERE lower(name) = lower(:n) AND type IN ('table', 'view')",
            n=name.text,
        )
        if not found:
            raise NotDone(f"nothing changed: there is no table {name.text}; use sql_schema to see the tables")
        real, kind, sql = found[0]
        return self._table(connection, str(real), str(kind), str(sql or ""))

    def _table(self, connection: Connection, name: str, kind: str, sql: str) -> Table:
        info = self.all(
            connection, 'SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(:n)', n=name
        )
        columns = tuple(
            Column(row[0], row[1] or "", not row[2], row[4] in (2, 3), "real" if _is_real(row[1]) else "any")
            for row in info
        )
        key = tuple(row[0] for row in sorted((row for row in info if row[3]), key=lambda row: row[3]))
        triggers = tuple(
            row[0]
            for row in self.all(
                connection,
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = lower(:n) "
                "UNION ALL SELECT name FROM sqlite_temp_master WHERE type = 'trigger' AND lower(tbl_name) = lower(:n)",
                n=name,
            )
        )
        integer = len(key) == 1 and any(row[3] and (row[1] or "").upper() == "INTEGER" for row in info)
        free = [
            alias for alias in ("rowid", "_rowid_", "oid") if alias not in {row[0].lower() for row in info}
        ]
        refusal = None
        if name.lower().startswith("sqlite_"):
            refusal = "belongs to SQLite itself"
        elif re.match(r"(?i)\s*create\s+virtual", sql):
            refusal = "is a virtual table, whose changes cannot be captured"
        hidden = kind == "table" and not refusal and not integer and free
        rowid = free[0] if hidden and self._has(connection, name, free[0]) else None
        if rowid and not key:  # nothing but its number tells a row from others
            columns, key, rowid = (*columns, Column(rowid, "INTEGER", False, False, "any")), (rowid,), None
        return Table(
            (MAIN, name),
            spell(name),
            columns,
            key,
            refusal,
            indirect=kind == "view" or bool(triggers),
            view=kind == "view",
            resolves=frozenset(found.group(1).lower() for found in _ON_CONFLICT.finditer(sql)),
            triggers=triggers,
            rowid=rowid,
        )

    def says(
        self, connection: Connection, tables: Sequence[Table], statements: Sequence[Statement], word: str
    ) -> bool:
        """Whether statements, tables, or triggers that may run, mention a way to resolve conflicts."""
        return (
            any(word in statement.words for statement in statements)
            or any(word in table.resolves for table in tables)
            or any(
                word in str(row[0]).lower()
                for row in self.all(
                    connection,
                    "SELECT sql FROM sqlite_master WHERE type = 'trigger' "
                    "UNION ALL SELECT sql FROM sqlite_temp_master WHERE type = 'trigger'",
                )
                if any(table.triggers for table in tables)
            )
        )

    def tables(self, connection: Connection) -> list[Table]:
        """Every table and view, but for SQLite's own and what belongs to virtual tables."""
        names = self.all(
            connection,
            "SELECT m.name, m.type, m.sql FROM sqlite_master m JOIN pragma_table_list l ON l.name = m.name "
            "WHERE l.schema = 'main' AND l.type IN ('table', 'view') AND m.type IN ('table', 'view') "
            "AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY m.rowid",
        )
        return [self._table(connection, str(row[0]), str(row[1]), str(row[2] or "")) for row in names]

    def _has(self, connection: Connection, name: str, rowid: str) -> bool:
        """Whether the table has row numbers: one WITHOUT ROWID has none."""
        try:
            connection.execute(
                text(literal(f"SELECT {rowid} FROM {quote(MAIN)}.{quote(name)} LIMIT 0"))
            ).all()
        except DBAPIError:
            return False
        return True

    def referencing(self, connection: Connection, parent: Table) -> Sequence[ForeignKey]:
        rows = self.all(
            connection,
            'SELECT m.name, f.id, f."from", f."to", f.on_update, f.on_delete FROM sqlite_master m '
            "JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' AND lower(f.\"table\") = lower(:n) "
            "ORDER BY m.name, f.id, f.seq",
            n=parent.id[1],
        )
        keys: dict[tuple[str, int], list[Any]] = {}
        for row in rows:
            keys.setdefault((row[0], row[1]), []).append(row)
        names = {column.name.lower(): column.name for column in parent.columns}
        found = []
        for (child, _), pairs in keys.items():
            referred = (
                parent.key
                if pairs[0][3] is None
                else tuple(names.get(pair[3].lower(), pair[3]) for pair in pairs)
            )
            own = {
                row[0].lower(): row[0]
                for row in self.all(connection, "SELECT name FROM pragma_table_xinfo(:n)", n=child)
            }
            columns = tuple(own.get(pair[2].lower(), pair[2]) for pair in pairs)
            found.append(ForeignKey((MAIN, child), columns, parent.id, referred, pairs[0][5], pairs[0][4]))
        return found

    def cascades(self, connection: Connection) -> bool:
        return bool(connection.exec_driver_sql("PRAGMA foreign_keys").scalar())

    def handles(self, table: Table, alias: str) -> list[str]:
        return [self.selected(column, alias) for column in table.key_columns]

    def by_handles(self, table: Table, handles: Sequence[tuple[Any, ...]]) -> tuple[str, dict[str, Any]]:
        columns = ", ".join(f"t.{quote(name)}" for name in table.key)
        names = [[f"h{row}_{place}" for place in range(len(handle))] for row, handle in enumerate(handles)]
        rows = ", ".join("(" + ", ".join(f":{name}" for name in row) + ")" for row in names)
        values = {
            name: value
            for row, handle in zip(names, handles, strict=True)
            for name, value in zip(row, handle, strict=True)
        }
        return f"({literal(columns)}) IN (VALUES {rows})", values

    def selected(self, column: Column, alias: str) -> str:
        # The sign changes nothing but hides the declared type, for which a driver may have converters.
        return f"+{alias}.{quote(column.name)}" if alias else f"+{quote(column.name)}"

    def placeholder(self, column: Column, name: str) -> str:
        return f":{name}"

    def decode(self, column: Column, value: Any) -> Json:
        if isinstance(value, float) and (
            not math.isfinite(value) or (value.is_integer() and column.kind != "real")
        ):
            return {"real": repr(value)}
        return value

    def encode(self, column: Column, value: Json) -> Any:
        return float(value["real"]) if isinstance(value, dict) else value

    def defer(self, connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = 1")

    def recorder(
        self,
        connection: Connection,
        statements: Sequence[Statement],
        parameters: Mapping[str, Json] | None,
        most: int,
    ) -> Recorder:
        return LogRecorder(self, connection, statements, parameters, most)

    def rehearse(
        self, statements: Sequence[Statement], parameters: Mapping[str, Json] | None, most: int
    ) -> Rehearsal:
        """Runs them, counts, and rolls back: on SQLite nothing of that is left."""
        with self.writing() as connection:
            recorder = self.recorder(connection, statements, parameters, most)
            try:
                recorder.start()
                for statement in statements:
                    recorder.run(statement)
                changed = recorder.changed(counting=True)
            finally:
                recorder.close()
        return Rehearsal({one.table.label: one.rows.count for one in changed}, exact=True)

    def counters(self, connection: Connection) -> dict[str, int]:
        if not self.all(connection, "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"):
            return {}
        return {row[0]: int(row[1]) for row in self.all(connection, "SELECT name, seq FROM sqlite_sequence")}

    def set_counter(self, connection: Connection, name: str, value: int | None) -> bool:
        if value is None:
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :n"), {"n": name})
        else:
            connection.execute(
                text("UPDATE sqlite_sequence SET seq = :v WHERE name = :n"), {"n": name, "v": value}
            )
        return True

    def refused_commit(self, connection: Connection, error: BaseException) -> bool:
        # A COMMIT that met a reader or a broken constraint leaves its transaction open: end it and be sure.
        raw: Any = connection.connection.dbapi_connection
        if not isinstance(error, DBAPIError) or not getattr(raw, "in_transaction", False):
            return False
        try:
            raw.rollback()
        except sqlite3.Error:
            return False
        return not raw.in_transaction

    def transient(self, error: BaseException) -> bool:
        original = getattr(error, "orig", None)
        return isinstance(original, sqlite3.OperationalError) and "locked" in str(original)

    def account(self) -> str:
        file = self.file()
        return f"sqlite:{file}" if file is not None else f"sqlite:memory:{os.getpid()}-{id(self.engine.pool)}"

    def file(self) -> Path | None:
        name = self.engine.url.database
        if self._turn() is not None or not name:
            return None
        if not name.startswith("file:"):
            return Path(name).resolve()
        with self.engine.connect() as connection:
            found = {row[1]: row[2] for row in connection.exec_driver_sql("PRAGMA database_list")}
        return Path(found[MAIN]).resolve() if found.get(MAIN) else None

    def _enter(self) -> None:
        """In memory all threads may share one connection, and so one transaction: take turns."""
        if (lock := self._turn()) is not None and not lock.acquire(timeout=WAIT):
            raise NotDone("nothing changed: the database in memory is busy in another thread; use a file")

    def _leave(self) -> None:
        if (lock := self._turn()) is not None:
            lock.release()

    def _turn(self) -> threading.Lock | None:
        name = self.engine.url.database
        if name and name != ":memory:" and "memory" not in name:
            return None
        with _SHARED_GUARD:
            return _SHARED.setdefault(self.engine.pool, threading.Lock())


def _is_real(declared: str | None) -> bool:
    name = (declared or "").upper()
    if "INT" in name or any(part in name for part in ("CHAR", "CLOB", "TEXT", "BLOB")):
        return False
    return any(part in name for part in ("REAL", "FLOA", "DOUB"))
