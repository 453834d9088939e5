"""What tables there are."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field
from sqlalchemy import Inspector, inspect
from sqlalchemy.exc import NoSuchTableError

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.sql.database import database_of

MANY = 40
"""Tables beyond which only names are listed, unless some are asked for."""


class SqlSchema(Operation):
    """List the tables and views of the database, with their columns and keys.

    Name `tables` (as table or schema.table) to see only those.
    """

    name, risk, reversal, read_only = "sql.schema", Risk.LOW, Reversal.EXACT, True

    tables: list[str] | None = Field(default=None, description="Only these tables; leave out for all.")

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"tables": [{"name": str, "columns": [{"name", "type", "nullable", "default"?}],
        "primary_key": [str], "foreign_keys": [{"columns", "table", "refers_to", "on_delete"?}]}]},
        or {"names": [str], "hint": str} where there are many.

        Raises:
            NotDone: One of the named tables is not there.
        """
        with database_of(api).reading() as connection:
            inspector = inspect(connection)
            names = self.tables
            if not names:
                names = sorted(inspector.get_table_names()) + sorted(inspector.get_view_names())
                if len(names) > MANY:
                    return {"names": names, "hint": "name the tables that you need"}
            return {"tables": [_table(inspector, name) for name in names]}

    def result(self, receipt: Json) -> str:
        return json.dumps(receipt, ensure_ascii=False, separators=(",", ":"))


def _table(inspector: Inspector, full: str) -> Json:
    schema, _, name = full.rpartition(".")
    place = {"schema": schema or None}
    try:
        columns = inspector.get_columns(name, **place)
    except NoSuchTableError:
        raise NotDone(f"there is no table {full}; call sql_schema without names to see them") from None
    keys = []
    for key in inspector.get_foreign_keys(name, **place):
        options = {
            name: rule for name in ("ondelete", "onupdate") if (rule := (key.get("options") or {}).get(name))
        }
        target = key["referred_table"]
        if key.get("referred_schema"):
            target = f"{key['referred_schema']}.{target}"
        keys.append(
            {
                "columns": key["constrained_columns"],
                "table": target,
                "refers_to": key["referred_columns"],
                **options,
            }
        )
    return {
        "name": full,
        "columns": [
            {"name": column["name"], "type": str(column["type"]), "nullable": column["nullable"]}
            | ({"default": str(column["default"])} if column.get("default") is not None else {})
            for column in columns
        ],
        "primary_key": inspector.get_pk_constraint(name, **place)["constrained_columns"],
        "foreign_keys": keys,
    }
