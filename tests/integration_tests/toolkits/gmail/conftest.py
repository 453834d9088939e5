"""A Gmail to speak with."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from langchain_agentrein.toolkits.gmail import Hub
from tests.integration_tests.toolkits.gmail.world import EMAIL, SEED, Mailbox
from tests.support.emulators import NoEmulator, emulate
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
