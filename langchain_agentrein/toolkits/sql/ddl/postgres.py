"""The catalogue of Postgres: the objects near the one that the statement acts on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, text

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.ddl import pg_catalogue, pg_plan
from langchain_agentrein.toolkits.sql.ddl.catalogue import Catalogue, Lost, Plan, Schema, Tally
from langchain_agentrein.toolkits.sql.ddl.statement import Ddl
from langchain_agentrein.toolkits.sql.model import TableId, literal, quote
from langchain_agentrein.toolkits.sql.statement import Name, refuse

LOCK_WAIT = "5s"
"""How long to wait for a table that somebody else uses, unless the session says otherwise."""
KINDS = {
    "TABLE": "r",
    "VIEW": "v",
    "MATERIALIZED VIEW": "m",
    "INDEX": "i",
    "SEQUENCE": "S",
}
_NEVER = {
    "p": "is partitioned",
    "f": "is a foreign table",
    "I": "belongs to a partitioned table",
    "c": "is a composite type",
}


class PostgresCatalogue(Catalogue):
    """The target, its columns, constraints, indexes, triggers and sequences, and the views on it."""

    hidden = frozenset({"id", "rank", "granted"})

    def __init__(self, database: Database, connection: Connection) -> None:
        super().__init__(database, connection)
        self._oids: set[int] = set()
        """Of the objects that were asked for so far: so that a renamed one is found again."""

    def target(self, ddl: Ddl) -> str | None:
        name, schema = (ddl.on, ddl.on_schema) if ddl.on else (ddl.name, ddl.schema)
        assert name is not None
        if ddl.verb == "CREATE" and not ddl.on:
            near = self.database.all(self.connection, "SELECT current_schema()")[0][0]
            if schema is None and near is None:
                refuse("the search path names no schema to create it in", "name one: schema.name")
            full = f"{quote(near) if schema is None else _folded(schema)}.{_folded(name)}"
            sql = "SELECT array_to_string(ARRAY(SELECT format('%I', p) FROM unnest(parse_ident(:n)) p), '.')"
            return str(self.database.all(self.connection, sql, n=full)[0][0])
        found = self._find(_folded(name) if schema is None else f"{_folded(schema)}.{_folded(name)}")
        if found is None:
            return None
        _, full, kind = found
        if kind in _NEVER:
            refuse(f"{full} {_NEVER[kind]}", "leave it to a migration, by a person")
        wanted = "TABLE" if ddl.on else ddl.kind
        if kind != KINDS[wanted] and not (ddl.on and kind == "m"):
            refuse(f"{full} is no {wanted.lower()}", "name its kind as it is")
        return full

    def _find(self, name: str) -> tuple[int, str, str] | None:
        found = self.database.all(self.connection, pg_catalogue.TARGET, name=name)
        return tuple(found[0]) if found else None

    def lock(self, targets: Sequence[str]) -> None:
        wait = "SELECT set_config('lock_timeout', :w, true) WHERE current_setting('lock_timeout') IN ('0', '0ms')"
        self.connection.execute(text(wait), {"w": LOCK_WAIT}).all()
        for target in targets:
            found = self._find(target)
            if found is not None and found[2] == "r":
                self.connection.execute(text(literal(f"LOCK TABLE ONLY {target} IN ACCESS EXCLUSIVE MODE")))

    def describe(self, targets: Sequence[str]) -> Schema:
        with self._qualified():
            found = self.database.all(self.connection, pg_catalogue.BASE, names=list(targets))
            self._oids |= {row[0] for row in found}
            family = self.database.all(self.connection, pg_catalogue.FAMILY, oids=sorted(self._oids))
            oids = [row[0] for row in family]
            items = [
                json.loads(row[0])
                for query in pg_catalogue.QUERIES
                for row in self.database.all(self.connection, query, oids=oids)
            ]
        return {pg_plan.key_of(item): item for item in items}

    @contextmanager
    def _qualified(self) -> Iterator[None]:
        """Within, every name that is printed is qualified."""
        path = self.database.all(self.connection, "SELECT current_setting('search_path')")[0][0]
        set_path = "SELECT set_config('search_path', :p, true)"
        self.database.all(self.connection, set_path, p="")
        yield
        self.database.all(self.connection, set_path, p=path)

    def check(self, ddl: Ddl, target: str) -> None:
        triggers = self.database.all(self.connection, pg_catalogue.EVENT_TRIGGERS)
        if triggers:
            names = ", ".join(row[0] for row in triggers)
            refuse(f"event triggers ({names}) do what nobody can see beforehand", "let a person run it")
        if target.startswith(("pg_catalog.", "information_schema.", "pg_toast.", "pg_temp")):
            refuse(f"{target} belongs to Postgres itself")
        if ddl.kind != "TABLE" or ddl.verb == "CREATE":
            return
        item = self.describe([target])[f"table {target}"]
        if item["persistence"] == "t":
            refuse(f"{target} is temporary: gone with its connection")
        if item["partition"] or item["inherits"]:
            refuse(f"{target} is part of a partitioned or inherited table", "leave it to a person")
        if not ddl.loses:
            return
        if item["secured"]:
            refuse(f"{target} has row-level security, which may hide rows", "leave it to a person")
        if ddl.verb == "DROP":
            return
        found = [
            row[0] for row in self.database.all(self.connection, pg_catalogue.USER_TRIGGERS, name=target)
        ]
        rules = [
            one["name"]
            for one in self.describe([target]).values()
            if one["kind"] == "rule" and one["table"] == target
        ]
        if found or rules:
            names = ", ".join([*found, *rules])
            refuse(f"{target} has triggers or rules ({names}), which would run when its rows are put back")

    def table_id(self, target: str) -> TableId | None:
        sql = (
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.oid = to_regclass(:name) AND c.relkind = 'r'"
        )
        found = self.database.all(self.connection, sql, name=target)
        return (found[0][0], found[0][1]) if found else None

    def keep(self, target: str) -> list[Json]:
        """Where its sequences stand; each is set back only if it is made anew."""
        steps: list[Json] = []
        for item in self.describe([target]).values():
            if item["kind"] == "sequence":
                row = self.connection.execute(
                    text(literal(f"SELECT last_value, is_called FROM {item['full']}"))
                ).one()
                steps.append({"do": "sequence", "name": item["full"], "last": row[0], "called": row[1]})
        return steps

    def names(self, before: Schema, after: Schema, target: str) -> list[str]:
        changed = [item for key, item in {**before, **after}.items() if before.get(key) != after.get(key)]
        found = {item["full"] for item in changed if item["kind"] in pg_plan.RELATIONS and not item["owned"]}
        found |= {item["table"] for item in changed if item.get("table")}
        return sorted({target, *found})

    def plan(self, ddl: Ddl, before: Schema, after: Schema, lost: Lost) -> Plan:
        gone = {
            item["full"] for key, item in before.items() if key not in after and item["kind"] == "sequence"
        }
        inner = [step for step in lost.inner if step["name"] in gone]
        return pg_plan.plan(before, after, Lost(lost.tables, lost.values, inner))

    def made(self, ddl: Ddl, before: Schema, after: Schema) -> dict[str, Json]:
        known = {item["id"] for item in before.values()}
        new = {key: item for key, item in after.items() if item["id"] not in known}
        found = {
            key: {"full": item["full"], "column": None, "default": None}
            for key, item in new.items()
            if item["kind"] in ("table", "view", "materialized view")
        }
        tables = {item["full"] for item in found.values()}
        return found | {
            key: {"full": item["table"], "column": item["name"], "default": item["default"]}
            for key, item in new.items()
            if item["kind"] == "column" and item["table"] not in tables
        }

    def attached(self, made: Mapping[str, Json], now: Schema) -> list[str]:
        found = []
        for key, item in now.items():
            for one in made.values():
                column = one["column"]
                columns = item.get("columns") or (item.get("index") or {}).get("columns") or ()
                if column is None or (item.get("table") == one["full"] and column in columns):
                    found.append(key)
        return list(dict.fromkeys(found))

    def tally(self) -> Tally:
        rows = self.database.all(
            self.connection,
            "SELECT schemaname, relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_xact_user_tables "
            "WHERE n_tup_ins + n_tup_upd + n_tup_del > 0",
        )
        return {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}

    def elsewhere(self, before: Tally, after: Tally) -> str | None:
        rows = self.database.all(self.connection, pg_catalogue.NAMES, oids=sorted(self._oids))
        own = {(row[0], row[1]) for row in rows}
        changed = {table for table, counts in after.items() if counts != before.get(table, (0, 0, 0))}
        others = sorted(".".join(table) for table in changed - own)
        return f"it changed rows of {', '.join(others)}" if others else None


def _folded(name: Name) -> str:
    return quote(name.text if name.quoted else name.text.lower())
