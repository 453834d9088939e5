"""One lab for all of these tests: it takes seconds to warm up."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab import github
from tests.lab.controller import Lab
from tests.lab.soak import lab as built
from tests.lab.stories import STORIES, Setting
from tests.lab.world import served
from tests.support.emulators import NoEmulator
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
            emulated(home) as hub,
            built(home, world, url, postgres_url, "tests", hub) as made,
        ):
            yield made
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def emulated(home: Path) -> Iterator[str]:
    """GitHub's emulator; empty: it is not installed."""
    try:
        with github.emulated(home / "github") as url:
            yield url
    except NoEmulator as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        yield ""


@pytest.fixture(scope="session")
def counted(lab: Lab) -> dict[str, list[tuple[int, str]]]:
    """The boundaries of every story in the cheapest setting: `(life, point)`."""
    return {story: lab.count(story, Setting()) for story in STORIES}
