"""What an older action's undo will meet, once the newer ones of the same plan are undone."""

from __future__ import annotations

from collections.abc import Mapping

from langchain_agentrein.action import Json


class Foresight:
    """What newer undos will have put back, field by field.

    A field `orders[17].status` lies inside the field `orders[17]`, whose value is then a mapping.
    """

    def __init__(self) -> None:
        self._restored: dict[str, Json] = {}
        self.touches: set[str] = set()

    def undone(self, before: Json, touches: frozenset[str]) -> None:
        """Note that an action will have been undone, and what will then be there."""
        self.touches |= touches
        if isinstance(before, Mapping):
            self._restored.update(before)

    def seen(self, now: Json, fields: Mapping[str, Json]) -> Json:
        """`now`, as it will be observed for an action with these `fields`."""
        if not isinstance(now, Mapping):
            return now
        return {
            **now,
            **{name: self._field(name, now.get(name)) for name in {*now, *fields} if self._knows(name)},
        }

    def _knows(self, name: str) -> bool:
        inside = name + "."
        return (
            name in self._restored
            or name.rpartition(".")[0] in self._restored
            or any(known.startswith(inside) for known in self._restored)
        )

    def _field(self, name: str, now: Json) -> Json:
        if name in self._restored:
            now = self._restored[name]
        outer, _, inner = name.rpartition(".")
        if isinstance(whole := self._restored.get(outer), Mapping):
            return whole.get(inner, now)
        if isinstance(now, Mapping):
            inside = name + "."
            parts = {
                key[len(inside) :]: value for key, value in self._restored.items() if key.startswith(inside)
            }
            return {**now, **parts}
        return now
