"""What the rest of this package asks of a database; SQLite and Postgres answer it, each in its file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import Connection, Engine, text

from langchain_agentrein.action import Json
from langchain_agentrein.errors import ConfigError
from langchain_agentrein.toolkits.sql.model import Column, ForeignKey, Table
from langchain_agentrein.toolkits.sql.statement import Name, Statement

if TYPE_CHECKING:
    from langchain_agentrein.toolkits.sql.recording import Changed, Recorder, Rehearsal


class Database(ABC):
    """One database, through the user's engine, which stays as the user set it up."""

    dialect: ClassVar[str]
    """As sqlglot calls it, and as snapshots name it."""
    locking: ClassVar[str] = ""
    """What a SELECT says at its end to keep others from its rows."""
    aliased: ClassVar[bool] = True
    """Whether a RETURNING knows the alias of its table."""
    chunk: ClassVar[int] = 800
    """How many values one statement may carry."""
    tries: ClassVar[int] = 1
    """How often a transaction is tried that another one was in the way of."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @abstractmethod
    def begin(self) -> Connection:
        """A transaction in which nobody else changes what it reads and locks; `end` it."""

    def end(self, connection: Connection) -> None:
        """Roll back whatever is not committed, and let the connection go."""
        try:
            # `close` alone leaves a transaction open whose COMMIT was refused.
            if not connection.closed and not connection.invalidated:
                connection.rollback()
        finally:
            connection.close()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """`begin`, and `end` whatever happens; the block commits."""
        connection = self.begin()
        try:
            yield connection
        finally:
            self.end(connection)

    @abstractmethod
    def reading(self) -> Any:
        """A context manager over a connection on which nothing can be written."""

    @abstractmethod
    def table(self, connection: Connection, name: Name, schema: Name | None = None) -> Table:
        """Find a table as the database would.

        Raises:
            NotDone: There is none of that name.
        """

    @abstractmethod
    def referencing(self, connection: Connection, parent: Table) -> Sequence[ForeignKey]:
        """The foreign keys that refer to `parent`, its own included."""

    def cascades(self, connection: Connection) -> bool:
        """Whether this connection enforces foreign keys."""
        return True

    @contextmanager
    def plain(self, connection: Connection) -> Iterator[None]:
        """Within, values print and are read the same for every session."""
        yield

    @abstractmethod
    def handles(self, table: Table, alias: str) -> list[str]:
        """SQL that names a row of the table within this transaction, read under the user's settings."""

    @abstractmethod
    def by_handles(self, table: Table, handles: Sequence[tuple[Any, ...]]) -> tuple[str, dict[str, Any]]:
        """A condition on `t` that finds the rows with these handles, and its parameters."""

    @abstractmethod
    def selected(self, column: Column, alias: str) -> str:
        """SQL that reads a column such that `decode` is exact."""

    @abstractmethod
    def placeholder(self, column: Column, name: str) -> str:
        """SQL for the parameter `name` that writes what `encode` made."""

    @abstractmethod
    def decode(self, column: Column, value: Any) -> Json:
        """A value as JSON, from which `encode` makes the same value again."""

    @abstractmethod
    def encode(self, column: Column, value: Json) -> Any:
        """The reverse of `decode`."""

    @abstractmethod
    def defer(self, connection: Connection) -> None:
        """Check foreign keys as late as the database can, in this transaction."""

    @abstractmethod
    def recorder(
        self,
        connection: Connection,
        statements: Sequence[Statement],
        parameters: Mapping[str, Json] | None,
        most: int,
    ) -> Recorder:
        """Whoever finds out which rows these statements change."""

    @abstractmethod
    def rehearse(
        self, statements: Sequence[Statement], parameters: Mapping[str, Json] | None, most: int
    ) -> Rehearsal:
        """How many rows statements would change whose text does not tell, leaving nothing behind."""

    def settle(self, connection: Connection) -> None:
        """Let everything happen now that would happen at the commit."""
        return

    def transaction_id(self, connection: Connection) -> str | None:
        """A name of this transaction by which `committed` can find out how it ended."""
        return None

    def committed(self, transaction_id: str) -> bool | str | None:
        """Whether it was committed; `None`: not known any more; text: why nobody can tell yet."""
        return None

    @abstractmethod
    def counters(self, connection: Connection) -> dict[str, int]:
        """How far the database has counted, for each automatic key, or sequence, by its name."""

    def own_counters(
        self,
        connection: Connection,
        moved: Sequence[dict[str, Json]],
        changed: Sequence[Changed],
        statements: Sequence[Statement],
    ) -> tuple[list[dict[str, Json]], list[str]]:
        """Of the counters that moved, those that can be set back, and the names of those that cannot."""
        return list(moved), []

    @abstractmethod
    def set_counter(self, connection: Connection, name: str, value: int | None) -> bool:
        """Set one back; `False`: this database cannot, since others may have drawn from it."""

    @abstractmethod
    def refused_commit(self, connection: Connection, error: BaseException) -> bool:
        """Whether a COMMIT that raised `error` has certainly changed nothing."""

    def transient(self, error: BaseException) -> bool:
        """Whether another transaction was in the way, and trying again may help."""
        return False

    @abstractmethod
    def account(self) -> str:
        """A stable name of this database, without secrets."""

    def file(self) -> Path | None:
        """The file that a write transaction locks, resolved."""
        return None

    def all(self, connection: Connection, sql: str, **parameters: Any) -> list[Any]:
        """The rows of a query whose text is ours."""
        return list(connection.execute(text(sql), parameters))


def database_of(api: Any) -> Database:
    """The database behind a client.

    Raises:
        ConfigError: It is no engine, an async one, or of a kind that is not supported.
    """
    from langchain_agentrein.toolkits.sql.postgres import Postgres
    from langchain_agentrein.toolkits.sql.sqlite import SQLite

    if not isinstance(api, Engine):
        raise ConfigError(
            f"the sql tools work on a SQLAlchemy Engine, not on {type(api).__name__}: pass create_engine(...)"
            + (" (for an AsyncEngine, a sync one with the same URL)" if "Async" in type(api).__name__ else "")
        )
    if api.dialect.is_async:
        raise ConfigError(
            f"the engine uses the async driver {api.dialect.driver}: pass create_engine(...) with a sync driver, "
            "such as sqlite:///... or postgresql+psycopg://..."
        )
    kinds: dict[str, type[Database]] = {"sqlite": SQLite, "postgresql": Postgres}
    if api.dialect.name not in kinds:
        raise ConfigError(f"the sql tools work on SQLite and PostgreSQL, not on {api.dialect.name}")
    return kinds[api.dialect.name](api)


def database_file(api: Any) -> Path | None:
    """The file, resolved, that a write on `api` keeps locked; `None` on a server or in memory."""
    return database_of(api).file()
