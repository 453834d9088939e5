"""The undo of a change of the schema: one transaction that looks, takes the steps back, and reads back."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import (
    DataError,
    IntegrityError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)

from langchain_agentrein.action import Json
from langchain_agentrein.errors import AgentReinError, Conflict, Throttled
from langchain_agentrein.toolkits.sql.capture import PAUSE, reason
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.ddl.capture import differing
from langchain_agentrein.toolkits.sql.ddl.catalogue import begin, catalogue_of
from langchain_agentrein.toolkits.sql.ddl.observation import as_after, as_before, built_on, observed
from langchain_agentrein.toolkits.sql.ddl.steps import execute

_UNFIT = (DataError, IntegrityError, InternalError, NotSupportedError, ProgrammingError)
"""What a database says when something that others made stands in the way."""


def restore(
    database: Database, before: Json, fields: Sequence[str] | None, *, forced: bool = False
) -> list[str]:
    """Put the schema back, where it still is as the statement left it.

    Args:
        before: The snapshot.
        fields: The fields that may be restored; `None`: all. A part of them cannot be.
        forced: Whatever others changed since; what they made on it may be lost.
    Returns:
        What stays, one sentence each.
    Raises:
        Conflict: Something is neither as the statement left it nor as it was before. Nothing changed.
        Throttled: Other transactions stood in the way. Nothing changed.
    """
    for attempt in range(database.tries):
        connection = begin(database)
        try:
            residue = _restore(database, connection, before, fields, forced=forced)
            connection.commit()
            return residue
        except SQLAlchemyError as error:
            if not database.transient(error):
                if isinstance(error, _UNFIT) or (
                    isinstance(error, OperationalError) and database.dialect == "sqlite"
                ):
                    raise Conflict("what is there now stands in the way", [reason(error)]) from error
                raise
            if attempt == database.tries - 1:
                raise Throttled(f"another transaction is in the way: {reason(error)}") from error
        finally:
            database.end(connection)
        time.sleep(PAUSE * 2**attempt)
    raise AssertionError("unreachable")


def _restore(
    database: Database, connection: Connection, before: Json, fields: Sequence[str] | None, *, forced: bool
) -> list[str]:
    catalogue = catalogue_of(database, connection)
    catalogue.lock(before["targets"])
    present = catalogue.describe(before["targets"])
    now, was, left = observed(catalogue, before, present), as_before(before), as_after(before)
    if now == was:
        return []
    if not forced:
        moved = sorted(name for name in left if now[name] != left[name])
        attached = built_on(catalogue, before, present, now)
        if moved or attached:
            since = [f"{name} was changed since" for name in moved if now[name] is not None]
            gone = [f"{name} is gone since" for name in moved if now[name] is None]
            raise Conflict("it is not as the statement left it", attached or since + gone)
        if fields is not None and {name for name in was if was[name] != left[name]} - set(fields):
            raise Conflict("a change of the schema is undone as a whole", sorted(fields))
    residue = execute(database, connection, before)
    undone = catalogue.describe(before["targets"])
    if observed(catalogue, before, undone) != was:
        raise AgentReinError("the schema reads back different from what was before; nothing was undone")
    taken = differing(catalogue, present, undone) - {*before["before"], *before["after"]}
    if taken and not forced:
        raise Conflict("the undo would change what others made since", sorted(taken))
    return [*before["residue"], *residue]
