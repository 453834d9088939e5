"""Fixtures that every test may ask for, and the rule about sockets."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.support import postgres

LOOPBACK = ["127.0.0.1", "::1", "localhost"]
INTEGRATION = Path(__file__).parent / "integration_tests"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Integration tests may reach loopback; whatever lies elsewhere has no sockets (`--disable-socket`)."""
    for item in items:
        if INTEGRATION in item.path.parents:
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A running PostgreSQL, as its superuser. Prefer `postgres_database`, which nobody else writes to."""
    try:
        with postgres.server() as url:
            yield url.render_as_string(hide_password=False)
    except postgres.NoPostgres as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of the test's own."""
    with postgres.database(make_url(postgres_url), f"test_{uuid.uuid4().hex[:12]}") as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgres"])
def journal_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty journal, on SQLite and then on PostgreSQL."""
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_database")
        return url
    return f"sqlite:///{tmp_path}/journal.db"
