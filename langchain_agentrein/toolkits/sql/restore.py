"""The undo: one transaction that looks, restores, and reads back what it restored."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from langchain_agentrein.action import Json
from langchain_agentrein.errors import Conflict, Throttled
from langchain_agentrein.operation import Undone
from langchain_agentrein.toolkits.sql.apart import tables_in_order
from langchain_agentrein.toolkits.sql.blocks import in_parts
from langchain_agentrein.toolkits.sql.capture import PAUSE, reason
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.restoring import Restore
from langchain_agentrein.toolkits.sql.restoring_blocks import BlockRestore
from langchain_agentrein.toolkits.sql.rows import Rows


def restore(
    database: Database, before: Json, fields: Sequence[str] | None, *, forced: bool = False
) -> Undone:
    """Put back what the action changed, where it still is as the action left it.

    Args:
        before: The snapshot.
        fields: The fields that may be restored; `None`: all.
        forced: Overwrite what others changed since.
    Returns:
        What stays, one sentence each.
    Raises:
        Conflict: Something is neither as the action left it nor as it was before. Nothing changed.
        Throttled: Other transactions stood in the way. Nothing changed.
    """
    for attempt in range(database.tries):
        try:
            with database.writing() as connection:
                undone = _restoring(database, connection, before, fields, forced=forced)
                connection.commit()
                return undone
        except IntegrityError as error:
            raise Conflict("the rows as they were no longer fit the database", [reason(error)]) from error
        except SQLAlchemyError as error:
            if not database.transient(error):
                raise
            if attempt == database.tries - 1:
                raise Throttled(f"another transaction is in the way: {reason(error)}") from error
        time.sleep(PAUSE * 2**attempt)
    raise AssertionError("unreachable")


def _restoring(
    database: Database, connection: Connection, before: Json, fields: Sequence[str] | None, *, forced: bool
) -> Undone:
    order = tables_in_order(Rows(database, connection), before) if in_parts(before) else None
    if order is None:
        return Restore(database, connection, before, fields, forced=forced).run()
    return BlockRestore(database, connection, before, fields, forced=forced, order=order).run()
