"""The state that an action changed, field by field, so that it can be compared.

A field is `orders[17].status` for a column that was updated, and `orders[17]` for a row that was
inserted or deleted: the row as a mapping, or `None` where it is not there. Where an action changed many
rows, a field stands for a block of them, `orders (rows 1 to 1,000)`, and is their digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from langchain_agentrein.action import Json
from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.sql import blocks
from langchain_agentrein.toolkits.sql.model import TableId, key_text, row_name
from langchain_agentrein.toolkits.sql.rows import ROWID, Rows, Values


@dataclass(frozen=True)
class Change:
    """What the action did to one row."""

    table_id: TableId
    label: str
    key: Values
    before: Values | None
    after: Values | None
    block: str | None = None
    """The field that stands for it among others; `None`: its fields stand for themselves."""

    @cached_property
    def key_text(self) -> str:
        """The key as `Rows` names it."""
        return key_text(list(self.key.values()))

    @cached_property
    def name(self) -> str:
        """The row, as a person would name it: `orders[17]`."""
        return row_name(self.label, self.key)

    @property
    def updated(self) -> bool:
        """The row was there before and after."""
        return self.before is not None and self.after is not None

    def fields(self, values: Values | None) -> dict[str, Json]:
        """The fields of this change, as they are in `values`."""
        if not self.updated:
            return {self.name: _visible(values)}
        if values is None:
            return {}
        return {f"{self.name}.{column}": values.get(column) for column in self.before or ()}


def changes(before: Json, only: TableId | None = None) -> Iterator[Change]:
    """Every row of a snapshot, in its order; or those of one table."""
    many = sum(map(blocks.count_of, before["tables"])) > blocks.MANY
    for table in before["tables"]:
        table_id, label, count = (table["schema"], table["name"]), table["label"], blocks.count_of(table)
        if only not in (None, table_id):
            continue
        for place, row in enumerate(blocks.rows_of(table)):
            block = None
            if many:
                first = place - place % blocks.BLOCK
                block = f"{label} (rows {first + 1:,} to {min(first + blocks.BLOCK, count):,})"
            yield Change(table_id, label, row["key"], row["before"], row["after"], block)


def in_blocks(some: Iterable[Change]) -> Iterator[tuple[TableId, list[Change]]]:
    """The changes of one block, or of one table if they are few, at a time."""
    for (table_id, _), together in groupby(some, key=lambda one: (one.table_id, one.block)):
        yield table_id, list(together)


def present(rows: Rows, some: Iterable[Change]) -> Iterator[tuple[Change, Values | None]]:
    """Each change with its row as it is now; `None`: it is not there."""
    for table_id, together in in_blocks(some):
        try:
            table = rows.table(table_id)
        except NotDone:  # dropped since
            yield from ((one, None) for one in together)
            continue
        found = rows.keyed(table, (one.key for one in together))
        yield from ((one, found.get(one.key_text)) for one in together)


def fields_of(before: Json, seen: Iterable[tuple[Change, Values | None]]) -> dict[str, Json]:
    """The fields of these changes, each as in the row beside it; blocks as digests, salted by the snapshot."""
    found: dict[str, Json] = {}
    for block, some in groupby(seen, key=lambda one: one[0].block):
        fields = {name: value for change, values in some for name, value in change.fields(values).items()}
        if block is None:
            found.update(fields)
        else:
            spelled = key_text([before.get("salt", ""), *fields.items()])
            found[block] = hashlib.sha256(spelled.encode()).hexdigest()
    return found


def as_before(before: Json) -> dict[str, Json]:
    """The observation that means "already undone"."""
    return fields_of(before, ((change, change.before) for change in changes(before)))


def as_after(before: Json) -> dict[str, Json]:
    """The observation right after the action."""
    return fields_of(before, ((change, change.after) for change in changes(before)))


def _visible(values: Values | None) -> Json:
    if values is None:
        return None
    return {name: value for name, value in values.items() if name != ROWID}
