"""Transactions on the journal's database: SQLite in WAL mode, or Postgres."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from langchain_agentrein.errors import ConfigError, JournalUnavailable
from langchain_agentrein.journal.migrations import is_current, migrate

BUSY_TIMEOUT = 30.0
"""Seconds that a writer waits for another one on SQLite."""


class Store:
    """Short transactions, each either durable or without effect."""

    def __init__(self, journal: str | Engine) -> None:
        self._owned = not isinstance(journal, Engine)
        self.engine = journal if isinstance(journal, Engine) else connectable(journal)
        if self.engine.dialect.name not in ("sqlite", "postgresql"):
            raise ConfigError(
                f"a journal lives on SQLite or PostgreSQL, not on {self.engine.dialect.name!r}: "
                "use 'sqlite:///agentrein.db' or 'postgresql+psycopg://...'"
            )
        self.sqlite = self.engine.dialect.name == "sqlite"
        # One shared in-memory connection cannot nest transactions of several threads.
        alone = self.sqlite and isinstance(self.engine.pool, StaticPool)
        self._turn: threading.RLock | nullcontext[None] = threading.RLock() if alone else nullcontext()
        with self.read() as connection:
            current = is_current(connection)
        if not current:
            with self.write() as connection:
                migrate(connection)

    @property
    def file(self) -> Path | None:
        """The SQLite file, resolved; `None` for memory and for Postgres."""
        name = self.engine.url.database
        if not self.sqlite or not name or name == ":memory:" or name.startswith("file:"):
            return None
        return Path(name).resolve()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that excludes other writers of what it locks, durable when the block ends.

        Raises:
            JournalUnavailable: It could not be begun or made durable; nothing was recorded.
        """
        with self._turn, self._translated(), self._connect() as connection:
            if not self.sqlite:
                with connection.begin():
                    yield connection
                return
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                if _in_transaction(connection):
                    connection.exec_driver_sql("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection to read with.

        Raises:
            JournalUnavailable: The database is out of reach.
        """
        with self._turn, self._translated(), self._connect() as connection:
            yield connection

    def close(self) -> None:
        """Give the connections back; an engine that the caller brought stays theirs."""
        if self._owned:
            self.engine.dispose()

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            if self.sqlite:
                # The driver's own implicit BEGIN is deferred, which turns two writers into a deadlock.
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise JournalUnavailable(
                f"the journal at {self.engine.url.render_as_string(hide_password=True)} "
                f"did not answer: {error.orig}. Nothing was recorded by this step{_hint(str(error.orig))}"
            ) from error
        except SQLAlchemyError as error:
            raise JournalUnavailable(f"the journal could not be used: {error}") from error


def _in_transaction(connection: Connection) -> bool:
    return bool(getattr(connection.connection.dbapi_connection, "in_transaction", True))


def _hint(message: str) -> str:
    for sign, hint in {
        "locked": "; another process holds it: find it, or use PostgreSQL where many workers share a journal",
        "readonly": "; make the file and its directory writable",
        "full": "; free some disk space",
        "disk I/O": "; check the disk",
        "unable to open": "; check that the directory exists and is writable",
    }.items():
        if sign in message:
            return hint
    return ""


def connectable(url: str) -> Engine:
    """An engine for a journal's URL; nothing is connected yet.

    Raises:
        ConfigError: The URL is malformed, or its driver is missing.
    """
    try:
        parsed = make_url(url)
        if parsed.drivername == "postgres" or parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed.render_as_string(hide_password=False), parsed.database)
        return create_engine(parsed, pool_pre_ping=True)
    except ArgumentError as error:
        raise ConfigError(
            f"{url!r} is not a database URL: use 'sqlite:///agentrein.db' or "
            "'postgresql+psycopg://user@host/name'"
        ) from error
    except (NoSuchModuleError, ImportError) as error:
        raise ConfigError(
            f"no driver for {parsed.drivername!r} ({error}): "
            "pip install 'langchain-agentrein[postgres]' for PostgreSQL"
        ) from error


def _sqlite(url: str, database: str | None) -> Engine:
    options = {"check_same_thread": False, "timeout": BUSY_TIMEOUT}
    if not database or database == ":memory:":
        return create_engine(url, connect_args=options, poolclass=StaticPool)
    engine = create_engine(url, connect_args=options)

    @event.listens_for(engine, "connect")
    def _pragmas(dbapi_connection, _record):  # type: ignore[no-untyped-def]
        cursor = dbapi_connection.cursor()
        try:
            # A read-only journal can still be read; writing to it fails by name later.
            cursor.execute("PRAGMA journal_mode = WAL")
        except Exception as error:  # the driver's own error class, whichever driver it is
            if "readonly" not in str(error):
                raise
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    return engine
