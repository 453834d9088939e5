"""What a database says of its tables, as far as a statement and its undo need to know."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TypeAlias

from langchain_agentrein.action import Json
from langchain_agentrein.journal.redaction import is_secret

TableId: TypeAlias = tuple[str, str]
"""Schema and name, as the database spells them."""

LONG = 80
"""Characters of a key beyond which its digest stands for it."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    type: str
    """As the database prints it: `numeric(10,2)`."""
    nullable: bool = True
    generated: bool = False
    """The database computes it: never written, never compared."""
    kind: str = "text"
    """How its values are read: `int`, `bool`, `bytes`, `real`, `text`, `any`."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table, and whether its rows can be captured."""

    id: TableId
    label: str
    """As a person would write it."""
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """The columns by which its rows are found again: the primary key, or what stands in for it."""
    refusal: str | None = None
    """Why its rows cannot be captured, as the end of a sentence that starts with its name."""
    indirect: bool = False
    """What a statement on it changes cannot be foretold: it is a view, has triggers, rules or partitions."""
    view: bool = False
    """It holds no rows of its own."""
    resolves: frozenset[str] = frozenset()
    """SQLite: what it is declared to do ON CONFLICT, `replace` or `ignore`, unasked."""
    counted: bool = False
    """Nothing tells its rows apart, not even a hidden number: equal rows are counted."""
    root: TableId | None = None
    """Postgres: the partitioned table of which it is a part."""
    inherited: bool = False
    """Postgres: other tables inherit from it, and a plain mention of it means them as well."""
    triggers: tuple[str, ...] = ()
    """And rules: code of the database's own, which runs when its rows change."""
    rowid: str | None = None
    """SQLite: the name under which the hidden row number, which is not the key, can be read and written."""

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns that hold what was written to them."""
        return tuple(column for column in self.columns if not column.generated)

    @property
    def key_columns(self) -> tuple[Column, ...]:
        """The primary key, in its order."""
        return tuple(self.column(name) for name in self.key)

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            KeyError: There is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def sql(self) -> str:
        """The quoted, qualified name."""
        return f"{quote(self.id[0])}.{quote(self.id[1])}"

    @property
    def own_sql(self) -> str:
        """The same, where rows are read, updated or deleted: its own rows alone."""
        return f"ONLY {self.sql}" if self.inherited else self.sql

    @property
    def family(self) -> TableId:
        """The table that foreign keys name when they mean it."""
        return self.root or self.id


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`child` refers to `parent`; the columns stand in pairs."""

    child: TableId
    child_columns: tuple[str, ...]
    parent: TableId
    parent_columns: tuple[str, ...]
    on_delete: str
    """`NO ACTION`, `RESTRICT`, `CASCADE`, `SET NULL` or `SET DEFAULT`."""
    on_update: str


def quote(name: str) -> str:
    """A name as a quoted identifier; SQLite and Postgres spell it the same."""
    return '"' + name.replace('"', '""') + '"'


def spell(name: str) -> str:
    """A name for a reader: quoted only where it would be misread."""
    return name if name.isidentifier() else quote(name)


def literal(sql: str) -> str:
    """Text for `sqlalchemy.text` in which no colon starts a parameter."""
    return sql.replace(":", "\\:")


def key_text(values: list[Json]) -> str:
    """A key as text, equal for equal keys."""
    if all(type(value) is int for value in values):  # as most keys are; the encoder takes ten times as long
        return f"[{','.join(map(str, values))}]"
    return _SPELL(values)


_SPELL = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=bytes.hex).encode


def row_name(label: str, key: dict[str, Json]) -> str:
    """The name of a row in an observation: `orders[17]`. A long or secret key is named by its digest."""
    text = key_text(list(key.values()))[1:-1]
    if len(text) > LONG or any(is_secret(name, value) for name, value in key.items()):
        text = "#" + hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{label}[{text}]"
