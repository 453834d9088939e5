"""A Gmail to speak with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from langchain_agentrein import AgentRein, ApprovalRule
from langchain_agentrein.toolkits.gmail import GmailToolkit, Hub
from tests.integration_tests.toolkits.gmail.world import EMAIL, SEED, Mailbox, hub
from tests.support.emulators import NoEmulator, emulate
from tests.support.fault_proxy import Proxy, proxied
from tests.support.gmail_front import Front, fronted


@pytest.fixture(scope="session")
def gmail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A Gmail API."""
    try:
        with (
            emulate("google", SEED, tmp_path_factory.mktemp("gmail")) as url,
            fronted(url, EMAIL) as front,
        ):
            yield front
            front.close()
    except NoEmulator as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture
def mail(gmail: Front) -> Iterator[Mailbox]:
    """A mailbox of the test's own. Every request that the SDK made must be one that Google describes."""
    yield Mailbox(gmail)
    assert gmail.problems == []


@pytest.fixture
def api(mail: Mailbox) -> Hub:
    """What the operations are given."""
    return mail.hub


@pytest.fixture(scope="session")
def standing(gmail: Front) -> Iterator[Proxy]:
    """A proxy before it: to start and to stop one takes half a second."""
    with proxied(gmail.url) as running:
        yield running


@pytest.fixture
def proxy(standing: Proxy) -> Proxy:
    """A proxy that breaks what the test tells it to break."""
    standing.writes.clear()
    standing.offered.clear()
    standing.fault = None
    return standing


@pytest.fixture
def through(proxy: Proxy) -> Hub:
    """The agent's hub, through the proxy."""
    return hub(proxy.url)


@pytest.fixture
def rein(tmp_path: Path, through: Hub) -> Iterator[AgentRein]:
    """A front door that lets every operation pass."""
    allowed = [ApprovalRule(operation.name, "allow") for operation in GmailToolkit.operations]
    with AgentRein(
        f"sqlite:///{tmp_path}/journal.db", rules=allowed, backoff=0.01, clients={"gmail": through}
    ) as rein:
        yield rein
