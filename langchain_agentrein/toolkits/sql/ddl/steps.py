"""The steps of an undo, as they lie in the snapshot.

{"do": "sql", "sql": str}                     # one statement of ours
{"do": "insert", "table": int}                # the rows of the snapshot's `tables[int]`
{"do": "unmoved", "values": int}              # nobody has changed those values since
{"do": "values", "values": int}               # the values of the snapshot's `values[int]`, row by row
{"do": "sequence", "name": str, "last": int, "called": bool}    # Postgres: where it stood
{"do": "texts", "texts": {key: item}}         # SQLite: the schema's own text, as it was
{"do": "rebuild", "name": str, "sql": str, "values": int | None}   # SQLite: with a dropped column
{"do": "rows of", "table": str, "rows": [...]}   # SQLite: what it keeps of a table elsewhere
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from langchain_agentrein.action import Json
from langchain_agentrein.errors import AgentReinError, Conflict
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.ddl import images, sqlite_schema
from langchain_agentrein.toolkits.sql.ddl.values import moved, put_values
from langchain_agentrein.toolkits.sql.model import literal


def sql(statement: str) -> Json:
    """A step that runs one statement."""
    return {"do": "sql", "sql": statement}


def execute(database: Database, connection: Connection, before: Json) -> list[str]:
    """Take the steps of a snapshot, in order.

    Returns:
        What stays, one sentence each.
    Raises:
        Conflict: Somebody changed what would be overwritten.
    """
    residue: list[str] = []
    if database.dialect == "sqlite":  # rows may refer to rows that come after them
        database.defer(connection)
    for step in before["undo"]:
        residue += _step(database, connection, before, step)
    if database.dialect == "sqlite" and database.cascades(connection):
        for image in [*before["tables"], *before["values"]]:
            if orphans := sqlite_schema.orphans(connection, image["name"]):
                raise Conflict("rows would refer to rows that are not there", orphans)
    return residue


def _step(database: Database, connection: Connection, before: Json, step: Json) -> Sequence[str]:
    match step["do"]:
        case "sql":
            connection.execute(text(literal(step["sql"])))
        case "insert":
            image = before["tables"][step["table"]]
            table = images.table_named(database, connection, image["schema"], image["name"])
            images.insert(database, connection, table, image["rows"])
            if not images.same(images.read(database, connection, table), image["rows"]):
                raise AgentReinError(f"the rows of {image['label']} read back different; nothing was undone")
            settle(database, connection)
        case "unmoved":
            if found := moved(database, connection, before["values"][step["values"]]):
                raise Conflict("somebody changed what would be overwritten", found)
        case "values":
            told = put_values(database, connection, before["values"][step["values"]])
            settle(database, connection)
            return told
        case "sequence":
            parameters: dict[str, Any] = {"n": step["name"], "v": step["last"], "c": step["called"]}
            connection.execute(text("SELECT setval(CAST(:n AS regclass), :v, :c)"), parameters)
        case "texts":
            sqlite_schema.put_texts(connection, step["texts"])
        case "rebuild":
            image = None if step["values"] is None else before["values"][step["values"]]
            return sqlite_schema.rebuild(database, connection, step["name"], step["sql"], image)
        case "inner":
            sqlite_schema.put_inner_rows(connection, step["table"], step["name"], step["rows"])
        case unknown:
            raise AgentReinError(f"this release knows no step {unknown!r}; nothing was undone")
    return ()


def settle(database: Database, connection: Connection) -> None:
    """Check on Postgres what is deferred: a table with checks to come cannot be altered."""
    if database.dialect == "postgres":
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
