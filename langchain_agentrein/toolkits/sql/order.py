"""In which order rows can be put back, so that each finds the rows that it refers to."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from langchain_agentrein.toolkits.sql.model import ForeignKey, Table, TableId, key_text
from langchain_agentrein.toolkits.sql.observation import Change
from langchain_agentrein.toolkits.sql.rows import Values


@dataclass(frozen=True, slots=True)
class Placed:
    """A row in its place.

    Attributes:
        later: Columns that refer to rows which come after it: NULL at first, then filled.
    """

    change: Change
    later: tuple[str, ...] = ()


def parents_first(
    changes: Sequence[Change],
    images: Sequence[Values],
    keys: Iterable[ForeignKey],
    tables: dict[TableId, Table],
) -> list[Placed]:
    """Sort rows such that none comes before one that it refers to; cycles are broken where NULL is allowed.

    Args:
        images: What each of `changes` holds, in the same order.
    """
    needs = _needs(changes, images, list(keys))
    waiting = {place: {parent for parent, _ in found} for place, found in enumerate(needs)}
    children: dict[int, list[int]] = {}
    for place, parents in waiting.items():
        for parent in parents:
            children.setdefault(parent, []).append(place)
    ready = deque(place for place, parents in waiting.items() if not parents)
    placed: list[Placed] = []
    while waiting:
        later: tuple[str, ...] = ()
        if ready:
            place = ready.popleft()
        else:
            place, later = _break(waiting, needs, changes, tables)
        del waiting[place]
        placed.append(Placed(changes[place], later))
        for child in children.get(place, ()):
            if child in waiting:
                waiting[child].discard(place)
                if not waiting[child]:
                    ready.append(child)
    return placed


def _needs(
    changes: Sequence[Change], images: Sequence[Values], keys: Sequence[ForeignKey]
) -> list[list[tuple[int, ForeignKey]]]:
    """For each row, the rows of the list that it refers to, and through which key."""
    needs: list[list[tuple[int, ForeignKey]]] = [[] for _ in changes]
    for key in keys:
        parents = {
            key_text([values[name] for name in key.parent_columns]): place
            for place, (change, values) in enumerate(zip(changes, images, strict=True))
            if change.table_id == key.parent
        }
        for place, (change, values) in enumerate(zip(changes, images, strict=True)):
            if change.table_id != key.child or not parents:
                continue
            parent = parents.get(key_text([values[name] for name in key.child_columns]))
            if parent is not None and parent != place:
                needs[place].append((parent, key))
    return needs


def _break(
    waiting: dict[int, set[int]],
    needs: list[list[tuple[int, ForeignKey]]],
    changes: Sequence[Change],
    tables: dict[TableId, Table],
) -> tuple[int, tuple[str, ...]]:
    """A row of a cycle that can wait for its parents with NULL; else any, in the hope of a deferred check."""
    for place, parents in waiting.items():
        table = tables[changes[place].table_id]
        free = [
            next((c for c in key.child_columns if table.column(c).nullable and c not in table.key), None)
            for parent, key in needs[place]
            if parent in parents
        ]
        if all(free):
            return place, tuple(sorted({column for column in free if column}))
    return next(iter(waiting)), ()
