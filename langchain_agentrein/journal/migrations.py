"""The journal's schema, version by version. A released step is never changed; new ones are appended."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, insert, inspect, select, text, update

from langchain_agentrein.errors import JournalVersion
from langchain_agentrein.journal import schema


def _first(connection: Connection) -> None:
    schema.metadata.create_all(connection)


STEPS: Sequence[Callable[[Connection], None]] = (_first,)
"""Step i takes the schema from version i to version i + 1."""

ADVISORY_LOCK = 0x616765_6E74_7265_69


def migrate(connection: Connection) -> None:
    """Bring the schema to the newest version, inside the caller's write transaction.

    Raises:
        JournalVersion: The journal is newer than this release.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    version = _version(connection)
    if version > len(STEPS):
        raise JournalVersion(version, len(STEPS))
    for step in STEPS[version:]:
        step(connection)
    if version == 0:
        connection.execute(insert(schema.meta).values(key="schema_version", value=str(len(STEPS))))
    elif version < len(STEPS):
        connection.execute(
            update(schema.meta).where(schema.meta.c.key == "schema_version").values(value=str(len(STEPS)))
        )


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(schema.meta.name):
        return 0
    found = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "schema_version"))
    return int(found or 0)


def is_current(connection: Connection) -> bool:
    """Whether nothing is left to do.

    Raises:
        JournalVersion: The journal is newer than this release.
    """
    version = _version(connection)
    if version > len(STEPS):
        raise JournalVersion(version, len(STEPS))
    return version == len(STEPS)
