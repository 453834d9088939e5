"""The `langgraph.json` of this repository, as `make serve` serves it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_sync_client

from langchain_agentrein import AgentRein, Status
from langchain_agentrein.demo.shop import Shop
from tests.support.langgraph_server import ROOT, Server


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Server]:
    """The example, served from an empty directory."""
    with Server(tmp_path / "server", json.loads((ROOT / "langgraph.json").read_text())) as server:
        yield server
    assert not server.blocking.exists(), server.blocking.read_text()


def test_it_works_is_asked_fails_and_all_is_as_it_was(example: Server, tmp_path: Path) -> None:
    shop, untouched = Shop(example.directory / ".langgraph_api" / "shop"), Shop(tmp_path / "untouched")
    untouched.build()
    config: Any = {"configurable": {"approver": "mallory"}}
    with get_sync_client(url=example.url) as client:
        thread = client.threads.create()["thread_id"]
        task: Any = {"input": {"messages": "Do the July clean-up."}}
        out: Any = client.runs.wait(thread, "agent", **task, config=config)
        [interrupt] = out["__interrupt__"]
        asked = [request["name"] for request in interrupt["value"]["action_requests"]]
        assert asked == ["sql_execute", "files_delete"]
        assert untouched.state().differences(shop.state()), "it has changed something by now"
        resume: Any = {"resume": {"decisions": [{"type": "approve"}, {"type": "approve"}]}}

        out = client.runs.wait(thread, "agent", command=resume, config=config, raise_error=False)

        assert out["__error__"]["error"] == "SessionFailed"
        told = client.threads.get_state(thread)["values"]["messages"][-1]["content"]  # type: ignore[call-overload]
    assert "BooksDisagree" in told and "9 restored" in told
    assert untouched.state().differences(shop.state()) == []
    with AgentRein(shop.journal_url) as rein:
        actions = rein.actions(thread=thread)
        assert rein.verify().ok
    assert [action.status for action in actions][-1] is Status.FAILED
    # Nobody is authenticated here, and what a client says of itself is no name for the record.
    assert {action.approval.by for action in actions if action.approval} == {None}
