"""Is what is there now what the action left behind, or what was before it?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_agentrein.engine.compare import compare
from langchain_agentrein.journal.codec import same

FIELDS = st.dictionaries(st.sampled_from("xyz"), st.integers(0, 3), max_size=3)


@given(now=FIELDS, before=FIELDS, after=FIELDS)
def test_a_field_goes_back_only_if_the_action_changed_it_and_nobody_touched_it_since(
    now: dict[str, int], before: dict[str, int], after: dict[str, int]
) -> None:
    state = compare(now, before=before, after=after)
    if state.already_undone:
        changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        assert all(now.get(name) == before.get(name) for name in changed)
        return
    if state.free == ("everything",):
        assert now == after
        return
    for name in state.free:
        assert now.get(name) == after.get(name) != before.get(name)
    for name in (*state.taken, *state.foreign):
        assert now.get(name) != after.get(name)
    assert not set(state.free) & {*state.taken, *state.foreign}


@given(now=st.one_of(FIELDS, st.none(), st.text()), before=st.one_of(FIELDS, st.none()))
def test_where_nobody_looked_everything_is_somebody_elses(now: Any, before: Any) -> None:
    state = compare(now, before=before, after=None, seen=False)
    assert state.already_undone or state.taken == ("everything",)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (float("nan"), float("nan"), True),
        ([1, {"a": float("nan")}], (1, {"a": float("nan")}), True),
        ({"a": 1}, {"a": 1, "b": None}, False),
        (b"x", b"x", True),
        ("1", 1, False),
        (None, False, False),
    ],
)
def test_same(one: Any, other: Any, equal: bool) -> None:
    assert same(one, other) is equal
    assert same(other, one) is equal
