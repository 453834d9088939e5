"""Postgres: values travel as the text that Postgres prints and reads, so every type is exact."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from langchain_agentrein.action import Json
from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.sql.database import Database, Expected
from langchain_agentrein.toolkits.sql.model import Column, ForeignKey, Table, TableId, literal, quote, spell
from langchain_agentrein.toolkits.sql.statement import Name

PLAIN = {
    "DateStyle": "ISO, YMD",
    "TimeZone": "UTC",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "lc_monetary": "C",
}
"""Settings that change how values print."""
KINDS = {"int2": "int", "int4": "int", "int8": "int", "bool": "bool", "bytea": "bytes"}
ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
NO_COUNTS: TableId = ("", "")
"""Stands in a tally where the server does not count."""

_TABLE = """
SELECT c.oid::bigint, n.nspname, c.relname, c.relkind::text, c.relpersistence::text,
       c.relispartition OR EXISTS (SELECT 1 FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)),
       ARRAY(SELECT tgname::text FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal
             AND g.tgenabled <> 'D' ORDER BY tgname),
       ARRAY(SELECT rulename::text FROM pg_rewrite r WHERE r.ev_class = c.oid ORDER BY rulename),
       n.nspname = coalesce(current_schema(), 'public'),
       ARRAY(SELECT a.attname::text FROM pg_constraint k, unnest(k.conkey) WITH ORDINALITY u (num, place)
             JOIN pg_attribute a ON a.attnum = u.num
             WHERE k.conrelid = c.oid AND k.contype = 'p' AND a.attrelid = c.oid ORDER BY u.place)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(:name)
"""
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, a.attgenerated <> '', t.typname,
       coalesce(pg_get_serial_sequence(:name, a.attname),
                substring(pg_get_expr(d.adbin, d.adrelid) FROM 'nextval\\(''(.+?)''::regclass'))
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_FOREIGN_KEYS = """
SELECT n.nspname, c.relname, k.confdeltype::text, k.confupdtype::text,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u (num, place)
             JOIN pg_attribute a ON a.attnum = u.num WHERE a.attrelid = k.conrelid ORDER BY u.place),
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u (num, place)
             JOIN pg_attribute a ON a.attnum = u.num WHERE a.attrelid = k.confrelid ORDER BY u.place)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.confrelid = to_regclass(:name) AND k.conparentid = 0
ORDER BY n.nspname, c.relname, k.conname
"""


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
        spelled = ".".join(
            quote(one.text if one.quoted else one.text.lower()) for one in (schema, name) if one
        )
        found = self.all(connection, _TABLE, name=spelled)
        if not found:
            raise NotDone(f"nothing changed: there is no table {spelled}; use sql_schema to see the tables")
        oid, namespace, real, kind, persistence, family, triggers, rules, near, key = found[0]
        full = f"{quote(namespace)}.{quote(real)}"
        columns = tuple(
            Column(row[0], row[1], row[2], row[3], KINDS.get(row[4], "text"), row[5])
            for row in self.all(connection, _COLUMNS, oid=oid, name=full)
        )
        kinds = {
            "v": "a view",
            "m": "a materialized view",
            "f": "a foreign table",
            "p": "a partitioned table",
        }
        refusal = None
        if kind != "r":
            refusal = f"is {kinds.get(kind, 'no plain table')}: write to plain tables"
        elif namespace in ("pg_catalog", "information_schema"):
            refusal = "belongs to Postgres itself"
        elif persistence == "t":
            refusal = "is temporary: gone with its connection"
        elif family:
            refusal = "is part of a partitioned or inherited table"
        elif not key:
            refusal = "has no primary key, by which its rows could be found again"
        elif any(column.generated for column in columns if column.name in key):
            refusal = "has a primary key that the database computes"
        elif triggers:
            refusal = f"has triggers ({', '.join(triggers)}), whose changes cannot be captured"
        elif rules:
            refusal = f"has rules ({', '.join(rules)}), whose changes cannot be captured"
        label = spell(real) if near else f"{spell(namespace)}.{spell(real)}"
        return Table((namespace, real), label, columns, tuple(key), refusal, tuple(triggers))

    def referencing(self, connection: Connection, parent: Table) -> Sequence[ForeignKey]:
        return [
            ForeignKey(
                (row[0], row[1]), tuple(row[4]), parent.id, tuple(row[5]), ACTIONS[row[2]], ACTIONS[row[3]]
            )
            for row in self.all(connection, _FOREIGN_KEYS, name=parent.sql)
        ]

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

    def tally(self, connection: Connection) -> Mapping[TableId, tuple[int, int, int]]:
        if self.all(connection, "SELECT current_setting('track_counts')")[0][0] != "on":
            return {NO_COUNTS: (0, 0, 0)}
        rows = self.all(
            connection,
            "SELECT schemaname, relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_xact_user_tables "
            "WHERE n_tup_ins + n_tup_upd + n_tup_del > 0",
        )
        return {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}

    def miscounted(
        self,
        before: Mapping[TableId, tuple[int, int, int]],
        after: Mapping[TableId, tuple[int, int, int]],
        expected: Mapping[TableId, Expected],
    ) -> str | None:
        if NO_COUNTS in before:
            return None
        for table in sorted({*before, *after, *expected}):
            inserted, updated, deleted = (
                now - was
                for now, was in zip(after.get(table, (0, 0, 0)), before.get(table, (0, 0, 0)), strict=True)
            )
            own = expected.get(table, Expected())
            most = max(own.updated, own.touched)
            if (inserted, deleted) != (own.inserted, own.deleted) or not own.updated <= updated <= most:
                return (
                    f"Postgres counts {inserted} inserted, {updated} updated and {deleted} deleted rows of "
                    f"{'.'.join(table)}, not all of which could be captured"
                )
        return None

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

    def set_counter(self, connection: Connection, table: Table, value: int | None) -> None:
        raise NotImplementedError("sequences are never set back: others may have drawn from them")

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
