"""Postgres: what its catalogue says of tables, foreign keys and sequences."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.sql.database import Database
from langchain_agentrein.toolkits.sql.model import Column, ForeignKey, Table, quote, spell
from langchain_agentrein.toolkits.sql.statement import Name

KINDS = {"int2": "int", "int4": "int", "int8": "int", "bool": "bool", "bytea": "bytes"}
ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}

_TABLE = """
SELECT c.oid::bigint, n.nspname, c.relname, c.relkind::text, c.relpersistence::text,
       ARRAY(SELECT tgname::text FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal
             AND g.tgenabled <> 'D' ORDER BY tgname),
       ARRAY(SELECT rulename::text FROM pg_rewrite r WHERE r.ev_class = c.oid AND c.relkind <> 'v' ORDER BY rulename),
       n.nspname = coalesce(current_schema(), 'public'),
       ARRAY(SELECT a.attname::text FROM pg_constraint k, unnest(k.conkey) WITH ORDINALITY u (num, place)
             JOIN pg_attribute a ON a.attnum = u.num
             WHERE k.conrelid = c.oid AND k.contype = 'p' AND a.attrelid = c.oid ORDER BY u.place),
       ARRAY(SELECT a.attname::text FROM (
               SELECT i.indkey, i.indnkeyatts FROM pg_index i
               WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid
                 AND i.indpred IS NULL AND i.indexprs IS NULL
                 AND NOT EXISTS (SELECT 1 FROM unnest(i.indkey) WITH ORDINALITY n (num, place)
                                 JOIN pg_attribute m ON m.attrelid = c.oid AND m.attnum = n.num
                                 WHERE n.place <= i.indnkeyatts AND NOT m.attnotnull)
               ORDER BY i.indnkeyatts, i.indexrelid LIMIT 1) i,
             unnest(i.indkey) WITH ORDINALITY u (num, place) JOIN pg_attribute a ON a.attnum = u.num
             WHERE a.attrelid = c.oid AND u.place <= i.indnkeyatts ORDER BY u.place),
       (SELECT ARRAY[rn.nspname::text, r.relname::text] FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace
        WHERE c.relispartition AND r.oid = pg_partition_root(c.oid)),
       EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhparent = c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(:name)
"""
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, a.attgenerated <> '', t.typname
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_FOREIGN_KEYS = """
SELECT n.nspname, c.relname, k.confdeltype::text, k.confupdtype::text,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u (num, place)
             JOIN pg_attribute a ON a.attnum = u.num WHERE a.attrelid = k.conrelid ORDER BY u.place),
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u (num, place)
             JOIN pg_attribute a ON a.attnum = u.num WHERE a.attrelid = k.confrelid ORDER BY u.place)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND (k.confrelid = to_regclass(:name)
  OR k.confrelid IN (SELECT relid FROM pg_partition_ancestors(to_regclass(:name))))
ORDER BY n.nspname, c.relname, k.conname
"""
_LAST_VALUES = """
SELECT format('%I.%I', schemaname, sequencename), last_value FROM pg_sequences
WHERE last_value IS NOT NULL ORDER BY 1
"""
_FILLS = """
SELECT DISTINCT format('%I.%I', n.nspname, s.relname)
FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace JOIN pg_depend d ON s.oid IN (d.objid, d.refobjid)
LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
JOIN pg_class t ON t.oid = CASE WHEN d.objid = s.oid THEN d.refobjid ELSE f.adrelid END
WHERE s.relkind = 'S' AND lower(t.relname) = ANY (:tables)
"""


def find_table(database: Database, connection: Connection, name: Name, schema: Name | None = None) -> Table:
    """A table or view, found as Postgres itself would.

    Raises:
        NotDone: There is none of that name.
    """
    spelled = ".".join(quote(one.text if one.quoted else one.text.lower()) for one in (schema, name) if one)
    found = database.all(connection, _TABLE, name=spelled)
    if not found:
        raise NotDone(f"nothing changed: there is no table {spelled}; use sql_schema to see the tables")
    oid, namespace, real, kind, persistence, triggers, rules, near, key, unique, root, inherited = found[0]
    columns = tuple(
        Column(row[0], row[1], row[2], row[3], KINDS.get(row[4], "text"))
        for row in database.all(connection, _COLUMNS, oid=oid)
    )
    refusal = None
    if kind not in ("r", "p", "v"):
        kinds = {"m": "a materialized view", "f": "a foreign table"}
        refusal = f"is {kinds.get(kind, 'no table')}: write to plain tables"
    elif namespace in ("pg_catalog", "information_schema"):
        refusal = "belongs to Postgres itself"
    elif persistence == "t":
        refusal = "is temporary: gone with its connection"
    generated = {column.name for column in columns if column.generated}
    stored = tuple(column.name for column in columns if not column.generated)
    best = next((tuple(one) for one in (key, unique) if one and not generated & set(one)), None)
    return Table(
        (namespace, real),
        spell(real) if near else f"{spell(namespace)}.{spell(real)}",
        columns,
        best or stored,
        refusal,
        indirect=kind != "r" or bool(triggers or rules or root or inherited),
        view=kind == "v",
        counted=best is None,
        root=(root[0], root[1]) if root else None,
        inherited=inherited and kind == "r",
        triggers=(*triggers, *rules),
    )


def foreign_keys(database: Database, connection: Connection, parent: Table) -> Sequence[ForeignKey]:
    """The foreign keys that refer to a table, or to the partitioned one of which it is a part."""
    return [
        ForeignKey(
            (row[0], row[1]), tuple(row[4]), parent.id, tuple(row[5]), ACTIONS[row[2]], ACTIONS[row[3]]
        )
        for row in database.all(connection, _FOREIGN_KEYS, name=parent.sql)
    ]


def last_values(database: Database, connection: Connection) -> dict[str, int]:
    """How far every sequence has counted, by its quoted name."""
    return {row[0]: int(row[1]) for row in database.all(connection, _LAST_VALUES)}


def filling(database: Database, connection: Connection, tables: Iterable[str]) -> set[str]:
    """The sequences that fill columns of these tables, which are named in lower case."""
    return {row[0] for row in database.all(connection, _FILLS, tables=list(tables))}


def rows_expected(plan: Any) -> int:
    """How many rows the query of a plan is expected to give."""
    return int((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Plan Rows"])


def planned(plan: Any) -> dict[str, int]:
    """How many rows a plan expects to write, by table."""
    found: Counter[str] = Counter()
    waiting = list(json.loads(plan) if isinstance(plan, str) else plan)
    while waiting:
        node = waiting.pop()
        node = node.get("Plan", node)
        below = node.get("Plans", [])
        if node.get("Node Type") == "ModifyTable":
            found[spell(node["Relation Name"])] += max((int(one["Plan Rows"]) for one in below), default=1)
        waiting += below
    return dict(found)
