"""A GitHub to speak with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from langchain_agentrein import AgentRein
from langchain_agentrein.toolkits.github import Hub
from tests.integration_tests.toolkits.github.world import SEED, Shop
from tests.support.emulators import NoEmulator, emulate


@pytest.fixture(scope="session")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an emulator's GitHub API."""
    try:
        with emulate("github", SEED, tmp_path_factory.mktemp("github")) as url:
            yield url
    except NoEmulator as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture
def shop(github: str) -> Shop:
    """A repository of the test's own."""
    return Shop(github)


@pytest.fixture
def api(shop: Shop) -> Hub:
    """What the operations are given."""
    return shop.hub


@pytest.fixture
def rein(tmp_path: Path, shop: Shop) -> Iterator[AgentRein]:
    """A journal, and the agent's credentials for undos."""
    with AgentRein(f"sqlite:///{tmp_path}/journal.db", backoff=0.01) as rein:
        yield rein
