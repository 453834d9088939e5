"""Which rows a statement touches: those that it names, and those that foreign keys carry it on to."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import Connection

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.sql.binding import bind
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.model import ForeignKey, Table, TableId, key_text, quote
from langchain_agentrein.toolkits.sql.rows import Rows, Values, key_of
from langchain_agentrein.toolkits.sql.statement import Name, Write, refuse

DELETED = "deleted"


@dataclass(slots=True)
class Reached:
    """Rows by table, each by the text of its key; the statement's own table comes first.

    Attributes:
        keys: Everything that may change. More than does is harmless: images show what did.
        touched: How often foreign keys may update rows of a table.
    """

    target: Table
    direct: dict[str, Values]
    keys: dict[TableId, dict[str, Values]] = field(default_factory=dict)
    touched: Counter[TableId] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many rows it is altogether."""
        return sum(map(len, self.keys.values()))


class Indirect(Exception):
    """What a statement changes cannot be foretold from its text and the catalogue."""


def set_columns(write: Write, table: Table) -> tuple[str, ...]:
    """The columns that an UPDATE sets, as the table spells them.

    Raises:
        Indirect: It sets one that is part of the key, or one that is not in the catalogue.
    """
    columns = []
    for name in write.columns:
        real = spelled(name, table)
        if real is None or real in table.key:
            raise Indirect
        columns.append(real)
    return tuple(columns)


def spelled(name: Name, table: Table) -> str | None:
    """The column that a name means; `None`: there is none."""
    for column in table.columns:
        if column.name == name.text or (not name.quoted and column.name.lower() == name.text.lower()):
            return column.name
    return None


def capturable(table: Table) -> None:
    """Whether a statement on this table changes what it names, and what foreign keys add to it.

    Raises:
        NotDone: Its rows cannot be captured at all.
        Indirect: It may change anything else.
    """
    if table.refusal:
        refuse(f"{table.label} {table.refusal}")
    if table.indirect or table.counted:
        raise Indirect


Handle: TypeAlias = tuple[Any, ...]
PrintedKey: TypeAlias = tuple[Any, ...]
"""A key as it prints under the user's settings: comparable within the transaction, and nowhere else."""


def direct(
    database: Database,
    connection: Connection,
    write: Write,
    table: Table,
    parameters: Mapping[str, Json] | None,
    most: int,
) -> dict[Handle, PrintedKey]:
    """The rows that an UPDATE or DELETE names, read as the user's own SQL.

    Raises:
        Indirect: They are more than `most`.
    """
    alias = alias_of(write)
    handles = database.handles(table, alias)
    columns = ", ".join([*handles, *printed_key(database, table, alias)])
    sql = f"SELECT * FROM (\n{write.prefix}\nSELECT {columns} {write.source}\n) AS named LIMIT {most + 1}"
    rows = connection.execute(bind(sql, parameters, database.dialect))
    found = {tuple(row[: len(handles)]): tuple(row[len(handles) :]) for row in rows}
    if len(found) > most:
        raise Indirect
    return found


def named_by(
    database: Database,
    connection: Connection,
    write: Write,
    table: Table,
    parameters: Mapping[str, Json] | None,
) -> int:
    """How many rows an UPDATE or DELETE names: each once, however often a join meets it."""
    handles = ", ".join(database.handles(table, alias_of(write)))
    inner = f"{write.prefix}\nSELECT DISTINCT {handles} {write.source}"
    sql = f"SELECT count(*) FROM (\n{inner}\n) AS counted"
    return int(connection.execute(bind(sql, parameters, database.dialect)).scalar_one())


def alias_of(write: Write) -> str:
    """The name by which the statement calls its table, as SQL."""
    return quote(write.alias.text) if write.alias.quoted else write.alias.text


def printed_key(database: Database, table: Table, alias: str) -> list[str]:
    """SQL that reads a `PrintedKey`."""
    return [database.selected(column, alias) for column in table.key_columns]


def carrying(rows: Rows, write: Write, target: Table) -> list[str]:
    """The tables to which foreign keys would carry an UPDATE or DELETE on, without looking at any row."""
    if not rows.database.cascades(rows.connection):
        return []
    change = (DELETED,) if write.kind == "delete" else set_columns(write, target)
    labels = [rows.table(key.child).label for key in rows.referencing(target) if _carries(key, change)]
    return list(dict.fromkeys(labels))


def reach(rows: Rows, write: Write, target: Table, named: dict[str, Values], most: int) -> Reached:
    """Follow the foreign keys from the rows that the statement names.

    Raises:
        Indirect: They lead to more than `most` rows, or to where more may follow.
    """
    reached = Reached(target, named, {target.id: dict(named)})
    if write.kind == "insert" or not rows.database.cascades(rows.connection):
        return reached
    change = (DELETED,) if write.kind == "delete" else set_columns(write, target)
    seen: set[tuple[TableId, str, str]] = set()
    todo = deque([(target, list(named.values()), change)])
    while todo:
        table, keys, change = todo.popleft()
        fresh = [
            key
            for key in keys
            if not all(
                (table.id, key_text(list(key_of(table, key).values())), what) in seen for what in change
            )
        ]
        seen |= {
            (table.id, key_text(list(key_of(table, key).values())), what) for key in fresh for what in change
        }
        for foreign in rows.referencing(table) if fresh else ():
            todo += _follow(rows, reached, foreign, table, fresh, change)
        if reached.count > most:
            raise Indirect
    return reached


def _follow(
    rows: Rows,
    reached: Reached,
    foreign: ForeignKey,
    parent: Table,
    keys: Sequence[Values],
    change: tuple[str, ...],
) -> list[tuple[Table, list[Values], tuple[str, ...]]]:
    if not _carries(foreign, change):
        return []
    deletes = change == (DELETED,)
    action = foreign.on_delete if deletes else foreign.on_update
    child = rows.table(foreign.child)
    capturable(child)
    found = rows.referring(foreign, parent, keys)
    if not found:
        return []
    further = (DELETED,) if deletes and action == "CASCADE" else foreign.child_columns
    if set(further) & set(child.key):
        raise Indirect
    known = reached.keys.setdefault(child.id, {})
    known.update({key_text(list(key.values())): key for key in found})
    if further != (DELETED,):
        reached.touched[child.id] += len(found)
    return [(child, found, further)]


def _carries(foreign: ForeignKey, change: tuple[str, ...]) -> bool:
    """Whether a foreign key passes a change on, where the database does not refuse it itself."""
    deletes = change == (DELETED,)
    action = foreign.on_delete if deletes else foreign.on_update
    return action not in ("NO ACTION", "RESTRICT") and (
        deletes or bool(set(foreign.parent_columns) & set(change))
    )
