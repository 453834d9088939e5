"""The statements and the images of everything that they change, in one transaction that is left open.

The snapshot that comes of it:

    {"dialect": "sqlite" | "postgres",
     "kind": str,                 # the verbs of the statements: "update", "insert, delete"
     "xid": str | None,           # Postgres: the transaction, whose fate can be asked for
     "salt": str,                 # of the digests that stand for many rows in an observation
     "rowcount": int,             # rows that the statements themselves name
     "returned": [{column: value}],   # the first rows of a RETURNING
     "tables": [{"schema": str, "name": str, "label": str,
                 "rows": [row]}],    # see `blocks`; many rows: "blocks": [block]
     "sequences": [str],          # that it advanced, and an undo cannot set back
     "counters": [{"name": str, "before": int | None, "after": int}]}   # those that it can

An updated row holds only the columns that changed. A row that did not change is left out. A row of a
table in which nothing tells rows apart has all its columns for a key, and a number for a value:
`{"$count": 2}`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from langchain_agentrein.action import Json
from langchain_agentrein.errors import NotDone, Throttled
from langchain_agentrein.toolkits.sql.apart import NEEDED_WHOLE, tables_in_order
from langchain_agentrein.toolkits.sql.blocks import TOGETHER
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.recording import RETURNED, Ran
from langchain_agentrein.toolkits.sql.rows import Rows
from langchain_agentrein.toolkits.sql.statement import Statement, refuse

PAUSE = 0.05
"""Seconds before the second try; doubled for each further one."""


@dataclass(slots=True)
class Held:
    """A transaction in which the statements ran, to be committed or rolled back."""

    connection: Connection
    before: Json


def capture(
    database: Database, statements: Sequence[Statement], parameters: Mapping[str, Json] | None, most: int
) -> Held:
    """Run the statements, uncommitted, with the images of everything that they change.

    Raises:
        NotDone: They cannot run, or cannot be captured exactly. Nothing changed.
    """
    return hold(
        database,
        database.begin,
        lambda connection: record(database, connection, statements, parameters, most),
    )


def hold(database: Database, begin: Callable[[], Connection], recorded: Callable[[Connection], Json]) -> Held:
    """A transaction that is left open once `recorded` made its snapshot; begun anew while others are in the way.

    Raises:
        NotDone: The database refused something. Nothing changed.
        Throttled: Other transactions stood in the way. Nothing changed.
    """
    for attempt in range(database.tries):
        connection: Connection | None = None
        try:
            connection = begin()
            return Held(connection, recorded(connection))
        except BaseException as error:
            if connection is not None:
                database.end(connection)
            if not isinstance(error, SQLAlchemyError):
                raise
            if not database.transient(error):
                raise NotDone(f"the statement failed, nothing changed: {reason(error)}") from error
            if attempt == database.tries - 1:
                raise Throttled(
                    f"another transaction is in the way, nothing changed: {reason(error)}"
                ) from error
        time.sleep(PAUSE * 2**attempt)
    raise AssertionError("unreachable")


def reason(error: BaseException) -> str:
    """What the database said, without the statement and its parameters."""
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return " ".join(str(original).split())


def record(
    database: Database,
    connection: Connection,
    statements: Sequence[Statement],
    parameters: Mapping[str, Json] | None,
    most: int,
) -> Json:
    """Run them in this transaction; the snapshot.

    Raises:
        NotDone: Something cannot be captured exactly.
        SQLAlchemyError: The database refused one of them.
    """
    recorder = database.recorder(connection, statements, parameters, most)
    try:
        recorder.start()
        counted = database.counters(connection)
        ran = [recorder.run(statement) for statement in statements]
        database.settle(connection)
        changed = recorder.changed()
    finally:
        recorder.close()
    moved = _moved(counted, database.counters(connection))
    settable, sequences = database.own_counters(connection, moved, changed, statements)
    snapshot = {
        "dialect": database.dialect,
        "kind": ", ".join(dict.fromkeys(statement.verb for statement in statements)),
        "xid": database.transaction_id(connection),
        "salt": os.urandom(16).hex(),
        "rowcount": sum(one.rowcount for one in ran),
        "returned": _returned(ran),
        "tables": [one.as_json() for one in changed],
        "sequences": sequences,
        "counters": settable,
    }
    total = sum(one.rows.count for one in changed)
    if total > TOGETHER and tables_in_order(Rows(database, connection), snapshot) is None:
        refuse(
            f"it touches {total:,} rows, more than the {TOGETHER:,} that can be put back together: {NEEDED_WHOLE}",
            "narrow its WHERE and send it in parts",
        )
    return snapshot


def _moved(before: Mapping[str, int], after: Mapping[str, int]) -> list[dict[str, Json]]:
    return [
        {"name": name, "before": before.get(name), "after": value}
        for name, value in after.items()
        if before.get(name) != value
    ]


def _returned(ran: Sequence[Ran]) -> list[dict[str, Json]]:
    return [row for one in ran for row in one.returned][:RETURNED]
