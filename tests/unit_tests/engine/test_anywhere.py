"""Any process can undo: a name, a version and JSON suffice, and the credentials that did it."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_agentrein import AgentRein, ConfigError, Reversal, Risk
from langchain_agentrein.operation import Operation
from langchain_agentrein.registry import REGISTRY
from tests.support.driving import SESSION, Elsewhere, do, opened, roll_back
from tests.support.world import Blind, Keep, Put, World

KEY = "x3a0Vwz6Y0ZSc1Hq7pPNgnhZ1xLMqVNlBTtDhBhDgJo="
OTHER = "1G5VJ0vWbLxAyKbBZgBcFqEbHVUmqxzYqYJXw2vHk9s="


def test_a_fresh_process_undoes(journal_url: str, world: World) -> None:
    with opened(journal_url, world) as rein:
        world.put("a", {"x": 0})
        do(rein, Put(thing="a", fields={"x": 1}), world)
    assert Elsewhere(roll_back, journal_url, world.path, {}).ended() == 0
    assert world.get("a") == {"x": 0}
    with opened(journal_url, world) as rein:
        assert [action.status for action in rein.actions(session=SESSION)] == ["restored"]


@pytest.mark.parametrize("account", ["other", None])
def test_another_account_is_refused(sqlite_url: str, world: World, account: Any) -> None:
    with opened(sqlite_url, world) as rein:
        do(rein, Blind(thing="a"), world)
    with opened(sqlite_url, World(world.path, account=account)) as rein:
        [line] = rein.rollback(session=SESSION)
        assert line.outcome == "stuck"
        assert line.error is not None
        assert "WrongAccount" in line.error
        assert "tried" not in line.error, "another try would meet the same"
    assert world.count("undo") == 0
    with opened(sqlite_url, world) as rein:
        assert rein.rollback(session=SESSION).complete


def test_a_resolver_is_asked_for_the_account_that_did_it(sqlite_url: str, world: World) -> None:
    asked: list[Any] = []

    def resolver(connector: str, account: str | None) -> World:
        asked.append((connector, account))
        return world

    with opened(sqlite_url, clients=resolver) as rein:
        do(rein, Blind(thing="a"), world)
        rein.rollback(session=SESSION)
    assert ("world", "acme") in asked


def test_without_a_client_it_says_how_to_give_one(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world) as rein:
        do(rein, Blind(thing="a"), world)
    with opened(sqlite_url) as rein:
        [line] = rein.rollback(session=SESSION)
        assert line.error is not None
        assert "clients={'world': ...}" in line.error
        with pytest.raises(ConfigError):
            rein.client("world")


@pytest.mark.parametrize("change", ["name", "version"])
def test_an_operation_that_is_not_installed(
    sqlite_url: str, world: World, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    with opened(sqlite_url, world) as rein:
        do(rein, Blind(thing="a"), world)
        known = dict(REGISTRY._classes)
        cls = known.pop(("world.blind", 1))
        if change == "version":
            known["world.blind", 2] = cls
        monkeypatch.setattr(REGISTRY, "_classes", known)
        assert [line.verdict for line in rein.plan(session=SESSION)] == ["cannot"]
        [line] = rein.rollback(session=SESSION)
        assert line.outcome == "stuck"
        assert line.error is not None
        assert "no installed operation answers to 'world.blind' version 1" in line.error
        assert ("installed: version 2" in line.error) is (change == "version")
        monkeypatch.undo()
        assert rein.rollback(session=SESSION).complete


def test_a_newer_class_undoes_what_it_says_it_can(sqlite_url: str, world: World) -> None:
    with opened(sqlite_url, world) as rein:
        action = do(rein, Blind(thing="a"), world)

        class Newer(Operation):
            """The same, two releases later."""

            name, version, undoes = "world.newer", 3, frozenset({1})
            risk, reversal = Risk.LOW, Reversal.COMPENSATING
            thing: str

        assert REGISTRY.get("world.newer", 1, None) is Newer
        assert REGISTRY.get("world.newer", 3, None) is Newer
        assert rein.core.rebuild(action) == Blind(thing="a")


@pytest.mark.parametrize("key", [None, OTHER])
@pytest.mark.parametrize("value", [{"password": "new"}, "a secret only in the snapshot"])
def test_an_undo_refuses_to_write_a_mask(sqlite_url: str, world: World, key: str | None, value: Any) -> None:
    world.put("a", {"password": "old"})
    with opened(sqlite_url, world, seal=KEY) as rein:
        do(rein, Keep(thing="a", value=value), world)
    with opened(sqlite_url, world, seal=key) as rein:
        [line] = rein.rollback(session=SESSION)
        assert line.outcome == "stuck"
        assert line.error is not None
        assert "AGENTREIN_SEAL_KEY" in line.error
        assert [line.verdict for line in rein.plan(session=SESSION)] == ["cannot"]
    assert world.get("a") == value
    with opened(sqlite_url, world, seal=f"{OTHER},{KEY}") as rein:
        assert rein.rollback(session=SESSION).complete, "an older key still opens what it sealed"
    assert world.get("a") == {"password": "old"}


def test_a_value_that_only_looks_like_a_mask_is_restored(rein: AgentRein, world: World) -> None:
    was = {"$masked": True, "$sealed": "x", "$bytes": "y", "$pairs": [["$a", 1]]}
    world.put("a", was)
    do(rein, Keep(thing="a", value=1), world)
    assert rein.rollback(session=SESSION).complete
    assert world.get("a") == was
