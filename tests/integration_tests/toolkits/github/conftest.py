"""A GitHub to speak with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from github import Auth, Github

from langchain_agentrein import AgentRein, ApprovalRule
from langchain_agentrein.toolkits.github import GitHubToolkit, Hub
from tests.integration_tests.toolkits.github.world import SEED, Shop
from tests.support.emulators import NoEmulator, emulate
from tests.support.fault_proxy import Proxy, proxied

TOKEN = "bot-0"


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
def proxy(github: str) -> Iterator[Proxy]:
    with proxied(github) as running:
        yield running


@pytest.fixture
def through(proxy: Proxy) -> Hub:
    """The agent's hub, through the proxy, on a client as PyGithub makes it: one that repeats what failed."""
    client = Github(
        base_url=proxy.url, auth=Auth.Token(TOKEN), seconds_between_writes=0, seconds_between_requests=0
    )
    return Hub(client, settles=0.0)


@pytest.fixture
def rein(tmp_path: Path, through: Hub) -> Iterator[AgentRein]:
    allowed = [ApprovalRule(operation.name, "allow") for operation in GitHubToolkit.operations]
    with AgentRein(
        f"sqlite:///{tmp_path}/journal.db", rules=allowed, backoff=0.01, clients={"github": through}
    ) as rein:
        yield rein
