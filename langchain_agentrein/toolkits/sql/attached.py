"""What others have since attached to rows that an undo would take away."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_agentrein.toolkits.sql.model import ForeignKey, Table, TableId, key_text
from langchain_agentrein.toolkits.sql.observation import Change
from langchain_agentrein.toolkits.sql.rows import Rows, Values


def attached(rows: Rows, changes: Sequence[Change], restored: Sequence[Change] = ()) -> list[str]:
    """One sentence for each foreign key through which rows of others refer to what the undo takes away.

    Args:
        changes: Those that the undo would take back: rows it would delete, keys it would change.
        restored: Those that it would bring back. Whoever refers to a row that goes, and could as well to
            one that comes back, refers to the same row under another key.
    """
    by_table: dict[TableId, list[Change]] = {}
    family = {change.table_id: rows.table(change.table_id).family for change in changes}
    for change in changes:
        if change.after is not None:
            by_table.setdefault(change.table_id, []).append(change)
    found = []
    for table_id, some in by_table.items():
        table = rows.table(table_id)
        for key in rows.referencing(table):
            back = {_values(key, one.before) for one in restored if one.table_id == table_id}
            inserted = [
                change for change in some if change.before is None and _values(key, change.after) not in back
            ]
            moved = [
                change
                for change in some
                if change.updated and set(key.parent_columns) & set(change.before or ())
            ]
            own = {
                (family[change.table_id], change.key_text)
                for change in changes
                if change.before is None or (change.updated and set(key.child_columns) & set(change.before))
            }
            found += _sentence(rows, key, table, inserted, own)
            found += _sentence(rows, key, table, moved, own)
    return found


def _values(key: ForeignKey, image: Values | None) -> str:
    return key_text([(image or {}).get(name) for name in key.parent_columns])


def _sentence(
    rows: Rows, key: ForeignKey, parent: Table, changes: Sequence[Change], own: set[tuple[TableId, str]]
) -> list[str]:
    if not changes:
        return []
    child = rows.table(key.child)
    keys = [change.key for change in changes]
    referring = rows.referring(key, parent, keys)
    count = sum((child.family, key_text(list(one.values()))) not in own for one in referring)
    if not count:
        return []
    to = changes[0].name if len(changes) == 1 else f"rows of {parent.label}"
    how = "were inserted" if changes[0].before is None else "had their key changed"
    what = f"{count:,} rows of {child.label} refer" if count > 1 else f"a row of {child.label} refers"
    return [f"{what} to {to} that {how}"]
