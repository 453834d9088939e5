"""A GitHub to speak with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from github import Auth, Github

from langchain_agentrein import AgentRein, ApprovalRule
from langchain_agentrein.toolkits import GitHubToolkit
from langchain_agentrein.toolkits.github import Hub
from tests.integration_tests.toolkits.github.world import SEED, Shop, next_token
from tests.support.emulators import NoEmulator, emulate
from tests.support.fault_proxy import Proxy, proxied
from tests.support.github_extra import Extra
from tests.support.openapi import github as described

TOKEN = "bot-0"


@dataclass(frozen=True, slots=True)
class Served:
    """A GitHub on this machine.

    Attributes:
        proxy: Reads along, with GitHub's own description at hand, whatever reaches the emulator.
        extra: What the emulator lacks.
    """

    proxy: Proxy
    extra: Extra

    def wrong(self) -> list[str]:
        """What GitHub would not have taken, or answered, since this was last asked."""
        found = [*self.proxy.wrong, *self.extra.wrong]
        self.proxy.wrong.clear()
        self.extra.wrong.clear()
        return found


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An emulator's GitHub API, with what it lacks."""
    try:
        known = described()
        with emulate("github", SEED, tmp_path_factory.mktemp("github")) as url:
            extra = Extra(url, known)
            with proxied(url, check=known.request, serve=extra.serve) as proxy:
                yield Served(proxy, extra)
    except NoEmulator as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def github(served: Served) -> str:
    """Its URL."""
    return served.proxy.url


@pytest.fixture(autouse=True)
def _as_described(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every request of the agent's is one that GitHub describes."""
    yield
    if "github" in request.fixturenames:
        wrong = request.getfixturevalue("served").wrong()
        assert not wrong, "GitHub knows no such thing: " + "; ".join(wrong)


@pytest.fixture
def shop(github: str, served: Served) -> Shop:
    """A repository of the test's own."""
    return Shop(github, served.proxy.server, served.extra)


@pytest.fixture
def api(shop: Shop) -> Hub:
    """What the operations are given."""
    return shop.hub


@pytest.fixture
def proxy(github: str) -> Iterator[Proxy]:
    with proxied(github) as running:
        yield running


@pytest.fixture
def token() -> str:
    """The agent's; the emulator lets each make 5,000 requests an hour."""
    return next_token("bot")


@pytest.fixture
def through(proxy: Proxy, token: str) -> Hub:
    """The agent's hub, through the proxy, on a client as PyGithub makes it: one that repeats what failed."""
    client = Github(
        base_url=proxy.url, auth=Auth.Token(token), seconds_between_writes=0, seconds_between_requests=0
    )
    return Hub(client, settles=0.0)


@pytest.fixture
def rein(tmp_path: Path, through: Hub) -> Iterator[AgentRein]:
    allowed = [ApprovalRule(operation.name, "allow") for operation in GitHubToolkit.operations]
    with AgentRein(
        f"sqlite:///{tmp_path}/journal.db", rules=allowed, backoff=0.01, clients={"github": through}
    ) as rein:
        yield rein
