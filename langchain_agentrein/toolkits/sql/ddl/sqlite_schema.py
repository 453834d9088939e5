"""SQLite's schema: its own text, object by object, and how to get back to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from sqlalchemy import Connection, text

from langchain_agentrein.action import Json
from langchain_agentrein.errors import Conflict
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.ddl import images
from langchain_agentrein.toolkits.sql.ddl.values import gone_and_come
from langchain_agentrein.toolkits.sql.model import Table, key_text, literal, quote, spell
from langchain_agentrein.toolkits.sql.rows import Values
from langchain_agentrein.toolkits.sql.sqlite import MAIN

Schema: TypeAlias = dict[str, Json]
"""`table orders` -> {"type": str, "name": str, "on": str, "sql": str, "columns": [str]}, in the order of creation."""

INNER, COUNTS = "sqlite_sequence", "sqlite_stat1"
ASIDE = "agentrein aside"
"""What a table is called while its successor is filled."""


def describe(connection: Connection) -> Schema:
    """Everything that was created in the main database."""
    columns: dict[str, list[str]] = {}
    for table, column in connection.execute(
        text(
            "SELECT m.name, x.name FROM sqlite_master m JOIN pragma_table_xinfo(m.name) x "
            "WHERE m.type = 'table' ORDER BY m.name, x.cid"
        )
    ):
        columns.setdefault(table, []).append(column)
    rows = connection.execute(
        text(
            "SELECT type, name, tbl_name, sql FROM sqlite_master "
            "WHERE sql IS NOT NULL AND substr(name, 1, 7) <> 'sqlite_' ORDER BY rowid"
        )
    )
    return {
        f"{kind} {spell(name)}": {
            "type": kind,
            "name": name,
            "on": on,
            "sql": sql,
            "columns": columns.get(name, []) if kind == "table" else [],
        }
        for kind, name, on, sql in rows
    }


def counters(connection: Connection) -> bool:
    """Whether SQLite keeps its table of AUTOINCREMENT counters, which never goes away."""
    return _is_there(connection, INNER)


def _is_there(connection: Connection, name: str) -> bool:
    return (
        connection.execute(text("SELECT 1 FROM sqlite_master WHERE name = :n"), {"n": name}).first()
        is not None
    )


def inner_rows(connection: Connection, name: str) -> list[tuple[str, list[Values]]]:
    """What SQLite keeps of a table or an index in tables of its own: the counter, and what ANALYZE counted.

    Not its samples: they are values of rows, which would lie in the journal under no column's name.
    """
    found = []
    for inner in (INNER, COUNTS):
        sql = f"SELECT * FROM {inner} WHERE {_about(inner)} ORDER BY rowid"
        if _is_there(connection, inner):
            rows = connection.execute(text(sql), {"n": name})
            if listed := [dict(row._mapping) for row in rows]:
                found.append((inner, listed))
    return found


def _about(inner: str) -> str:
    return "name = :n" if inner == INNER else ":n IN (tbl, idx)"


def put_inner_rows(connection: Connection, inner: str, name: str, rows: Sequence[Values]) -> None:
    """Put them back, in place of what is there by now."""
    connection.execute(text(f"DELETE FROM {quote(inner)} WHERE {_about(inner)}"), {"n": name})
    names = list(rows[0])
    marks = ", ".join(f":p{place}" for place in range(len(names)))
    listed = ", ".join(quote(column) for column in names)
    connection.execute(
        text(literal(f"INSERT INTO {quote(inner)} ({listed}) VALUES (") + f"{marks})"),
        [{f"p{place}": row[column] for place, column in enumerate(names)} for row in rows],
    )


def orphans(connection: Connection, table: str) -> list[str]:
    """The rows of a table that refer to no row, which a commit would not let pass."""
    sql = 'SELECT "table", parent, count(*) FROM pragma_foreign_key_check(:n) GROUP BY 1, 2'
    return [
        f"{count:,} rows of {spell(child)} refer to rows of {spell(parent)} that are not there"
        for child, parent, count in connection.execute(text(sql), {"n": table})
    ]


def put_texts(connection: Connection, texts: Mapping[str, Json]) -> None:
    """Write the schema's own text as it was: a rename that is taken back leaves other quotes in it."""
    now = describe(connection)
    connection.execute(text("PRAGMA writable_schema = 1"))
    try:
        for key, item in texts.items():
            if key in now and now[key]["sql"] != item["sql"]:
                connection.execute(
                    text("UPDATE sqlite_master SET sql = :sql WHERE type = :type AND name = :name"),
                    {name: item[name] for name in ("sql", "type", "name")},
                )
    finally:
        connection.execute(text("PRAGMA writable_schema = RESET"))


