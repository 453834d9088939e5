"""Whether the rows of a snapshot can be put back a block at a time, or only all together."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from langchain_agentrein.action import Json
from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.sql.blocks import Kinds, kinds_of
from langchain_agentrein.toolkits.sql.model import Table, TableId
from langchain_agentrein.toolkits.sql.rows import Rows

NEEDED_WHOLE = (
    "tables with triggers, partitions or without a key, keys that change, and rows that came or went together with "
    "rows of the same call that refer to them"
)
"""What has to be in memory together."""


def tables_in_order(rows: Rows, before: Json) -> list[TableId] | None:
    """The tables of a snapshot, none before one that its rows refer to; `None`: only all rows tell the order.

    No row of a table depends then on another of the same call, but through the order of the tables.
    """
    kinds = {(table["schema"], table["name"]): kinds_of(table) for table in before["tables"]}
    try:
        tables = {table_id: rows.table(table_id) for table_id in kinds}
    except NotDone:  # dropped since
        return None
    if not all(_plain(table, kinds[table_id]) for table_id, table in tables.items()):
        return None
    order: TopologicalSorter[TableId] = TopologicalSorter(dict.fromkeys(tables, ()))
    for table_id, table in tables.items():
        for key in rows.referencing(table):
            if key.child not in tables:
                continue
            if kinds[table_id].inserted or kinds[table_id].updated & {*key.parent_columns}:
                return None  # those that refer to it may be of the same call
            if kinds[table_id].deleted and kinds[key.child].deleted:
                order.add(key.child, table_id)
    try:
        return list(order.static_order())
    except CycleError:
        return None


def _plain(table: Table, kinds: Kinds) -> bool:
    odd = table.indirect or table.triggers or table.counted
    return not odd and not (kinds.inserted and kinds.deleted)
