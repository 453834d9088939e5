"""A world and an `AgentRein` over it, for the tests of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from langchain_agentrein import AgentRein
from tests.support.driving import opened
from tests.support.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty world."""
    return World(tmp_path / "world.db")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an empty journal on SQLite."""
    return f"sqlite:///{tmp_path}/journal.db"


@pytest.fixture
def rein(sqlite_url: str, world: World) -> Iterator[AgentRein]:
    """An `AgentRein` with a client for the world, its journal on SQLite."""
    with opened(sqlite_url, world) as made:
        yield made
