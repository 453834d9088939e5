"""Rows come back parents first, rings included."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_agentrein.toolkits.sql.model import Column, ForeignKey, Table
from langchain_agentrein.toolkits.sql.observation import Change
from langchain_agentrein.toolkits.sql.order import parents_first

T = ("main", "t")
KEY = ForeignKey(T, ("up",), T, ("id",), "CASCADE", "CASCADE")


def table(nullable: bool) -> Table:
    return Table(T, "t", (Column("id", "int", False), Column("up", "int", nullable)), ("id",))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=1, max_size=10))
def test_every_row_finds_its_parent(parents: list[int | None]) -> None:
    rows = [
        {"id": n, "up": up if up is not None and up < len(parents) else None} for n, up in enumerate(parents)
    ]
    changes = [Change(T, "t", {"id": row["id"]}, row, None) for row in rows]
    placed = parents_first(changes, rows, [KEY], {T: table(True)})
    assert sorted(one.change.key["id"] for one in placed) == list(range(len(rows)))
    there: set[int | None] = {None}
    for one in placed:
        before = one.change.before or {}
        there.add(before["id"])
        assert one.later == ("up",) or before["up"] in there


def test_a_ring_that_allows_no_null_is_still_complete() -> None:
    rows = [{"id": 0, "up": 1}, {"id": 1, "up": 0}]
    changes = [Change(T, "t", {"id": row["id"]}, row, None) for row in rows]
    assert len(parents_first(changes, rows, [KEY], {T: table(False)})) == 2
