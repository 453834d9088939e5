"""Postgres' objects as the statements that create them, from their descriptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.sql.model import quote

STORAGE = {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}
ENABLED = {"D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}


def string(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("'", "''") + "'"


def options(item: Json) -> str:
    """`WITH (...)`, if it has any."""
    pairs = [one.partition("=") for one in item["options"] or ()]
    listed = ", ".join(f"{name} = {string(value)}" for name, _, value in pairs)
    return f" WITH ({listed})" if listed else ""


def sequence_options(item: Json) -> str:
    """How it counts."""
    counting = item["sequence"]
    return (
        f"START {counting['start']} INCREMENT {counting['increment']} MINVALUE {counting['min']} "
        f"MAXVALUE {counting['max']} CACHE {counting['cache']} {'' if counting['cycle'] else 'NO '}CYCLE"
    )


def sequence(item: Json) -> str:
    """A sequence of its own; it gets its owner once the column is there."""
    unlogged = "UNLOGGED " if item["persistence"] == "u" else ""
    return f"CREATE {unlogged}SEQUENCE {item['full']} AS {item['sequence']['type']} {sequence_options(item)}"


def identity(item: Json, own: Json) -> str:
    """`GENERATED ... AS IDENTITY`, with the sequence that is behind it."""
    how = "ALWAYS" if item["identity"] == "a" else "BY DEFAULT"
    return f"GENERATED {how} AS IDENTITY (SEQUENCE NAME {own['full']} {sequence_options(own)})"


def column(item: Json, own: Json | None, not_null: str = "") -> str:
    """A column in CREATE TABLE or ADD COLUMN.

    Args:
        own: The sequence that it owns.
        not_null: What makes it NOT NULL; empty: it is not, or that comes later.
    """
    parts = [quote(item["name"]), item["type"]]
    if item["collation"]:
        parts.append(f"COLLATE {item['collation']}")
    if item["generated"]:
        parts.append(f"GENERATED ALWAYS AS ({item['default']}) STORED")
    elif item["identity"] and own is not None:
        parts.append(identity(item, own))
    elif item["default"] is not None:
        parts.append(f"DEFAULT {item['default']}")
    return " ".join([*parts, not_null]).rstrip()


def not_null(name: str | None) -> str:
    """`NOT NULL`, under its name if it has one."""
    return "NOT NULL" if name is None else f"CONSTRAINT {quote(name)} NOT NULL"


def set_not_null(table: str, column: str, name: str | None) -> str:
    """The same, for a column that is there."""
    if name is None:
        return f"ALTER TABLE {table} ALTER COLUMN {quote(column)} SET NOT NULL"
    return f"ALTER TABLE {table} ADD CONSTRAINT {quote(name)} NOT NULL {quote(column)}"


def column_extras(item: Json) -> Iterator[str]:
    """What a column's own words do not say."""
    alter = f"ALTER TABLE {item['table']} ALTER COLUMN {quote(item['name'])}"
    if item["storage"]:
        yield f"{alter} SET STORAGE {STORAGE[item['storage']]}"
    if item["target"] is not None:
        yield f"{alter} SET STATISTICS {item['target']}"
    if item["compression"]:
        yield f"{alter} SET COMPRESSION {'pglz' if item['compression'] == 'p' else 'lz4'}"


def table(item: Json, columns: Sequence[Json], owned: Mapping[str, Json], named: Mapping[str, str]) -> str:
    """A table without its constraints, but for NOT NULL.

    Args:
        owned: The sequences of its columns, by column.
        named: The names of its NOT NULL, by column: PostgreSQL 18 keeps them.
    """
    unlogged = "UNLOGGED " if item["persistence"] == "u" else ""
    listed = ", ".join(
        column(one, owned.get(one["name"]), not_null(named.get(one["name"])) if one["notnull"] else "")
        for one in columns
    )
    return f"CREATE {unlogged}TABLE {item['full']} ({listed}){options(item)}"


def view(item: Json) -> str:
    """A view, or a materialized one."""
    definition = item["def"].rstrip().removesuffix(";")
    tail = "" if item["kind"] == "view" or item["filled"] else " WITH NO DATA"
    return f"CREATE {item['kind'].upper()} {item['full']}{options(item)} AS {definition}{tail}"


def trigger(item: Json) -> Iterator[str]:
    """A trigger, switched off if it was."""
    yield item["def"]
    if how := ENABLED.get(item["enabled"]):
        yield f"ALTER TABLE {item['table']} {how} TRIGGER {quote(item['name'])}"


def named(item: Json) -> str:
    """An object, as COMMENT ON names it."""
    match item["kind"]:
        case "column":
            return f"COLUMN {item['table']}.{quote(item['name'])}"
        case "constraint" | "trigger":
            return f"{item['kind'].upper()} {quote(item['name'])} ON {item['table']}"
    return f"{item['kind'].upper()} {item['full']}"


def belongings(item: Json) -> Iterator[str]:
    """Its owner, its grants and its comment."""
    if "owner" in item and item["kind"] != "index" and not item["owned"]:
        yield f"ALTER {item['kind'].upper()} {item['full']} OWNER TO {item['owner']}"
    yield from grants(item)
    if item.get("comment"):
        yield f"COMMENT ON {named(item)} IS {string(item['comment'])}"


def grants(item: Json) -> Iterator[str]:
    """Who may do what, if anybody ever said so."""
    if item.get("grants") is None:
        return
    columns = f" ({quote(item['name'])})" if item["kind"] == "column" else ""
    on = (
        f"SEQUENCE {item['full']}"
        if item["kind"] == "sequence"
        else f"TABLE {item.get('full') or item['table']}"
    )
    if not columns:
        yield f"REVOKE ALL ON {on} FROM PUBLIC, {item['owner']}"
    for grantee, privilege, grantable, _ in item["granted"]:
        to = "PUBLIC" if grantee == "-" else grantee
        tail = " WITH GRANT OPTION" if grantable and to != item.get("owner") else ""
        yield f"GRANT {privilege}{columns} ON {on} TO {to}{tail}"
