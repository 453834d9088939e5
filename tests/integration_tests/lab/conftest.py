"""One lab for all of these tests: it takes seconds to warm up."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.controller import STORIES, Lab, Setting
from tests.lab.soak import lab as built
from tests.lab.world import served
from tests.support.fixtures import world

__all__ = ["world"]


@pytest.fixture(scope="session")
def lab(postgres_url: str) -> Iterator[Lab]:
    """A world, and warm processes to try it in; its children listen to nobody but to it."""
    memory = Path("/dev/shm")
    home = Path(tempfile.mkdtemp(prefix="agentrein-lab-", dir=memory if memory.is_dir() else None))
    try:
        with (
            served(home / "world.log") as (world, url),
            built(home, world, url, postgres_url, "tests") as made,
        ):
            yield made
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def counted(lab: Lab) -> dict[str, list[tuple[int, str]]]:
    """The boundaries of every story in the cheapest setting: `(life, point)`."""
    return {story: lab.count(story, Setting()) for story in STORIES}
