"""What a statement would touch, counted before it runs, for whoever decides about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from langchain_agentrein.action import Json, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.sql.capture import reason
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.reach import Reached, capturable, direct, reach, set_columns
from langchain_agentrein.toolkits.sql.rows import Rows
from langchain_agentrein.toolkits.sql.statement import Write, parse


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers that a forecast goes by: see `SqlExecute`."""

    risk: Risk
    many: int
    most: int


def forecast(
    database: Database, statement: str, parameters: Mapping[str, Json] | None, limits: Limits
) -> tuple[Risk, str]:
    """The risk, and one sentence that counts the rows; never raises for a statement that will be refused."""
    try:
        write = parse(statement, database.dialect)
        return _count(database, write, parameters, limits)
    except NotDone as error:
        return limits.risk, f"It will be refused: {str(error).removeprefix('refused, nothing changed: ')}."
    except SQLAlchemyError as error:
        return limits.risk, f"It will fail: {reason(error)}."


def _count(
    database: Database, write: Write, parameters: Mapping[str, Json] | None, limits: Limits
) -> tuple[Risk, str]:
    with database.reading() as connection:
        target = database.table(connection, write.table, write.schema)
        capturable(target)
        if write.kind == "insert":
            count = max(1, write.rows)
            risk = Risk.LOW if count == 1 else _by_count(count, limits)
            return risk, f"INSERT adds {_rows(count)} to {target.label}."
        if write.kind == "update":
            set_columns(write, target)
        handles = direct(database, connection, write, target, parameters)
        if len(handles) > limits.most:
            return Risk.CRITICAL, (
                f"It will be refused: it touches {_rows(len(handles))} of {target.label}, "
                f"more than {limits.most:,}; narrow its WHERE."
            )
        with database.plain(connection):
            rows = Rows(database, connection)
            reached = reach(rows, write, target, rows.handled(target, handles), limits.most)
            carried = _carried(rows, reached)
    verb = write.kind.upper()
    summary = f"{verb} touches {_rows(len(handles))} of {target.label}"
    if carried:
        summary += " and cascades to " + " and ".join(
            f"{_rows(n)} of {label}" for label, n in carried.items()
        )
    risk = _by_count(reached.count, limits)
    if carried:
        risk = max(risk, Risk.HIGH)
    if not write.filtered:
        risk, summary = Risk.CRITICAL, summary + ", without a WHERE"
    return risk, summary + "."


def _carried(rows: Rows, reached: Reached) -> dict[str, int]:
    """Rows beyond those that the statement names, by table."""
    counts = {
        rows.table(table_id).label: len(set(keys) - set(reached.direct))
        if table_id == reached.target.id
        else len(keys)
        for table_id, keys in reached.keys.items()
    }
    return {label: count for label, count in counts.items() if count}


def _by_count(count: int, limits: Limits) -> Risk:
    return max(limits.risk, Risk.HIGH) if count > limits.many else limits.risk


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
