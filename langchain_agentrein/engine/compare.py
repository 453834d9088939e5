"""Is what is there now what the action left behind, or what was before it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from langchain_agentrein.action import Json
from langchain_agentrein.journal.codec import same

WHOLE = "everything"
"""Stands for the observed state where it has no fields."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the present state relates to the action.

    Attributes:
        already_undone: Whatever the action changed is as before.
        free: The fields that the action changed and nobody touched since.
        taken: The fields that it changed, and that somebody changed since.
        foreign: The fields that it left alone, and that somebody changed since.
        why: What to tell a person, if any are taken or foreign.
    """

    already_undone: bool = False
    free: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    why: str = ""

    @classmethod
    def untold(cls) -> Self:
        """Nothing can be said: the operation does not observe."""
        return cls()


def compare(now: Json, *, before: Json, after: Json, seen: bool = True) -> Comparison:
    """Compare field by field; a state that is no mapping counts as one field.

    Args:
        now: What is observed.
        before: The observation that means "already undone".
        after: What was observed right after the action; `None` where nothing was there.
        seen: Whether somebody looked right after the action.
    """
    if same(now, before):
        return Comparison(already_undone=True)
    if not seen:
        unknown = "what the action left behind was not recorded, so nobody can tell whose this state is"
        return Comparison(taken=(WHOLE,), why=unknown)
    if same(now, after):
        return Comparison(free=(WHOLE,))
    if not (isinstance(now, Mapping) and isinstance(before, Mapping) and isinstance(after, Mapping)):
        return Comparison(taken=(WHOLE,), why="somebody changed or removed it since")
    return _by_field(now, before, after)


def _by_field(now: Mapping[str, Json], before: Mapping[str, Json], after: Mapping[str, Json]) -> Comparison:
    def differ(one: Mapping[str, Json], other: Mapping[str, Json], name: str) -> bool:
        if name not in one or name not in other:
            return (name in one) != (name in other)
        return not same(one[name], other[name])

    names = sorted({*now, *before, *after})
    changed = [name for name in names if differ(before, after, name)]
    undone = {name for name in changed if not differ(now, before, name)}
    taken = [name for name in changed if name not in undone and differ(now, after, name)]
    free = [name for name in changed if name not in undone and name not in taken]
    foreign = [name for name in names if name not in changed and differ(now, after, name)]
    if not taken and not free:
        return Comparison(already_undone=True)
    touched = [*taken, *foreign]
    why = f"somebody changed {', '.join(touched)} since" if touched else ""
    return Comparison(False, tuple(free), tuple(taken), tuple(foreign), why)
