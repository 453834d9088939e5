"""What a change of the schema would do, told before it runs."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from langchain_agentrein.action import Reversal, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Assessment
from langchain_agentrein.toolkits.sql.capture import reason
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.ddl import images
from langchain_agentrein.toolkits.sql.ddl.capture import no_such
from langchain_agentrein.toolkits.sql.ddl.catalogue import catalogue_of
from langchain_agentrein.toolkits.sql.ddl.statement import Ddl, parse
from langchain_agentrein.toolkits.sql.forecast import Limits
from langchain_agentrein.toolkits.sql.model import literal

_REFUSED = "refused, nothing changed: "


def forecast(database: Database, sql: str, limits: Limits) -> Assessment:
    """The risk, and one sentence; never raises for a statement that will be refused."""
    try:
        ddl = parse(sql, database.dialect)
        return Assessment(_risk(ddl, limits), Reversal.EXACT, _summary(database, ddl, limits))
    except NotDone as error:
        why = str(error).removeprefix(_REFUSED)
        return Assessment(limits.risk, Reversal.EXACT, f"It will be refused: {why}.")
    except SQLAlchemyError as error:
        return Assessment(limits.risk, Reversal.EXACT, f"It will fail: {reason(error)}.")


def _risk(ddl: Ddl, limits: Limits) -> Risk:
    if ddl.loses:
        return Risk.CRITICAL
    if ddl.verb == "DROP" or ddl.action in ("RENAME", "DROP CONSTRAINT"):
        return max(limits.risk, Risk.HIGH)
    return limits.risk


def _summary(database: Database, ddl: Ddl, limits: Limits) -> str:
    with database.reading() as connection:
        catalogue = catalogue_of(database, connection)
        target = catalogue.target(ddl)
        if target is None:
            if ddl.optional and ddl.verb != "CREATE":
                return f"{ddl.title} finds nothing of that name, and does nothing."
            raise no_such(ddl)
        catalogue.check(ddl, target)
        table_id = catalogue.table_id(target) if ddl.verb != "CREATE" else None
        if table_id is None or not ddl.loses:
            return f"{ddl.title} on {target}."
        table = images.table_named(database, connection, *table_id)
        count_sql = f"SELECT count(*) FROM (SELECT 1 FROM {table.sql} LIMIT {limits.most + 1}) t"
        count = int(connection.execute(text(literal(count_sql))).scalar_one())
    if count > limits.most:
        raise NotDone(f"{_REFUSED}{table.label} has more than {limits.most:,} rows, too many to copy")
    rows = "1 row" if count == 1 else f"{count:,} rows"
    return f"{ddl.title} takes away {_what(ddl)} {table.label}, with {rows}."


def _what(ddl: Ddl) -> str:
    return {"DROP": "the table", "TRUNCATE": "every row of", "ALTER": "values of"}[ddl.verb]
