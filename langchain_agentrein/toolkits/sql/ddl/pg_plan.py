"""The way from one description of Postgres' objects back to another.

What is not written here is not undone: the rehearsal then finds the difference, and the statement is
refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.sql.ddl import pg_create
from langchain_agentrein.toolkits.sql.ddl.catalogue import Lost, Plan, Schema
from langchain_agentrein.toolkits.sql.ddl.steps import sql
from langchain_agentrein.toolkits.sql.model import quote, spell

RELATIONS = ("table", "view", "materialized view", "sequence", "index")
KEYS_FIRST = {"p": 0, "u": 0, "x": 0, "c": 1, "f": 2}
"""In which order constraints are put back."""


def plan(before: Schema, after: Schema, lost: Lost) -> Plan:
    """The steps, for everything that differs.

    Args:
        lost: The images; its `inner` are the steps that set sequences back, by sequence.
    """
    return _Back(before, after, lost).plan()


class _Back:
    def __init__(self, before: Schema, after: Schema, lost: Lost) -> None:
        self.lost = lost
        self.was = {item["id"]: item for item in before.values()}
        self.now = {_id(key, item, before): item for key, item in after.items()}
        self.new = [item for key, item in self.now.items() if key not in self.was]
        self.gone = [item for key, item in self.was.items() if key not in self.now]
        self.both = [(self.was[key], self.now[key]) for key in self.was if key in self.now]
        self.new_relations = {item["full"] for item in self.new if item["kind"] in RELATIONS}
        self.gone_relations = {item["full"] for item in self.gone if item["kind"] in RELATIONS}
        self.owned: dict[str, dict[str, Json]] = {}
        for item in before.values():
            if item.get("owned"):
                self.owned.setdefault(item["owned"]["table"], {})[item["owned"]["column"]] = item
        self.not_null: dict[str, dict[str, str]] = {}
        for item in self._of(list(before.values()), "constraint"):
            if item["type"] == "n":
                self.not_null.setdefault(item["table"], {})[item["columns"][0]] = item["name"]
        self.residue: list[str] = []

    def plan(self) -> Plan:
        steps = [
            *map(sql, self._renames()),
            *map(sql, self._drops()),
            *map(sql, self._sequences()),
            *self._tables(),
            *self._columns(),
            *map(sql, self._constraints()),
            *map(sql, self._views()),
            *map(sql, self._indexes()),
            *map(sql, self._triggers()),
            *map(sql, self._belongings()),
            *self.lost.inner,
        ]
        return Plan(steps, self.residue)

    def _renames(self) -> Iterator[str]:
        for was, now in self.both:
            if was["name"] == now["name"]:
                continue
            kind, old, new = was["kind"], quote(was["name"]), quote(now["name"])
            if kind == "constraint":
                yield f"ALTER TABLE {was['table']} RENAME CONSTRAINT {new} TO {old}"
            elif kind == "column":
                yield f"ALTER TABLE {was['table']} RENAME COLUMN {new} TO {old}"
            elif kind in RELATIONS and not (kind == "index" and was["index"]["constraint"]):
                yield f"ALTER {kind.upper()} {now['full']} RENAME TO {old}"

    def _drops(self) -> Iterator[str]:
        """What the statement made: what stands on other things first."""
        for item in self._of(self.new, "constraint"):
            if item["table"] not in self.new_relations and item["type"] != "n":
                yield f"ALTER TABLE {item['table']} DROP CONSTRAINT {quote(item['name'])}"
        for item in self._of(self.new, "index"):
            if item["table"] not in self.new_relations and not item["index"]["constraint"]:
                yield f"DROP INDEX {item['full']}"
        for item in self._of(self.new, "column"):
            if item["table"] not in self.new_relations:
                yield f"ALTER TABLE {item['table']} DROP COLUMN {quote(item['name'])}"
        for kind in ("view", "materialized view", "table", "sequence"):
            for item in self._of(self.new, kind):
                if not item["owned"]:
                    yield f"DROP {kind.upper()} {item['full']}"

    def _sequences(self) -> Iterator[str]:
        for item in self._of(self.gone, "sequence"):
            if not item["owned"] or item["owned"]["how"] == "a":
                yield pg_create.sequence(item)

    def _tables(self) -> Iterator[Json]:
        for item in self._of(self.gone, "table"):
            columns = [one for one in self._of(self.gone, "column") if one["table"] == item["full"]]
            columns.sort(key=lambda one: int(one["rank"]))
            yield sql(
                pg_create.table(item, columns, self.owned.get(item["full"], {}), self._named(item["full"]))
            )
            for column in columns:
                yield from map(sql, pg_create.column_extras(column))
            yield from map(sql, self._own_sequences(item["full"]))
        for place, _ in enumerate(self.lost.tables):
            yield {"do": "insert", "table": place}

    def _own_sequences(self, table: str, column: str | None = None) -> Iterator[str]:
        for name, item in self.owned.get(table, {}).items():
            if item["owned"]["how"] == "a" and item["full"] in self.gone_relations and column in (None, name):
                yield f"ALTER SEQUENCE {item['full']} OWNED BY {table}.{quote(name)}"

    def _columns(self) -> Iterator[Json]:
        """Columns that are gone come back empty, and get NOT NULL when they are filled."""
        gone = [one for one in self._of(self.gone, "column") if one["table"] not in self.gone_relations]
        changed = [pair for pair in self.both if pair[0]["kind"] == "column" and pair[0]["on"] == "table"]
        retyped = [pair for pair in changed if pair[0]["type"] != pair[1]["type"]]
        if retyped:
            yield from ({"do": "unmoved", "values": place} for place, _ in enumerate(self.lost.values))
        for item in gone:
            own = self.owned.get(item["table"], {}).get(item["name"])
            # Filled in by its default, the column would advance a sequence for every row.
            bare = item | {"default": None} if _counts(item) else item
            yield sql(f"ALTER TABLE {item['table']} ADD COLUMN {pg_create.column(bare, own)}")
            yield from map(sql, pg_create.column_extras(item))
            yield from map(sql, self._own_sequences(item["table"], item["name"]))
            if any(one["rank"] > item["rank"] for one in self._columns_of(item["table"])):
                self.residue.append(f"column {item['name']} comes back as the last one of {item['table']}")
        for was, now in retyped:
            yield from map(sql, _retype(was, now))
        yield from ({"do": "values", "values": place} for place, _ in enumerate(self.lost.values))
        for item in gone:
            if _counts(item):
                alter = f"ALTER TABLE {item['table']} ALTER COLUMN {quote(item['name'])}"
                yield sql(f"{alter} SET DEFAULT {item['default']}")
            if item["notnull"] and not item["identity"]:
                yield sql(self._set_not_null(item))
        for was, now in changed:
            yield from map(sql, self._settings(was, now))

    def _named(self, table: str) -> dict[str, str]:
        return self.not_null.get(table, {})

    def _set_not_null(self, item: Json) -> str:
        name = self._named(item["table"]).get(item["name"])
        return pg_create.set_not_null(item["table"], item["name"], name)

    def _columns_of(self, table: str) -> Iterator[Json]:
        for was, _ in self.both:
            if was["kind"] == "column" and was["table"] == table:
                yield was

    def _settings(self, was: Json, now: Json) -> Iterator[str]:
        alter = f"ALTER TABLE {was['table']} ALTER COLUMN {quote(was['name'])}"
        differs = {name for name in was if was[name] != now[name]}
        if "identity" in differs and now["identity"] and not was["identity"]:
            yield f"{alter} DROP IDENTITY"
        if "default" in differs and not was["generated"] and "type" not in differs:
            yield f"{alter} " + (
                "DROP DEFAULT" if was["default"] is None else f"SET DEFAULT {was['default']}"
            )
        if "notnull" in differs:
            yield self._set_not_null(was) if was["notnull"] else f"{alter} DROP NOT NULL"
        if "identity" in differs and was["identity"]:
            own = self.owned[was["table"]][was["name"]]
            if now["identity"]:
                yield f"{alter} SET GENERATED {'ALWAYS' if was['identity'] == 'a' else 'BY DEFAULT'}"
            else:
                yield f"{alter} ADD {pg_create.identity(was, own)}"

    def _constraints(self) -> Iterator[str]:
        gone = [item for item in self._of(self.gone, "constraint") if item["type"] in KEYS_FIRST]
        for item in sorted(gone, key=lambda one: KEYS_FIRST[one["type"]]):
            yield f"ALTER TABLE {item['table']} ADD CONSTRAINT {quote(item['name'])} {item['def']}"

    def _indexes(self) -> Iterator[str]:
        for item in self._of(self.gone, "index"):
            if not item["index"]["constraint"]:
                yield item["def"]

    def _views(self) -> Iterator[str]:
        for kind in ("view", "materialized view"):
            for item in self._of(self.gone, kind):
                yield pg_create.view(item)
                if kind == "materialized view" and item["filled"]:
                    self.residue.append(f"the rows of {item['full']} are computed anew")

    def _triggers(self) -> Iterator[str]:
        for item in self._of(self.gone, "trigger"):
            yield from pg_create.trigger(item)

    def _belongings(self) -> Iterator[str]:
        for item in self.gone:
            if item["kind"] in (*RELATIONS, "column", "constraint", "trigger"):
                yield from pg_create.belongings(item)

    def _of(self, items: Sequence[Json], kind: str) -> list[Any]:
        return [item for item in items if item["kind"] == kind]


def _id(key: str, item: Json, before: Schema) -> str:
    """By what an object is known: one that Postgres made anew, all the same, stays what it was."""
    was = before.get(key)
    if was is not None and item["kind"] in ("constraint", "index") and was["def"] == item["def"]:
        return str(was["id"])
    return str(item["id"])


def _counts(column: Json) -> bool:
    return "nextval(" in (column["default"] or "")


def _retype(was: Json, now: Json) -> Iterator[str]:
    alter = f"ALTER TABLE {was['table']} ALTER COLUMN {quote(was['name'])}"
    if now["default"] is not None:
        yield f"{alter} DROP DEFAULT"
    collate = f" COLLATE {was['collation']}" if was["collation"] else ""
    yield f"{alter} TYPE {was['type']}{collate} USING CAST({quote(was['name'])} AS {was['type']})"
    if was["default"] is not None:
        yield f"{alter} SET DEFAULT {was['default']}"


def key_of(item: Json) -> str:
    """Under which an object stands in a description."""
    if "full" in item:
        return f"{item['kind']} {item['full']}"
    return f"{item['kind']} {item['table']}.{spell(item['name'])}"
