"""The catalogue of SQLite: the text of its schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlglot.errors import SqlglotError

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.sql.ddl import sqlite_schema
from langchain_agentrein.toolkits.sql.ddl.catalogue import Catalogue, Lost, Plan, Schema, Tally
from langchain_agentrein.toolkits.sql.ddl.statement import Ddl
from langchain_agentrein.toolkits.sql.model import TableId
from langchain_agentrein.toolkits.sql.sqlite import MAIN
from langchain_agentrein.toolkits.sql.statement import Name, refuse
from langchain_agentrein.toolkits.sql.tokens import tokens_of


class SQLiteCatalogue(Catalogue):
    """What lies in `sqlite_master`. A write transaction keeps everybody else out."""

    def target(self, ddl: Ddl) -> str | None:
        name, schema = (ddl.on, ddl.on_schema or ddl.schema) if ddl.on else (ddl.name, ddl.schema)
        assert name is not None
        if schema is not None and schema.text.lower() != MAIN:
            refuse(f"{schema.text} is not the main database; only main can be undone")
        if self._found("sqlite_temp_master", name):
            refuse(f"{name.text} is temporary: gone with its connection")
        if ddl.verb == "CREATE" and not ddl.on:
            return name.text
        found = self._found("sqlite_master", name)
        return found[0] if found else None

    def _found(self, master: str, name: Name) -> list[str]:
        sql = f"SELECT name FROM {master} WHERE lower(name) = lower(:n)"
        return [str(row[0]) for row in self.connection.execute(text(sql), {"n": name.text})]

    def lock(self, targets: Sequence[str]) -> None:
        self._counted = sqlite_schema.counters(self.connection)

    def describe(self, targets: Sequence[str]) -> Schema:
        return sqlite_schema.describe(self.connection)

    def check(self, ddl: Ddl, target: str) -> None:
        if target.lower().startswith("sqlite_"):
            refuse(f"{target} belongs to SQLite itself")
        temporary = self.connection.execute(
            text(
                "SELECT name FROM sqlite_temp_master WHERE type = 'trigger' AND lower(tbl_name) = lower(:n)"
            ),
            {"n": target},
        ).first()
        if temporary:
            refuse(f"{target} has a temporary trigger, {temporary[0]}", "drop it first")
        if ddl.kind != "TABLE" or ddl.verb == "CREATE":
            return
        virtual = self.connection.execute(
            text("SELECT 1 FROM sqlite_master WHERE name = :n AND sql LIKE 'create virtual%'"), {"n": target}
        ).first()
        if virtual:
            refuse(f"{target} is a virtual table, which keeps its data where nobody can copy them")
        if ddl.verb == "DROP" and self.database.cascades(self.connection):
            self._no_cascade(target)

    def _no_cascade(self, target: str) -> None:
        """A DROP first deletes every row, and so carries on to rows that refer to them."""
        table = self.database.table(self.connection, Name(target, True), Name(MAIN, True))
        for key in self.database.referencing(self.connection, table):
            if key.on_delete in ("NO ACTION", "RESTRICT") or key.child == table.id:
                continue
            child = self.database.table(self.connection, Name(key.child[1], True), Name(MAIN, True))
            filled = " AND ".join(f'"{name}" IS NOT NULL'.replace(":", "\\:") for name in key.child_columns)
            sql = f"SELECT count(*) FROM {child.sql}".replace(":", "\\:")
            if count := self.connection.execute(text(f"{sql} WHERE {filled}")).scalar_one():
                refuse(
                    f"it would carry on (ON DELETE {key.on_delete}) to {count:,} rows of {child.label}",
                    f"delete those rows or the rows of {table.label} first, in a call of its own",
                )

    def table_id(self, target: str) -> TableId | None:
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND lower(name) = lower(:n)"
        found = self.connection.execute(text(sql), {"n": target}).first()
        return (MAIN, str(found[0])) if found else None

    def keep(self, target: str) -> list[Json]:
        return [
            {"do": "inner", "table": inner, "name": target, "rows": rows}
            for inner, rows in sqlite_schema.inner_rows(self.connection, target)
        ]

    def names(self, before: Schema, after: Schema, target: str) -> list[str]:
        return []

    def plan(self, ddl: Ddl, before: Schema, after: Schema, lost: Lost) -> Plan:
        plan = Plan(sqlite_schema.plan(before, after, lost.tables, 0 if lost.values else None))
        if ddl.verb == "DROP":
            plan.steps += lost.inner
        if not self._counted and sqlite_schema.counters(self.connection):
            plan.residue.append("SQLite keeps its table of AUTOINCREMENT counters, empty")
        return plan

    def made(self, ddl: Ddl, before: Schema, after: Schema) -> dict[str, Json]:
        if ddl.verb == "CREATE":
            return {
                key: {"full": item["name"], "column": None, "default": None}
                for key, item in after.items()
                if key not in before and item["type"] in ("table", "view")
            }
        found = {}
        for key, item in after.items():
            if key in before and len(item["columns"]) > len(before[key]["columns"]):
                column = item["columns"][-1]
                sql = "SELECT dflt_value FROM pragma_table_xinfo(:n) WHERE name = :c"
                default = self.connection.execute(text(sql), {"n": item["name"], "c": column}).scalar()
                found[key] = {"full": item["name"], "column": column, "default": default}
        return found

    def attached(self, made: Mapping[str, Json], now: Schema) -> list[str]:
        found = []
        for key, item in now.items():
            words = _words(item["sql"])
            for one in made.values():
                column = one["column"]
                if one["full"].lower() in words and (column is None or column.lower() in words):
                    found.append(key)
        return list(dict.fromkeys(found))

    def elsewhere(self, before: Tally, after: Tally) -> str | None:
        return None


def _words(sql: str) -> set[str]:
    try:
        return {token.text.lower() for token in tokens_of(sql, "sqlite")}
    except SqlglotError:
        return set(sql.lower().split())