def rebuild(database: Database, connection: Connection, name: str, sql: str, image: Json | None) -> list[str]:
    """Make a table anew from its former text, with the rows of now and the values that a column had.

    The table is put aside under another name, so that no row is deleted while another refers to it.

    Args:
        image: The values; `None`: the database computes them.
    Returns:
        Which rows have gone or come since.
    """
    schema = describe(connection)
    if f"table {spell(ASIDE)}" in schema:
        raise Conflict(f"the name {ASIDE} is taken")
    table = images.table_named(database, connection, MAIN, name)
    kept = [] if image is None else image["rows"]
    if image is not None and kept and set(kept[0]["key"]) != set(table.key):
        raise Conflict(f"{image['label']} has another primary key than it had")
    inner = inner_rows(connection, name)
    former = {key_text(list(row["key"].values())): row["before"] for row in kept}
    rows = images.read(database, connection, table)
    known = 0
    for row in rows:
        values = former.get(key_text([row[column] for column in table.key]))
        known += values is not None
        row.update(values or {})
    database.defer(connection)
    connection.execute(text(literal(f"ALTER TABLE {quote(name)} RENAME TO {quote(ASIDE)}")))
    connection.execute(text(literal(sql)))
    images.insert(database, connection, images.table_named(database, connection, MAIN, name), rows)
    own = [item for item in schema.values() if item["on"].lower() == name.lower()]
    put_texts(connection, {key: item for key, item in schema.items() if item not in own})
    connection.execute(text(literal(f"DROP TABLE {quote(ASIDE)}")))
    for item in own:
        if item["type"] != "table":
            connection.execute(text(literal(item["sql"])))
    for owner, listed in inner:
        put_inner_rows(connection, owner, name, listed)
    return [] if image is None else gone_and_come(image, known, len(rows))


def drop(item: Json) -> str:
    """The statement that takes an object away."""
    return f"DROP {item['type'].upper()} {quote(MAIN)}.{quote(item['name'])}"


def plan(before: Schema, after: Schema, tables: Sequence[Json], values: int | None) -> list[Json]:
    """The steps from `after` back to `before`.

    Args:
        tables: The images of dropped tables; see `capture`.
        values: The place of the image of a dropped column.
    """
    gone = {key: item for key, item in before.items() if key not in after}
    new = {key: item for key, item in after.items() if key not in before}
    changed = {key: item for key, item in before.items() if key in after and after[key] != item}
    old_table = next((item for item in gone.values() if item["type"] == "table"), None)
    new_table = next((item for item in new.values() if item["type"] == "table"), None)
    if old_table and new_table:
        rename = f"ALTER TABLE {quote(new_table['name'])} RENAME TO {quote(old_table['name'])}"
        return [{"do": "sql", "sql": rename}, {"do": "texts", "texts": {**gone, **changed}}]
    for key, item in changed.items():
        if item["type"] == "table" and item["columns"] != after[key]["columns"]:
            return _columns(item, after[key]["columns"], changed, values)
    steps: list[Json] = [{"do": "sql", "sql": drop(item)} for item in new.values()]
    for kind in ("table", "view", "index", "trigger"):
        for item in gone.values():
            if item["type"] == kind:
                steps.append({"do": "sql", "sql": item["sql"]})
                steps += [
                    {"do": "insert", "table": place}
                    for place, image in enumerate(tables)
                    if kind == "table" and image["name"] == item["name"]
                ]
    return steps


def _columns(item: Json, now: Sequence[str], changed: Schema, values: int | None) -> list[Json]:
    """Back to the columns that a table had."""
    table, was = quote(item["name"]), item["columns"]
    if len(now) < len(was):
        return [{"do": "rebuild", "name": item["name"], "sql": item["sql"], "values": values}]
    if len(now) > len(was):
        back = f"ALTER TABLE {table} DROP COLUMN {quote(now[-1])}"
    else:
        old, new = next(pair for pair in zip(was, now, strict=True) if pair[0] != pair[1])
        back = f"ALTER TABLE {table} RENAME COLUMN {quote(new)} TO {quote(old)}"
    return [{"do": "sql", "sql": back}, {"do": "texts", "texts": changed}]


def is_real_table(table: Table, schema: Schema) -> bool:
    """Whether its rows lie in the table itself."""
    item = schema.get(f"table {spell(table.id[1])}")
    return item is not None and not item["sql"].lstrip().upper().startswith("CREATE VIRTUAL")
