"""A plan says what the rollback will do, and touches nothing."""

from __future__ import annotations

import pytest

from langchain_agentrein import AgentRein, ApprovalRule
from tests.support.driving import SESSION, do, opened
from tests.support.world import Blind, Charge, Create, Mail, Put, Whole, World

OUTCOMES = {
    "undo": {"restored", "compensated"},
    "ask": {"stuck"},
    "conflict": {"conflict"},
    "already undone": {"restored"},
    "irreversible": {"irreversible"},
    "settle": {"in_doubt"},
    "cannot": {"stuck"},
    "waits": {"waiting"},
}
"""What each verdict of a plan becomes in the report of a rollback that nobody approved anything of."""


def agree(rein: AgentRein) -> list[str]:
    """Plan, roll back, and compare line by line."""
    plan = rein.plan(session=SESSION)
    report = rein.rollback(session=SESSION)
    assert [line.action.id for line in plan] == [line.action_id for line in report]
    for planned, line in zip(plan, report, strict=True):
        assert line.outcome in OUTCOMES[planned.verdict], (planned, line)
    return [line.verdict for line in plan]


def test_a_plan_is_what_the_report_says(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, rules=[ApprovalRule("world.mail", "allow")]) as rein:
        do(rein, Blind(thing="doubt"), world)
        world.set("lose reply", 1)
        with pytest.raises(TimeoutError):
            do(rein, Blind(thing="doubt"), world)
        do(rein, Create(thing="plain"), world)
        do(rein, Create(thing="built on"), world)
        world.put("built on", {"children": ["c"]})
        do(rein, Mail(thing="m"), world)
        do(rein, Charge(thing="money"), world)
        do(rein, Create(thing="gone"), world)
        world.put("gone", None)
        do(rein, Whole(thing="taken", fields={"x": 1}), world)
        world.put("taken", {"x": 2})
        world.put("partly", {"x": 0, "y": 0})
        do(rein, Put(thing="partly", fields={"x": 1, "y": 1}), world)
        world.put("partly", {"x": 2, "y": 1})
        events = world.events()
        rein.plan(session=SESSION)
        assert world.events() == events
        assert agree(rein) == [
            "conflict",
            "conflict",
            "already undone",
            "ask",
            "irreversible",
            "conflict",
            "undo",
            "settle",
            "waits",
        ]


def test_what_lies_below_an_undo_that_cannot_be_done_waits(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world) as rein:
        do(rein, Blind(thing="a"), world)
        do(rein, Blind(thing="b"), World(world.path, account="other"))
        assert agree(rein) == ["cannot", "waits"]


def test_or_does_not_where_the_walk_may_go_on(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, on_stuck="continue") as rein:
        do(rein, Blind(thing="b"), world)
        do(rein, Blind(thing="a"), world)
        do(rein, Blind(thing="b"), World(world.path, account="other"))
        assert agree(rein) == ["cannot", "undo", "waits"]


def test_newer_undos_are_thought_through(rein: AgentRein, world: World) -> None:
    world.put("a", {"x": 0})
    for value in (1, 2, 3):
        do(rein, Put(thing="a", fields={"x": value}), world)
    assert agree(rein) == ["undo"] * 3
    assert world.get("a") == {"x": 0}


def test_equal_names_of_fields_do_not_confuse_it(rein: AgentRein, world: World) -> None:
    for thing in "ab":
        world.put(thing, {"x": 0})
        do(rein, Put(thing=thing, fields={"x": 1}), world)
    assert agree(rein) == ["undo"] * 2


def test_force_and_skip(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world, on_conflict="force") as rein:
        do(rein, Whole(thing="a", fields={"x": 1}), world)
        world.put("a", {"x": 2})
        assert agree(rein) == ["undo"]


def test_nothing_to_undo(rein: AgentRein, world: World) -> None:
    do(rein, Create(thing="a"), world)
    rein.rollback(session=SESSION)
    plan = rein.plan(session=SESSION)
    assert len(plan) == 0
    assert str(plan) == "nothing to undo"
