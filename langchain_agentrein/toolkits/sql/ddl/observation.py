"""The state that a change of the schema left, field by field.

A field is an object of the catalogue (`table orders`, `index orders_by_note`) as its description, or
the rows and values of `data`; `None`: it is not there.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.ddl import data
from langchain_agentrein.toolkits.sql.ddl.catalogue import Catalogue, Schema, catalogue_of


def names(before: Json) -> list[str]:
    """The objects that the statement changed."""
    return sorted({*before["before"], *before["after"]})


def as_before(before: Json) -> dict[str, Json]:
    """The observation that means "already undone"."""
    return _fields(before, "before")


def as_after(before: Json) -> dict[str, Json]:
    """The observation right after the action."""
    return _fields(before, "after")


def _fields(before: Json, when: str) -> dict[str, Json]:
    found = {name: before[when].get(name) for name in names(before)}
    return found | {name: field[when] for name, field in before["data"].items()}


def observe(database: Database, before: Json) -> dict[str, Json]:
    """The fields as they are now."""
    with database.reading() as connection:
        return present(database, connection, before)


def present(database: Database, connection: Connection, before: Json) -> dict[str, Json]:
    """The same, in a transaction that is open."""
    catalogue = catalogue_of(database, connection)
    return observed(catalogue, before, catalogue.describe(before["targets"]))


def observed(catalogue: Catalogue, before: Json, schema: Schema) -> dict[str, Json]:
    """The fields, out of a description that was just made."""
    seen = catalogue.seen(schema)
    found = {name: seen.get(name) for name in names(before)}
    return found | data.look(catalogue.database, catalogue.connection, before["data"])


def attached(database: Database, before: Json) -> list[str]:
    """What others have since built on what the statement made, one sentence each."""
    if not before["made"]:
        return []
    with database.reading() as connection:
        catalogue = catalogue_of(database, connection)
        schema = catalogue.describe(before["targets"])
        return built_on(catalogue, before, schema, observed(catalogue, before, schema))


def built_on(catalogue: Catalogue, before: Json, schema: Schema, now: Mapping[str, Json]) -> list[str]:
    """The same, out of a description and an observation that were just made."""
    if not before["made"] or all(now.get(key) is None for key in before["made"]):
        return []
    found = [
        f"{key} was made on it since"
        for key in catalogue.attached(before["made"], schema)
        if key not in before["known"] and key not in before["made"]
    ]
    for name, field in before["data"].items():
        if now.get(name) not in (None, field["after"]):
            found.append(f"somebody has since written into it: the {name} are not those that it left")
    return found
