"""The served agent's journal on PostgreSQL, which many servers may share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration_tests.server.conftest import Served, put, serving


@pytest.fixture
def served(postgres_database: str, tmp_path: Path) -> Iterator[Served]:
    """A running server, its journal on PostgreSQL."""
    yield from serving(tmp_path, postgres_database)


def test_asked_failed_unwound_and_rolled_back(served: Served) -> None:
    chat, other = served.chat(), served.chat("by_hand")
    chat.say(put(chat.thing("a")), put("vip"), [["decline", {"why": "no money"}]])
    assert (chat.status, chat.asked["name"]) == ("interrupted", "world_put")

    chat.answer({"type": "approve"}, user="bob")

    assert chat.status == "error"
    assert [str(action.status) for action in chat.actions] == ["restored", "restored", "failed"]
    approval = chat.actions[1].approval
    assert approval is not None and approval.by == "bob"

    other.say([*put(other.thing("a")), *put(other.thing("b"))])
    assert served.rein.rollback(thread=other.id, by="ops").counts == {"restored": 2}
