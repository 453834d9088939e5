"""A journal with the policy as it is, and the agent's own credentials for undos."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from langchain_agentrein import AgentRein
from tests.integration_tests.toolkits.github.world import Shop


@pytest.fixture
def rein(tmp_path: Path, shop: Shop) -> Iterator[AgentRein]:
    with AgentRein(f"sqlite:///{tmp_path}/journal.db", backoff=0.01) as rein:
        yield rein
