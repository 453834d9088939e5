"""Whether a journal is there, found out without creating or changing anything."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import inspect, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError

from langchain_agentrein.errors import ConfigError, JournalUnavailable
from langchain_agentrein.journal import schema
from langchain_agentrein.journal.store import connectable

_VERSION = select(schema.meta.c.value).where(schema.meta.c.key == "schema_version")


def found_version(url: str) -> int | None:
    """The schema version of the journal at `url`; `None`: there is none.

    Raises:
        ConfigError: The URL is malformed, or its driver is missing.
        JournalUnavailable: The database does not answer.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(f"{url!r} is not a database URL: use 'sqlite:///agentrein.db'") from error
    if parsed.get_backend_name() == "sqlite":
        return _in_file(parsed.database)
    engine = connectable(url)
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table(schema.meta.name):
                return None
            return int(connection.scalar(_VERSION) or 0)
    except DBAPIError as error:
        raise JournalUnavailable(
            f"the journal at {parsed.render_as_string(hide_password=True)} did not answer: {error.orig}"
        ) from error
    finally:
        engine.dispose()


def _in_file(name: str | None) -> int | None:
    if not name or name == ":memory:":
        return None
    if name.startswith("file:"):
        return _read(name, name)
    path = Path(name).absolute()
    if not path.exists():
        return None
    # Our own engine would switch any file that it opens to WAL, and make one that is not there.
    uri = f"file:{quote(str(path))}?mode=ro"
    try:
        return _read(name, uri)
    except JournalUnavailable:
        if os.access(path.parent, os.W_OK):
            raise
        return _read(name, f"{uri}&immutable=1")  # nobody can put a WAL beside it


def _read(name: str, uri: str) -> int | None:
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            table = schema.meta.name
            known = connection.execute(
                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)
            ).fetchone()
            if known is None:
                return None
            row = connection.execute(f"SELECT value FROM {table} WHERE key = 'schema_version'").fetchone()
            return int(row[0]) if row else 0
    except sqlite3.DatabaseError as error:
        raise JournalUnavailable(f"the journal {name} cannot be read: {error}") from error
