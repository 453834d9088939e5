"""A journal and a hotel for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from langchain_agentrein import AgentRein
from tests.support.agents import Hotel


@pytest.fixture
def rein(tmp_path: Path) -> Iterator[AgentRein]:
    """An `AgentRein` on a fresh SQLite journal."""
    with AgentRein(f"sqlite:///{tmp_path}/journal.db", backoff=0.01) as rein:
        yield rein


@pytest.fixture
def hotel() -> Hotel:
    """Rooms to book."""
    return Hotel()
