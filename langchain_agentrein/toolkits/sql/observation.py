"""The state that an action changed, field by field, so that it can be compared.

A field is `orders[17].status` for a column that was updated, and `orders[17]` for a row that was
inserted or deleted: the row as a mapping, or `None` where it is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.sql.model import TableId, key_text, row_name
from langchain_agentrein.toolkits.sql.rows import ROWID, Values


@dataclass(frozen=True, slots=True)
class Change:
    """What the action did to one row."""

    table_id: TableId
    label: str
    key: Values
    before: Values | None
    after: Values | None

    @property
    def key_text(self) -> str:
        """The key as `Rows` names it."""
        return key_text(list(self.key.values()))

    @property
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


def changes(before: Json) -> Iterator[Change]:
    """Every row of a snapshot, in its order."""
    for table in before["tables"]:
        for row in table["rows"]:
            yield Change(
                (table["schema"], table["name"]), table["label"], row["key"], row["before"], row["after"]
            )


def as_before(before: Json) -> dict[str, Json]:
    """The observation that means "already undone"."""
    return {name: value for change in changes(before) for name, value in change.fields(change.before).items()}


def as_after(before: Json) -> dict[str, Json]:
    """The observation right after the action."""
    return {name: value for change in changes(before) for name, value in change.fields(change.after).items()}


def _visible(values: Values | None) -> Json:
    if values is None:
        return None
    return {name: value for name, value in values.items() if name != ROWID}
