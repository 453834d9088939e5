"""The values of single columns, row by row: what DROP COLUMN and ALTER COLUMN TYPE take away.

    {"schema": str, "name": str, "label": str, "columns": [str],
     "rows": [{"key": {column: value}, "before": {column: value}, "after": {column: value}}]}

`after` is empty where the column is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, text

from langchain_agentrein.action import Json
from langchain_agentrein.errors import AgentReinError, Conflict
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.ddl import images
from langchain_agentrein.toolkits.sql.model import Table, key_text, literal, quote, row_name
from langchain_agentrein.toolkits.sql.rows import Values, key_of
from langchain_agentrein.toolkits.sql.statement import refuse


def of_columns(
    table: Table, columns: Sequence[str], before: Iterable[Values], after: Iterable[Values]
) -> Json:
    """The image, from the rows of the whole table before and after.

    Raises:
        NotDone: The rows could not be found again.
    """
    if not table.key or set(table.key) & set(columns) - {name for row in after for name in row}:
        refuse(
            f"{table.label} has no primary key left, by which the values could be put back",
            "give the table one, or let a person run it",
        )
    left = {_key(table, row): row for row in after}
    rows = []
    for row in before:
        if any(row[name] is None for name in table.key) or _key(table, row) not in left:
            refuse(f"rows of {table.label} could not be found again by their primary key")
        now = left[_key(table, row)]
        rows.append(
            {
                "key": key_of(table, row),
                "before": {name: row[name] for name in columns},
                "after": {name: now[name] for name in columns if name in now},
            }
        )
    return {
        "schema": table.id[0],
        "name": table.id[1],
        "label": table.label,
        "columns": list(columns),
        "rows": rows,
    }


def _key(table: Table, row: Values) -> str:
    return key_text([row[name] for name in table.key])


def moved(database: Database, connection: Connection, image: Json) -> list[str]:
    """What others have changed of these values since, one sentence each."""
    if not image["rows"] or not image["rows"][0]["after"]:
        return []
    table = images.table_named(database, connection, image["schema"], image["name"])
    now = {_key(table, row): row for row in images.read(database, connection, table)}
    found = []
    for row in image["rows"]:
        present = now.pop(key_text(list(row["key"].values())), None)
        if present is not None and any(present.get(name) != value for name, value in row["after"].items()):
            found.append(f"{row_name(image['label'], row['key'])} was changed since")
    return found + ([f"{len(now):,} rows of {image['label']} came since"] if now else [])


def put_values(database: Database, connection: Connection, image: Json) -> list[str]:
    """Write them back where they differ, and read them again.

    Returns:
        Which rows have gone or come since.
    Raises:
        Conflict: The table lost its key.
    """
    table = images.table_named(database, connection, image["schema"], image["name"])
    if image["rows"] and set(image["rows"][0]["key"]) != set(table.key):
        raise Conflict(f"{image['label']} has another primary key than it had")
    now = {_key(table, row): row for row in images.read(database, connection, table)}
    rows = [row for row in image["rows"] if key_text(list(row["key"].values())) in now]
    update(database, connection, table, [row for row in rows if _differs(now, row)])
    now = {_key(table, row): row for row in images.read(database, connection, table)}
    if any(_differs(now, row) for row in rows):
        raise AgentReinError(f"the values of {image['label']} read back different; nothing was undone")
    return gone_and_come(image, len(rows), len(now))


def _differs(now: dict[str, Values], row: Json) -> bool:
    present = now[key_text(list(row["key"].values()))]
    return any(present[name] != value for name, value in row["before"].items())


def gone_and_come(image: Json, found: int, present: int) -> list[str]:
    """What is to be told of rows that are not those of the image."""
    residue = []
    if gone := len(image["rows"]) - found:
        residue.append(f"{gone:,} rows of {image['label']} have gone since, and their values with them")
    if come := present - found:
        names = ", ".join(image["columns"])
        residue.append(f"{come:,} rows of {image['label']} came since, and have the default in {names}")
    return residue


def update(database: Database, connection: Connection, table: Table, rows: Sequence[Json]) -> None:
    """Set columns row by row."""
    if not rows:
        return
    sets: list[str] = []
    where: list[str] = []
    parameters: list[dict[str, Json]] = [{} for _ in rows]
    for part, name, into in [
        *(("before", name, sets) for name in rows[0]["before"]),
        *(("key", name, where) for name in rows[0]["key"]),
    ]:
        column, mark = table.column(name), f"p{len(sets) + len(where)}"
        into.append(f"{literal(quote(name))} = {database.placeholder(column, mark)}")
        for row, values in zip(rows, parameters, strict=True):
            values[mark] = database.encode(column, row[part][name])
    sql = literal(f"UPDATE {table.sql} SET ") + ", ".join(sets) + " WHERE " + " AND ".join(where)
    connection.execute(text(sql), parameters)
