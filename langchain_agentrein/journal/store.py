"""Transactions on the journal's database: SQLite in WAL mode, or Postgres."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
)
from sqlalchemy.pool import StaticPool

from langchain_agentrein.errors import ConfigError, JournalUnavailable
from langchain_agentrein.journal.forks import after_fork
from langchain_agentrein.journal.migrations import is_current, migrate

BUSY_TIMEOUT = 30.0
"""Seconds that a writer waits for another one on SQLite, unless the URL says otherwise: `?timeout=5`."""


SECURE_DELETE = "PRAGMA secure_delete = ON"
"""From the first write on: what is once left in the slack of a page is not found when it is to be erased."""

IDLE = "SET idle_in_transaction_session_timeout = '10s'"
"""A worker that stops in the middle of a transaction, whose statements take milliseconds, gives its locks back."""


class Store:
    """Short transactions, each either durable or without effect."""

    def __init__(self, journal: str | Engine) -> None:
        self._owned = not isinstance(journal, Engine)
        self.engine = journal if isinstance(journal, Engine) else connectable(journal)
        if self.engine.dialect.name not in ("sqlite", "postgresql"):
            raise _elsewhere(self.engine.dialect.name)
        self.sqlite = self.engine.dialect.name == "sqlite"
        alone = self.sqlite and isinstance(self.engine.pool, StaticPool)
        if self.sqlite and not alone and _in_memory(self.engine.url.database):
            raise ConfigError(
                "an engine on a SQLite memory gives each thread a database of its own: "
                "create it with poolclass=StaticPool, or pass the URL 'sqlite://'"
            )
        # One shared in-memory connection cannot nest transactions of several threads.
        self._turn: threading.RLock | nullcontext[None] = threading.RLock() if alone else nullcontext()
        after_fork(self, Store._forked)
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
            IntegrityError: A row of that identity is there already; nothing was recorded.
            JournalUnavailable: It could not be begun or made durable; nothing was recorded.
        """
        with self._turn, self._translated(), self._connect() as connection:
            if not self.sqlite:
                with connection.begin():
                    yield connection
                return
            if not self._owned:
                connection.exec_driver_sql(SECURE_DELETE)
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
        """A connection to read with; every read sees one and the same state.

        Raises:
            JournalUnavailable: The database is out of reach.
        """
        with self._turn, self._translated(), self._connect("REPEATABLE READ") as connection:
            if not self.sqlite or _in_transaction(connection):
                yield connection
                return
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                if _in_transaction(connection):
                    connection.exec_driver_sql("ROLLBACK")

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """A connection for single statements, each of which sees the state of its own moment.

        Raises:
            JournalUnavailable: The database is out of reach.
        """
        with self._turn, self._translated(), self._connect("AUTOCOMMIT") as connection:
            yield connection

    @contextmanager
    def erasing(self) -> Iterator[Connection]:
        """Like `write`, and what it deletes leaves no trace in an SQLite file.

        Raises:
            JournalUnavailable: Nothing was erased.
        """
        with self.write() as connection:
            yield connection
        if not self.sqlite:
            return
        with self._turn, self._translated(), self._connect() as connection:
            # Copies of erased pages also lie in the log until it is cut; a reader may hold it back.
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Give the connections back; an engine that the caller brought stays theirs."""
        if self._owned:
            self.engine.dispose()

    def _forked(self) -> None:
        """A connection belongs to the process that opened it."""
        self.engine.dispose(close=False)
        if not isinstance(self._turn, nullcontext):
            self._turn = threading.RLock()

    @contextmanager
    def _connect(self, isolation: Any = "READ COMMITTED") -> Iterator[Connection]:
        with self.engine.connect() as connection:
            # On SQLite we begin by hand: the driver's own BEGIN is deferred, and two writers a deadlock.
            yield connection if self.sqlite else connection.execution_options(isolation_level=isolation)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except (DataError, UnicodeEncodeError) as error:
            reason = error.orig if isinstance(error, DataError) else error
            raise ConfigError(
                f"the journal cannot store that name or id: {reason}; nothing was recorded"
            ) from error
        except DBAPIError as error:
            raise JournalUnavailable(
                f"the journal at {self.engine.url.render_as_string(hide_password=True)} "
                f"did not answer: {error.orig}. Nothing was recorded by this step{_hint(str(error.orig))}"
            ) from error
        except SQLAlchemyError as error:
            raise JournalUnavailable(f"the journal could not be used: {error}") from error


def _in_transaction(connection: Connection) -> bool:
    return bool(getattr(connection.connection.dbapi_connection, "in_transaction", True))


def _in_memory(database: str | None) -> bool:
    return not database or database == ":memory:"


def _hint(message: str) -> str:
    for sign, hint in {
        "locked": "; another process holds it: find it, or use PostgreSQL where many workers share a journal",
        "readonly": "; make the file and its directory writable",
        "full": "; free some disk space",
        "disk I/O": "; check the disk",
        "unable to open": "; check that the directory exists; make the file and its directory writable",
    }.items():
        if sign in message:
            return hint
    return ""


def _elsewhere(backend: str) -> ConfigError:
    return ConfigError(
        f"a journal lives on SQLite or PostgreSQL, not on {backend!r}: "
        "use 'sqlite:///agentrein.db' or 'postgresql+psycopg://...'"
    )


def connectable(url: str) -> Engine:
    """An engine for a journal's URL; nothing is connected yet.

    Raises:
        ConfigError: The URL is malformed, or its driver is missing.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        shown = re.sub(r":[^:@/]+@", ":***@", str(url))
        raise ConfigError(
            f"{shown!r} is not a database URL: use 'sqlite:///agentrein.db' or "
            "'postgresql+psycopg://user@host/name'"
        ) from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql", "postgres"):
        raise _elsewhere(parsed.get_backend_name())
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    try:
        if parsed.get_backend_name() == "sqlite":
            timeout = {} if "timeout" in parsed.query else {"timeout": BUSY_TIMEOUT}
            return _sqlite(parsed.render_as_string(hide_password=False), parsed.database, timeout)
        return _postgres(parsed)
    except (NoSuchModuleError, ImportError) as error:
        raise ConfigError(
            f"no driver for {parsed.drivername!r} ({error}): "
            "pip install 'langchain-agentrein[postgres]' for PostgreSQL"
        ) from error


def _postgres(url: URL) -> Engine:
    engine = create_engine(url, pool_pre_ping=True)

    @event.listens_for(engine, "connect")
    def _let_go(dbapi_connection: Any, _record: Any) -> None:
        cursor = dbapi_connection.cursor()
        cursor.execute(IDLE)
        cursor.close()
        dbapi_connection.commit()

    return engine


def _sqlite(url: str, database: str | None, timeout: dict[str, Any]) -> Engine:
    options = {"check_same_thread": False, **timeout}
    if _in_memory(database):
        return create_engine(url, connect_args=options, poolclass=StaticPool)
    engine = create_engine(url, connect_args=options)

    @event.listens_for(engine, "connect")
    def _pragmas(dbapi_connection: Any, _record: Any) -> None:
        cursor = dbapi_connection.cursor()
        try:
            _to_wal(cursor)
            cursor.execute("PRAGMA synchronous = FULL")
            cursor.execute(SECURE_DELETE)
        finally:
            cursor.close()

    return engine


def _to_wal(cursor: Any) -> None:
    """Switch to WAL. SQLite does not wait for another process that is just doing the same."""
    deadline = time.monotonic() + 5.0
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except Exception as error:  # noqa: BLE001 - the driver's own error class, whichever driver it is
            if "readonly" in str(error):
                return  # it can still be read; writing to it fails by name later
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
