"""Reading, and nothing but reading."""

from __future__ import annotations

import json
import math
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.sql.binding import bind
from langchain_agentrein.toolkits.sql.capture import reason
from langchain_agentrein.toolkits.sql.database import database_of
from langchain_agentrein.toolkits.sql.reads import check
from langchain_agentrein.toolkits.sql.statement import tables_in

LIMIT = 100
LIMIT_OPTION = "agentrein_limit"
"""The engine's execution option that holds another default for `limit`."""
BYTES_SHOWN = 64


class SqlQuery(Operation):
    """Read from the database with one SELECT.

    Pass values as :name parameters. Returns {"columns": [...], "rows": [[...]], "truncated": bool};
    at most `limit` rows. Statements that could change anything are refused.
    """

    name, risk, reversal, read_only = "sql.query", Risk.LOW, Reversal.EXACT, True

    statement: str = Field(description="One SELECT, with :name for each parameter.")
    parameters: dict[str, Any] | None = Field(default=None, description="Values by parameter name.")
    limit: int | None = Field(default=None, ge=1, le=10_000, description="How many rows to return at most.")

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"columns": [str], "rows": [[value]], "truncated": bool}

        Raises:
            NotDone: It is not provably a read, or it failed.
        """
        database = database_of(api)
        statement = check(self.statement, database.dialect)
        limit = self.limit or int(api.get_execution_options().get(LIMIT_OPTION, LIMIT))
        try:
            with database.reading() as connection:
                streaming = connection.execution_options(stream_results=True)
                result = streaming.execute(bind(statement, self.parameters, database.dialect))
                columns = list(result.keys())
                rows = [[shown(value) for value in row] for row in result.fetchmany(limit + 1)]
                result.close()
        except SQLAlchemyError as error:
            raise NotDone(f"the query failed: {reason(error)}") from error
        return {"columns": columns, "rows": rows[:limit], "truncated": len(rows) > limit}

    def result(self, receipt: Json) -> str:
        return json.dumps(receipt, ensure_ascii=False, separators=(",", ":"))

    def touches(self) -> frozenset[str]:
        return frozenset(f"sql:{table}" for table in tables_in(self.statement)) or frozenset({"sql"})


def shown(value: Any) -> Json:
    """A value as JSON for a reader; what JSON cannot hold is spelled out."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes() | memoryview():
            data = bytes(value)
            more = f"... ({len(data):,} bytes)" if len(data) > BYTES_SHOWN else ""
            return f"0x{data[:BYTES_SHOWN].hex()}{more}"
        case Decimal() | timedelta():
            return str(value)
        case date() | time():
            return value.isoformat()
        case list() | tuple():
            return [shown(item) for item in value]
        case dict():
            return {str(name): shown(item) for name, item in value.items()}
        case _:
            return str(value)
