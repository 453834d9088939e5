"""Copies of whole tables: read, put back, and compared.

Unlike the images of a few rows, they need no primary key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, text

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.model import Column, Table, key_text, literal, quote
from langchain_agentrein.toolkits.sql.rows import ROWID, Values
from langchain_agentrein.toolkits.sql.statement import Name, refuse


def table_named(database: Database, connection: Connection, schema: str, name: str) -> Table:
    """The table of exactly this name.

    Raises:
        NotDone: There is none.
    """
    return database.table(connection, Name(name, True), Name(schema, True))


def read(database: Database, connection: Connection, table: Table, most: int | None = None) -> list[Values]:
    """Every row, in the order in which it is stored.

    Args:
        most: Refuse more rows than so many.
    Raises:
        NotDone: There are more.
    """
    columns = [database.selected(column, "t") for column in table.stored]
    sqlite = database.dialect == "sqlite"
    if table.rowid:
        columns.append(f"t.{table.rowid}")
    order = f" ORDER BY t.{table.rowid}" if table.rowid else "" if sqlite else " ORDER BY t.ctid"
    only = "" if sqlite else "ONLY "
    limit = "" if most is None else f" LIMIT {most + 1}"
    listed = ", ".join(columns) or "1"
    with database.plain(connection):
        found = connection.execute(text(literal(f"SELECT {listed} FROM {only}{table.sql} t{order}{limit}")))
        rows = [_named(database, table, row) for row in found]
    if most is not None and len(rows) > most:
        refuse(f"{table.label} has more than {most:,} rows, too many to copy", "let a person run it")
    return rows


def _named(database: Database, table: Table, row: Sequence[Any]) -> Values:
    values = {
        column.name: database.decode(column, value) for column, value in zip(table.stored, row, strict=False)
    }
    if table.rowid:
        values[ROWID] = row[len(table.stored)]
    return values


def insert(database: Database, connection: Connection, table: Table, rows: Sequence[Values]) -> None:
    """Put rows back; a column that they do not name gets its default."""
    for names, some in _alike(rows):
        columns = [column for column in table.stored if column.name in names]
        if database.dialect == "sqlite":
            _insert_each(database, connection, table, columns, some)
        else:
            _insert_at_once(database, connection, table, columns, some)


def _alike(rows: Iterable[Values]) -> Iterator[tuple[frozenset[str], list[Values]]]:
    groups: dict[frozenset[str], list[Values]] = {}
    for row in rows:
        groups.setdefault(frozenset(row), []).append(row)
    yield from groups.items()


def _insert_each(
    database: Database,
    connection: Connection,
    table: Table,
    columns: Sequence[Column],
    rows: Sequence[Values],
) -> None:
    names = [quote(column.name) for column in columns]
    marks = [database.placeholder(column, f"v{place}") for place, column in enumerate(columns)]
    numbered = table.rowid is not None and all(ROWID in row for row in rows)
    if numbered:
        names, marks = [str(table.rowid), *names], [":rowid", *marks]
    parameters = [
        {f"v{place}": database.encode(column, row[column.name]) for place, column in enumerate(columns)}
        | ({"rowid": row[ROWID]} if numbered else {})
        for row in rows
    ]
    head = literal(f"INSERT INTO {table.sql} ({', '.join(names)}) VALUES ")
    connection.execute(text(f"{head}({', '.join(marks)})"), parameters)


def _insert_at_once(
    database: Database,
    connection: Connection,
    table: Table,
    columns: Sequence[Column],
    rows: Sequence[Values],
) -> None:
    """In one statement, at whose end foreign keys are checked: rows may refer to each other."""
    if not columns:
        connection.execute(text(literal(f"INSERT INTO {table.sql} DEFAULT VALUES")), [{} for _ in rows])
        return
    names = ", ".join(quote(column.name) for column in columns)
    values = ", ".join(
        f"decode(e->>{place}, 'hex')" if column.kind == "bytes" else f"CAST(e->>{place} AS {column.type})"
        for place, column in enumerate(columns)
    )
    sent = json.dumps([[_text(database, column, row[column.name]) for column in columns] for row in rows])
    head = literal(
        f"INSERT INTO {table.sql} ({names}) OVERRIDING SYSTEM VALUE SELECT {values} FROM json_array_elements("
    )
    connection.execute(text(f"{head}CAST(:rows AS json)) e"), {"rows": sent})


def _text(database: Database, column: Column, value: Json) -> str | None:
    encoded = database.encode(column, value)
    return None if encoded is None else str(encoded)


def fingerprint(rows: Iterable[Values]) -> Json:
    """{"rows": int, "digest": str}, equal for equal rows in whatever order."""
    count = total = 0
    for row in rows:
        listed = key_text([value for name, value in sorted(row.items()) if name != ROWID])
        total += int.from_bytes(hashlib.sha256(listed.encode()).digest(), "big")
        count += 1
    return {"rows": count, "digest": f"{total % (1 << 256):064x}"}


def same(one: Iterable[Values], other: Iterable[Values]) -> bool:
    """Whether they are the same rows, hidden row numbers included."""

    def listed(rows: Iterable[Values]) -> list[str]:
        return sorted(key_text([list(item) for item in sorted(row.items())]) for row in rows)

    return listed(one) == listed(other)
