"""A PostgreSQL that waits for its disk, as a real one does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tests.support import postgres


@contextmanager
def server() -> Iterator[str | None]:
    """The URL of an empty database; `None` where there is no PostgreSQL on this machine."""
    try:
        with postgres.server() as url:
            engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.execute(text("ALTER SYSTEM SET fsync = on"))  # the tests' server runs without
                connection.execute(text("SELECT pg_reload_conf()"))
            with postgres.database(url, "bench") as empty:
                yield empty.render_as_string(hide_password=False)
    except postgres.NoPostgres:
        yield None
