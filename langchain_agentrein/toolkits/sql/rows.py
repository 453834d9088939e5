"""Reading rows of one table by key, by handle, or by the rows that they refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, text

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.model import (
    Column,
    ForeignKey,
    Table,
    TableId,
    key_text,
    literal,
    quote,
)
from langchain_agentrein.toolkits.sql.statement import Name

Values: TypeAlias = dict[str, Json]
"""A row, or a part of it, by column."""
T = TypeVar("T")

ROWID = "$rowid"
"""Under which a row's hidden number is kept: SQLite only, and never compared."""
COUNT = "$count"
"""Under which it stands how many equal rows there are, in a table in which nothing tells them apart."""


class Rows:
    """One transaction's view of the tables. Everything is read under `Database.plain`."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self.database, self.connection = database, connection
        self._tables: dict[TableId, Table] = {}
        self._references: dict[TableId, Sequence[ForeignKey]] = {}

    def table(self, table_id: TableId) -> Table:
        """The table, looked up once."""
        if table_id not in self._tables:
            schema, name = table_id
            self._tables[table_id] = self.database.table(
                self.connection, Name(name, True), Name(schema, True)
            )
        return self._tables[table_id]

    def referencing(self, table: Table) -> Sequence[ForeignKey]:
        """The foreign keys that refer to the table, looked up once."""
        if table.id not in self._references:
            self._references[table.id] = self.database.referencing(self.connection, table)
        return self._references[table.id]

    def keyed(self, table: Table, keys: Iterable[Values], *, lock: bool = False) -> dict[str, Values]:
        """The rows with these keys, by the text of their key."""
        found: dict[str, Values] = {}
        for some in _chunks(keys, max(1, self.database.chunk // len(table.key))):
            if table.counted:
                found.update(self._equal(table, some))
                continue
            condition, parameters = self._keys(table, some, "t")
            found.update(self._read(table, condition, parameters, lock))
        return found

    def handled(
        self, table: Table, handles: Iterable[tuple[Any, ...]], *, lock: bool = False
    ) -> dict[str, Values]:
        """The rows with these handles, by the text of their key."""
        found: dict[str, Values] = {}
        for some in _chunks(handles, max(1, self.database.chunk // len(table.key))):
            condition, parameters = self.database.by_handles(table, some)
            found.update(self._read(table, condition, parameters, lock))
        return found

    def referring(self, key: ForeignKey, parent: Table, keys: Iterable[Values]) -> list[Values]:
        """The keys of the rows that refer, through `key`, to those rows of `parent`."""
        child = self.table(key.child)
        columns = [self.database.selected(column, "c") for column in child.key_columns]
        found = []
        for row in self._join(key, parent, keys, ", ".join(columns)):
            found.append(self.named(child.key_columns, row))
        return found

    def _join(self, key: ForeignKey, parent: Table, keys: Iterable[Values], what: str) -> Iterator[Any]:
        child = self.table(key.child)
        pairs = " AND ".join(
            f"t.{quote(to)} = c.{quote(of)}"
            for to, of in zip(key.parent_columns, key.child_columns, strict=True)
        )
        head = f"SELECT {what} FROM {parent.own_sql} t JOIN {child.sql} c ON {pairs} WHERE "
        for some in _chunks(keys, max(1, self.database.chunk // len(parent.key))):
            condition, parameters = self._keys(parent, some, "t")
            yield from self.connection.execute(text(literal(head) + condition), parameters)

    def _equal(self, table: Table, keys: Sequence[Values]) -> dict[str, Values]:
        """How many rows equal each of these, where there are any."""
        condition, parameters = equal_rows(self.database, table, keys)
        columns = ", ".join(self.database.selected(column, "t") for column in table.stored)
        sql = literal(f"SELECT count(*), {columns} FROM {table.own_sql} t WHERE ") + condition
        found = {}
        places = ", ".join(str(place + 2) for place in range(len(table.stored)))
        for row in self.connection.execute(text(f"{sql} GROUP BY {places}"), parameters):
            values = self.named(table.stored, row[1:])
            found[key_text(list(values.values()))] = {**values, COUNT: row[0]}
        return found

    def _read(
        self, table: Table, condition: str, parameters: Mapping[str, Any], lock: bool
    ) -> dict[str, Values]:
        columns = [self.database.selected(column, "t") for column in table.stored]
        if table.rowid:
            columns.append(f"t.{table.rowid}")
        order = ", ".join(f"t.{quote(name)}" for name in table.key)
        sql = literal(f"SELECT {', '.join(columns)} FROM {table.own_sql} t WHERE ") + condition
        if lock and self.database.locking:
            sql += literal(f" ORDER BY {order} ") + self.database.locking
        found = {}
        for row in self.connection.execute(text(sql), parameters):
            values = self.named(table.stored, row)
            if table.rowid:
                values[ROWID] = row[len(table.stored)]
            found[key_text([values[name] for name in table.key])] = values
        return found

    def named(self, columns: Sequence[Column], row: Sequence[Any]) -> Values:
        """A row as it was read, by column."""
        return {
            column.name: self.database.decode(column, value)
            for column, value in zip(columns, row, strict=False)
        }

    def _keys(self, table: Table, keys: Sequence[Values], alias: str) -> tuple[str, dict[str, Any]]:
        """A condition that finds the rows with these keys, and its parameters."""
        parameters: dict[str, Any] = {}
        rows = []
        for number, key in enumerate(keys):
            parts = []
            for place, column in enumerate(table.key_columns):
                name = f"k{number}_{place}"
                parameters[name] = self.database.encode(column, key[column.name])
                parts.append(self.database.placeholder(column, name))
            rows.append(f"({', '.join(parts)})")
        columns = ", ".join(f"{alias}.{quote(name)}" for name in table.key)
        return f"({literal(columns)}) IN (VALUES {', '.join(rows)})", parameters


def equal_rows(database: Database, table: Table, keys: Sequence[Values]) -> tuple[str, dict[str, Any]]:
    """A condition on `t` that finds the rows equal to one of these, as they print; and its parameters."""
    parameters: dict[str, Any] = {}
    alternatives = []
    for number, key in enumerate(keys):
        parts = []
        for place, column in enumerate(table.stored):
            name = f"k{number}_{place}"
            printed = literal(database.selected(column, "t"))
            if key[column.name] is None:
                parts.append(f"{printed} IS NULL")
                continue
            parameters[name] = database.encode(column, key[column.name])
            parts.append(f"{printed} = :{name}")
        alternatives.append(f"({' AND '.join(parts) or 'true'})")
    return f"({' OR '.join(alternatives)})", parameters


def key_of(table: Table, values: Values) -> Values:
    """The key of a row."""
    return {name: values[name] for name in table.key}


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    remaining = iter(items)
    while some := list(islice(remaining, size)):
        yield some
