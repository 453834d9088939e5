"""What statements would touch, counted before they run, for whoever decides about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from langchain_agentrein.action import Json, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.sql.binding import bind
from langchain_agentrein.toolkits.sql.capture import reason
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.reach import (
    Indirect,
    Reached,
    capturable,
    carrying,
    direct,
    named_by,
    reach,
    set_columns,
)
from langchain_agentrein.toolkits.sql.rows import Rows
from langchain_agentrein.toolkits.sql.statement import Statement, Write, parse

MOST_FOLLOWED = 20_000
"""Rows above which a cascade is not followed from row to row; on SQLite the statement is rehearsed instead."""
MOST_REACHED = 100_000
"""Rows, those of cascades included, above which the same holds."""


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
        statements = parse(statement, database.dialect)
        try:
            risk, summary = _plain(database, statements, parameters, limits)
        except Indirect:
            risk, summary = _rehearsed(database, statements, parameters, limits)
        if not all(one.filtered for one in statements):
            risk, summary = Risk.CRITICAL, summary + ", without a WHERE"
        return risk, summary + "."
    except _Refused as refused:
        return Risk.CRITICAL, str(refused)
    except NotDone as error:
        return limits.risk, f"It will be refused: {str(error).removeprefix('refused, nothing changed: ')}."
    except SQLAlchemyError as error:
        return limits.risk, f"It will fail: {reason(error)}."


class _Refused(Exception):
    """More rows than are ever captured."""


def _plain(
    database: Database, statements: Sequence[Statement], parameters: Mapping[str, Json] | None, limits: Limits
) -> tuple[Risk, str]:
    write = statements[0].write
    if len(statements) > 1 or write is None:
        raise Indirect
    with database.reading() as connection:
        target = database.table(connection, write.table, write.schema)
        capturable(target)
        if write.kind == "insert":
            return _insert(database, connection, write, parameters, target.label, limits)
        if write.kind == "update":
            set_columns(write, target)
        named = named_by(database, connection, write, target, parameters)
        if named > limits.most:
            raise _Refused(
                f"It will be refused: it touches {_rows(named)} of {target.label}, "
                f"more than {limits.most:,}; narrow its WHERE."
            )
        touched = f"{write.kind.upper()} touches {_rows(named)} of {target.label}"
        with database.plain(connection):
            rows = Rows(database, connection)
            if named > MOST_FOLLOWED:
                further = carrying(rows, write, target)
                if further and database.dialect == "sqlite":
                    raise Indirect
                touched += f" and cascades to rows of {' and '.join(further)}" if further else ""
                return max(_by_count(named, limits), Risk.HIGH), touched
            handles = direct(database, connection, write, target, parameters, named)
            reached = reach(rows, write, target, rows.handled(target, handles), MOST_REACHED)
            carried = _carried(rows, reached)
    summary = touched
    if carried:
        summary += " and cascades to " + " and ".join(
            f"{_rows(n)} of {label}" for label, n in carried.items()
        )
    risk = _by_count(reached.count, limits)
    return max(risk, Risk.HIGH) if carried else risk, summary


def _insert(
    database: Database,
    connection: Connection,
    write: Write,
    parameters: Mapping[str, Json] | None,
    label: str,
    limits: Limits,
) -> tuple[Risk, str]:
    count = write.rows
    if write.select:
        sql = f"SELECT count(*) FROM (\n{write.select}\n) AS counted"
        count = int(connection.execute(bind(sql, parameters, database.dialect)).scalar_one())
    risk = Risk.LOW if count == 1 and not write.upsert else _by_count(count, limits)
    return (
        risk,
        f"INSERT adds {'or updates ' if write.upsert else ''}{_rows(count)} {'in' if write.upsert else 'to'} {label}",
    )


def _rehearsed(
    database: Database, statements: Sequence[Statement], parameters: Mapping[str, Json] | None, limits: Limits
) -> tuple[Risk, str]:
    """Where the text does not tell: what the database itself says of them."""
    rehearsal = database.rehearse(statements, parameters, limits.most)
    count = sum(rehearsal.rows.values())
    verbs = " and ".join(dict.fromkeys(statement.verb.upper() for statement in statements))
    about = "" if rehearsal.exact else "about "
    touched = (
        " and ".join(f"{about}{_rows(n)} of {label}" for label, n in rehearsal.rows.items()) or "no rows"
    )
    summary = f"{verbs} touches {touched}"
    if rehearsal.exact:
        return _by_count(count, limits), summary
    return max(
        _by_count(count, limits), Risk.HIGH
    ), summary + " as the planner expects, and what triggers add"


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
