"""What the steps of capture and undo ask of a database's catalogue; SQLite and Postgres answer it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlalchemy import Connection

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.ddl.statement import Ddl
from langchain_agentrein.toolkits.sql.model import TableId

Schema: TypeAlias = dict[str, Json]
"""A description of every object, by kind and name: `table orders`, `index orders_by_note`."""
Tally: TypeAlias = Mapping[TableId, tuple[int, int, int]]
"""See `Database.tally`."""

SAVEPOINT = "agentrein_rehearsal"


@dataclass(slots=True)
class Plan:
    """The way back.

    Attributes:
        steps: See `steps`.
        residue: What stays whatever happens, one sentence each.
    """

    steps: list[Json] = field(default_factory=list)
    residue: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Lost:
    """What was copied before a statement that may take it away.

    Attributes:
        tables: Images of whole tables: {"schema", "name", "label", "rows": [{column: value}]}.
        values: Images of single columns; see `values`.
        inner: What the database itself keeps of a table elsewhere, as steps that put it back.
    """

    tables: list[Json] = field(default_factory=list)
    values: list[Json] = field(default_factory=list)
    inner: list[Json] = field(default_factory=list)


class Catalogue(ABC):
    """One transaction's view of the catalogue."""

    hidden: frozenset[str] = frozenset()
    """Parts of a description that no comparison looks at."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self.database, self.connection = database, connection

    @abstractmethod
    def target(self, ddl: Ddl) -> str | None:
        """The object that the statement acts on, quoted and qualified; for CREATE INDEX its table.

        Returns:
            `None`: there is none of that name.
        Raises:
            NotDone: It lies where nothing can be undone.
        """

    @abstractmethod
    def lock(self, targets: Sequence[str]) -> None:
        """Keep others from the tables among these, until the transaction ends."""

    @abstractmethod
    def describe(self, targets: Sequence[str]) -> Schema:
        """The objects of these names, and everything that belongs to them or depends on them."""

    @abstractmethod
    def check(self, ddl: Ddl, target: str) -> None:
        """Refuse what no description could tell.

        Raises:
            NotDone: It is refused.
        """

    @abstractmethod
    def table_id(self, target: str) -> TableId | None:
        """The table of that name; `None`: it is none, or not there."""

    @abstractmethod
    def keep(self, target: str) -> list[Json]:
        """What the database keeps of a table elsewhere (counters, statistics), as steps that put it back."""

    @abstractmethod
    def names(self, before: Schema, after: Schema, target: str) -> list[str]:
        """The names under which an undo looks for the objects again."""

    @abstractmethod
    def plan(self, ddl: Ddl, before: Schema, after: Schema, lost: Lost) -> Plan:
        """The way from `after` back to `before`."""

    @abstractmethod
    def made(self, ddl: Ddl, before: Schema, after: Schema) -> dict[str, Json]:
        """What the statement made, and an undo takes away.

        Returns:
            By key: {"full": str, "column": str | None, "default": str | None}: a table or view, or a
            column of it.
        """

    @abstractmethod
    def attached(self, made: Mapping[str, Json], now: Schema) -> list[str]:
        """The objects that are built on what was made, itself included: their names in `now`."""

    def tally(self) -> Tally:
        """Rows that this transaction inserted, updated and deleted so far, by table, where it is counted."""
        return {}

    @abstractmethod
    def elsewhere(self, before: Tally, after: Tally) -> str | None:
        """Of which rows of objects never described the database counts changes; `None`: of none."""

    def seen(self, schema: Mapping[str, Json]) -> Schema:
        """The descriptions as they are compared."""
        return {
            key: {name: value for name, value in item.items() if name not in self.hidden}
            for key, item in schema.items()
        }

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Whatever the block does is taken back."""
        self.connection.exec_driver_sql(f"SAVEPOINT {SAVEPOINT}")
        yield
        self.connection.exec_driver_sql(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
        self.connection.exec_driver_sql(f"RELEASE SAVEPOINT {SAVEPOINT}")


def catalogue_of(database: Database, connection: Connection) -> Catalogue:
    """The catalogue of this kind of database."""
    from langchain_agentrein.toolkits.sql.ddl.postgres import PostgresCatalogue
    from langchain_agentrein.toolkits.sql.ddl.sqlite import SQLiteCatalogue

    kinds: dict[str, type[Catalogue]] = {"sqlite": SQLiteCatalogue, "postgres": PostgresCatalogue}
    return kinds[database.dialect](database, connection)


def begin(database: Database) -> Connection:
    """A transaction for a change of the schema; `database.end` it.

    On Postgres the table is locked before it is looked at, so every look must see what was committed
    until then.
    """
    connection = database.begin()
    if database.dialect == "sqlite":
        return connection
    try:
        return connection.execution_options(isolation_level="READ COMMITTED")
    except BaseException:
        database.end(connection)
        raise
