"""Writes whose text SQLAlchemy compiles once; from then on the driver gets it as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, CursorResult, Insert, Update


class Compiled:
    """An INSERT, or an UPDATE whose conditions are bound, of columns that hold text and numbers.

    SQLAlchemy's own execution takes several times as long as the driver's, of which nothing is needed
    here: there is nothing to convert, no default to fill in, and no row to read.
    """

    def __init__(self, statement: Insert | Update) -> None:
        self._statement = statement
        self._texts: dict[tuple[str, ...], tuple[str, list[str] | None]] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> CursorResult[Any]:
        """Run it with every column and every bound name that `values` has."""
        dialect = connection.dialect
        known = self._texts.get((dialect.name, dialect.driver, *values))
        if known is None:
            compiled = self._statement.compile(dialect=dialect, column_keys=list(values))
            known = self._texts[dialect.name, dialect.driver, *values] = (str(compiled), compiled.positiontup)
        text, order = known
        return connection.exec_driver_sql(
            text, dict(values) if order is None else tuple([values[name] for name in order])
        )
