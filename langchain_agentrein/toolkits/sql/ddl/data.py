"""What is compared besides the catalogue: the rows of a table, and the values of a column.

    "rows of orders": {"look": "rows", "schema": str, "name": str, "column": None | str,
                       "before": {"rows": int, "digest": str} | None, "after": ... | None}
    "values of orders.note": {"look": "written", "schema": str, "name": str, "column": str,
                       "fill": {column: value} | None, "default": str | None,
                       "before": None, "after": {"written": int}}

`before` is what the field was before the statement, `after` what it was right after; `None`: there
was no such table or column. `rows` with a column looks at that column alone. `written` counts the
values that are neither what the statement filled in (`fill`) nor, where there was no row, the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from langchain_agentrein.action import Json
from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.ddl import images
from langchain_agentrein.toolkits.sql.ddl.catalogue import Catalogue, Lost
from langchain_agentrein.toolkits.sql.ddl.statement import Ddl
from langchain_agentrein.toolkits.sql.model import Column, Table, literal


def fields(
    catalogue: Catalogue, ddl: Ddl, made: Mapping[str, Json], lost: Lost, most: int
) -> dict[str, Json]:
    """The fields of a statement that just ran, with both their values.

    Raises:
        NotDone: There are too many rows to compare.
    """
    database, connection = catalogue.database, catalogue.connection
    found: dict[str, Json] = {}
    for image in lost.tables:
        field = _field("rows", image["schema"], image["name"])
        field["before"] = images.fingerprint(image["rows"])
        field["after"] = images.fingerprint([]) if ddl.verb == "TRUNCATE" else None
        found[f"rows of {image['label']}"] = field
    for item in made.values():
        table_id = catalogue.table_id(item["full"])
        if table_id is None:
            continue
        table = images.table_named(database, connection, *table_id)
        if item["column"] is None:
            images.read(database, connection, table, most)
            name, field = f"rows of {table.label}", _field("rows", *table_id)
        elif table.column(item["column"]).generated:
            continue
        else:
            name = f"values of {table.label}.{item['column']}"
            field = _column(database, connection, table, item, most)
        found[name] = field | {"after": _look(database, connection, field)}
    return found


def _field(kind: str, schema: str, name: str, column: str | None = None) -> dict[str, Json]:
    return {"look": kind, "schema": schema, "name": name, "column": column, "before": None, "after": None}


def _column(
    database: Database, connection: Connection, table: Table, item: Json, most: int
) -> dict[str, Json]:
    column = table.column(item["column"])
    field = _field("written", *table.id, column.name) | {"fill": None, "default": item["default"]}
    selected = database.selected(column, "t")
    with database.plain(connection):
        sql = literal(f"SELECT DISTINCT {selected} FROM {table.sql} t LIMIT 2")
        values = [database.decode(column, row[0]) for row in connection.execute(text(sql))]
    if len(values) == 1:
        return field | {"fill": {column.name: values[0]}}
    if len(values) > 1 or "(" in (item["default"] or ""):  # each row got its own
        images.read(database, connection, table, most)
        return _field("rows", *table.id, column.name)
    return field


def look(database: Database, connection: Connection, some: Mapping[str, Json]) -> dict[str, Json]:
    """The fields as they are now."""
    return {name: _look(database, connection, field) for name, field in some.items()}


def _look(database: Database, connection: Connection, field: Json) -> Json:
    try:
        table = images.table_named(database, connection, field["schema"], field["name"])
    except NotDone:
        return None
    name = field["column"]
    if name is not None and name not in [column.name for column in table.stored]:
        return None
    if field["look"] == "written":
        return {"written": _written(database, connection, table, field)}
    rows = images.read(database, connection, table)
    return images.fingerprint(rows if name is None else [{name: row[name]} for row in rows])


def _written(database: Database, connection: Connection, table: Table, field: Json) -> int:
    column = table.column(field["column"])
    condition, parameters = _other(database, column, field)
    sql = literal(f"SELECT count(*) FROM {table.sql} t WHERE ") + condition
    with database.plain(connection):
        return int(connection.execute(text(sql), parameters).scalar_one())


def _other(database: Database, column: Column, field: Json) -> tuple[str, dict[str, Any]]:
    """A condition for values that are not the one that was filled in, or the default."""
    sqlite = database.dialect == "sqlite"
    selected = literal(database.selected(column, "t"))
    unlike = "IS NOT" if sqlite else "IS DISTINCT FROM"
    if field["fill"] is not None:
        value = database.encode(column, field["fill"][column.name])
        if value is None:
            return f"{selected} IS NOT NULL", {}
        return f"{selected} {unlike} :v", {"v": value if sqlite else str(value)}
    if field["default"] is None:
        return f"{selected} IS NOT NULL", {}
    default = f"({field['default']})"
    if not sqlite:
        typed = f"CAST({default} AS {column.type})"
        default = f"encode({typed}, 'hex')" if column.kind == "bytes" else f"CAST({typed} AS text)"
    return f"{selected} {unlike} {literal(default)}", {}
