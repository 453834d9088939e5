"""A plan looks at each action as it will be once the newer ones are undone."""

from __future__ import annotations

import pytest

from langchain_agentrein.action import Json
from langchain_agentrein.engine.foresee import Foresight


@pytest.mark.parametrize(
    ("restored", "now", "foreseen"),
    [
        # The same field.
        ({"a": 1}, {"a": 2, "b": 3}, {"a": 1, "b": 3}),
        # A newer DELETE took the row in which an older UPDATE changed a column.
        ({"row": {"x": 1, "y": 2}}, {}, {"row.x": 1}),
        # A newer UPDATE changed a column of a row that an older INSERT made.
        ({"row.x": 1}, {"row": {"x": 9, "y": 2}}, {"row": {"x": 1, "y": 2}}),
        # Nothing to do with each other.
        ({"other": 1}, {"a": 2}, {"a": 2}),
        # No fields.
        ({"a": 1}, None, None),
    ],
)
def test_it_overlays_what_newer_undos_put_back(restored: Json, now: Json, foreseen: Json) -> None:
    ahead = Foresight()
    ahead.undone(restored, frozenset())
    fields = {"row.x": 1} if "row" in restored else (now or {})
    assert ahead.seen(now, fields) == foreseen
