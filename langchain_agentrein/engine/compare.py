"""Is what is there now what the action left behind, or what was before it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from langchain_agentrein.action import Json

WHOLE = "everything"
"""Stands for the observed state where it has no fields."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the present state relates to the action.

    Attributes:
        already_undone: It is as before.
        free: The fields that the action changed and nobody touched since.
        taken: The fields that somebody changed since.
        why: What to tell a person, if any are taken.
    """

    already_undone: bool = False
    free: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    why: str = ""

    @classmethod
    def untold(cls) -> Self:
        """Nothing can be said: the operation does not observe."""
        return cls()


def compare(now: Json, *, before: Json, after: Json) -> Comparison:
    """Compare field by field; a state that is no mapping counts as one field.

    Args:
        now: What is observed.
        before: The observation that means "already undone".
        after: What was observed right after the action; `None` where nothing was there, or nobody looked.
    """
    if now == before:
        return Comparison(already_undone=True)
    if now == after:
        return Comparison(free=(WHOLE,))
    if after is None:
        return Comparison(
            taken=(WHOLE,), why="what the action left behind was not recorded, so nobody can tell whose this state is"
        )
    if not (isinstance(now, Mapping) and isinstance(before, Mapping) and isinstance(after, Mapping)):
        return Comparison(taken=(WHOLE,), why="somebody changed or removed it since")
    missing = object()
    names = sorted({*now, *before, *after})
    changed = [name for name in names if before.get(name, missing) != after.get(name, missing)]
    taken = [
        name
        for name in changed
        if now.get(name, missing) not in (after.get(name, missing), before.get(name, missing))
    ]
    free = [
        name
        for name in changed
        if name not in taken and now.get(name, missing) != before.get(name, missing)
    ]
    if not taken and not free:
        return Comparison(already_undone=True)
    why = f"somebody changed {', '.join(taken)} since" if taken else ""
    return Comparison(free=tuple(free), taken=tuple(taken), why=why)
