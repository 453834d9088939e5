"""A GitHub to speak with."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from langchain_agentrein.toolkits.github import Hub
from tests.integration_tests.toolkits.github.world import SEED, Shop
from tests.support.emulators import NoEmulator, emulate
from tests.support.fault_proxy import Proxy, proxied
from tests.support.openapi import github as described


@pytest.fixture(scope="session")
def read_along(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """An emulator's GitHub API, and a reader who knows GitHub's own description of it."""
    try:
        check = described().request
        with (
            emulate("github", SEED, tmp_path_factory.mktemp("github")) as url,
            proxied(url, check=check) as proxy,
        ):
            yield proxy
    except NoEmulator as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def github(read_along: Proxy) -> str:
    """Its URL."""
    return read_along.url


@pytest.fixture(autouse=True)
def _as_described(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every request of the agent's is one that GitHub describes."""
    yield
    if "github" in request.fixturenames:
        proxy: Proxy = request.getfixturevalue("read_along")
        wrong, proxy.wrong = proxy.wrong, []
        assert not wrong, "GitHub knows no such request: " + "; ".join(wrong)


@pytest.fixture
def shop(github: str, read_along: Proxy) -> Shop:
    """A repository of the test's own."""
    return Shop(github, read_along.server)


@pytest.fixture
def api(shop: Shop) -> Hub:
    """What the operations are given."""
    return shop.hub
