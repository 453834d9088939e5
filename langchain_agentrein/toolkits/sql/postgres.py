"""Postgres: values travel as the text that Postgres prints and reads, so every type is exact."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.sql.binding import bind
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.model import Column, ForeignKey, Table, literal, quote
from langchain_agentrein.toolkits.sql.postgres_catalogue import (
    filling,
    find_table,
    foreign_keys,
    last_values,
    planned,
)
from langchain_agentrein.toolkits.sql.postgres_record import PostgresRecorder
from langchain_agentrein.toolkits.sql.recording import Changed, Recorder, Rehearsal
from langchain_agentrein.toolkits.sql.statement import Name, Statement

PLAIN = {
    "DateStyle": "ISO, YMD",
    "TimeZone": "UTC",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "lc_monetary": "C",
}
"""Settings that change how values print."""


class Postgres(Database):
    """A PostgreSQL database, version 13 or newer."""

    dialect = "postgres"
    locking = "FOR UPDATE OF t"
    tries = 5

    def begin(self) -> Connection:
        connection = self.engine.connect()
        try:
            level = connection.get_isolation_level()
            connection.connection.rollback()
            # One snapshot for images and statement: a row that changes in between fails the transaction.
            level = "SERIALIZABLE" if level == "SERIALIZABLE" else "REPEATABLE READ"
            return connection.execution_options(isolation_level=level)
        except BaseException:
            connection.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            connection.execute(text("SET TRANSACTION READ ONLY"))
            yield connection

    def table(self, connection: Connection, name: Name, schema: Name | None = None) -> Table:
        return find_table(self, connection, name, schema)

    def referencing(self, connection: Connection, parent: Table) -> Sequence[ForeignKey]:
        return foreign_keys(self, connection, parent)

    @contextmanager
    def plain(self, connection: Connection) -> Iterator[None]:
        current = ", ".join(f"current_setting('{name}')" for name in PLAIN)
        values = dict(zip(PLAIN, self.all(connection, f"SELECT {current}")[0], strict=True))
        self._set(connection, PLAIN)
        yield
        self._set(connection, values)

    def _set(self, connection: Connection, settings: Mapping[str, str]) -> None:
        calls = ", ".join(f"set_config('{name}', :p{place}, true)" for place, name in enumerate(settings))
        self.all(
            connection,
            f"SELECT {calls}",
            **{f"p{place}": value for place, value in enumerate(settings.values())},
        )

    def handles(self, table: Table, alias: str) -> list[str]:
        return [f"CAST({alias}.ctid AS text)"]

    def by_handles(self, table: Table, handles: Sequence[tuple[Any, ...]]) -> tuple[str, dict[str, Any]]:
        listed = ",".join(f'"{handle[0]}"' for handle in handles)
        return "t.ctid = ANY (CAST(:h AS tid[]))", {"h": "{" + listed + "}"}

    def selected(self, column: Column, alias: str) -> str:
        name = f"{alias}.{quote(column.name)}"
        return f"encode({name}, 'hex')" if column.kind == "bytes" else f"CAST({name} AS text)"

    def placeholder(self, column: Column, name: str) -> str:
        return (
            f"decode(:{name}, 'hex')"
            if column.kind == "bytes"
            else f"CAST(:{name} AS {literal(column.type)})"
        )

    def decode(self, column: Column, value: Any) -> Json:
        if value is None:
            return None
        match column.kind:
            case "int":
                return int(value)
            case "bool":
                return value == "true"
            case "bytes":
                return bytes.fromhex(value)
        return str(value)

    def encode(self, column: Column, value: Json) -> Any:
        if value is None:
            return None
        match column.kind:
            case "bool":
                return "true" if value else "false"
            case "bytes":
                return bytes(value).hex()
        return str(value)

    def defer(self, connection: Connection) -> None:
        connection.execute(text("SET CONSTRAINTS ALL DEFERRED"))

    def recorder(
        self,
        connection: Connection,
        statements: Sequence[Statement],
        parameters: Mapping[str, Json] | None,
        most: int,
    ) -> Recorder:
        return PostgresRecorder(self, connection, statements, parameters, most)

    def rehearse(
        self, statements: Sequence[Statement], parameters: Mapping[str, Json] | None, most: int
    ) -> Rehearsal:
        """Asks the planner: running them, and rolling back, would advance sequences."""
        found: Counter[str] = Counter()
        with self.reading() as connection:
            for statement in statements:
                explain = bind(f"EXPLAIN (FORMAT JSON) {statement.sql}", parameters, self.dialect)
                found.update(planned(connection.execute(explain).scalar_one()))
        return Rehearsal(found, exact=False)

    def settle(self, connection: Connection) -> None:
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))

    def counters(self, connection: Connection) -> dict[str, int]:
        return last_values(self, connection)

    def own_counters(
        self,
        connection: Connection,
        moved: Sequence[dict[str, Json]],
        changed: Sequence[Changed],
        statements: Sequence[Statement],
    ) -> tuple[list[dict[str, Json]], list[str]]:
        """None can be set back: others may have drawn from them. Those of other tables are not ours."""
        names = [str(one["name"]) for one in moved]
        if not names or any(one.table.triggers for one in changed):
            return [], names
        words = frozenset[str]().union(*(one.words for one in statements))
        tables = words | {one.table.id[1].lower() for one in changed}
        own = filling(self, connection, tables)
        called = [name for one in statements for name in one.sequences]
        return [], [
            name
            for name in names
            if name in own or any(name == one or name.endswith(f".{one}") for one in called)
        ]

    def transaction_id(self, connection: Connection) -> str | None:
        return str(self.all(connection, "SELECT CAST(pg_current_xact_id() AS text)")[0][0])

    def committed(self, transaction_id: str) -> bool | str | None:
        with self.engine.connect() as connection:
            status = self.all(connection, "SELECT pg_xact_status(CAST(:x AS xid8))", x=transaction_id)[0][0]
        if status is None:
            return None
        return (
            f"its transaction {transaction_id} is {status}"
            if status == "in progress"
            else status == "committed"
        )

    def set_counter(self, connection: Connection, name: str, value: int | None) -> bool:
        return False

    def refused_commit(self, connection: Connection, error: BaseException) -> bool:
        # 23: a deferred constraint; 40: rolled back, but for 40003, which leaves it open.
        state = _state(error)
        return state[:2] in ("23", "40") and state != "40003"

    def transient(self, error: BaseException) -> bool:
        return _state(error) in ("40001", "40P01", "55P03")

    def account(self) -> str:
        try:
            with self.engine.connect() as connection:
                row = self.all(
                    connection, "SELECT system_identifier::text, current_database() FROM pg_control_system()"
                )[0]
                return f"postgresql:{row[0]}/{row[1]}"
        except DBAPIError as error:
            if _state(error) not in ("42501", "42883", "0A000"):
                raise
        with self.engine.connect() as connection:
            name = self.all(connection, "SELECT current_database()")[0][0]
        url = self.engine.url
        return f"postgresql:{url.host or 'localhost'}:{url.port or 5432}/{name}"


def _state(error: BaseException) -> str:
    """The SQLSTATE of an error, under any driver; empty if it has none."""
    original = getattr(error, "orig", error)
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if state is None and original.args and isinstance(original.args[0], dict):
        state = original.args[0].get("C")
    found = re.fullmatch(r"[0-9A-Z]{5}", str(state or ""))
    return found.group() if found else ""
