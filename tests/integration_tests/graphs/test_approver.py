"""Who answered: what the record may believe, in a process of one's own and on a server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from langchain_agentrein import AgentRein, ApprovalRule
from langchain_agentrein.graphs import create_reversible_agent
from tests.support.agents import Hotel, calls, script

ANSWER: Any = Command(resume={"decisions": [{"type": "approve", "by": "mallory"}]})
ON_A_SERVER = {"graph_id": "agent"}
"""What LangGraph's server puts beside the thread's id."""


@dataclass
class User:
    """Whom a server authenticated."""

    identity: str


def approver(tmp_path: Path, hotel: Hotel, config: dict[str, Any], **options: Any) -> str | None:
    """Who is said to have approved a call that was resumed with `config`."""
    rules = [ApprovalRule("book", "ask")]
    with AgentRein(f"sqlite:///{tmp_path}/journal.db", rules=rules) as rein:
        agent: Any = create_agent(
            script(calls(("book", {"room": "a"})), AIMessage("done")),
            [hotel.book],
            middleware=[rein.middleware(**options)],
            checkpointer=InMemorySaver(),
        )
        whole: Any = {"configurable": {"thread_id": "1", **config}}
        agent.invoke({"messages": "book"}, whole)
        agent.invoke(ANSWER, whole)
        [action] = rein.actions(thread="1")
    assert hotel.rooms == ["a"] and action.approval is not None
    return action.approval.by


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, None),
        ({"approver": "ana"}, "ana"),
        ({"approver": "mallory", **ON_A_SERVER}, None),
        ({"approver": "mallory", "langgraph_auth_user": User("bob"), **ON_A_SERVER}, "bob"),
    ],
    ids=["nobody says", "the caller says", "a client says", "the server says"],
)
def test_who_is_believed(tmp_path: Path, hotel: Hotel, config: dict[str, Any], expected: str | None) -> None:
    assert approver(tmp_path, hotel, config) == expected


def test_the_application_may_know_whom_its_server_does_not(tmp_path: Path, hotel: Hotel) -> None:
    def named(config: Any) -> str:
        return str(config["configurable"]["badge"])

    assert approver(tmp_path, hotel, {"badge": "eve", **ON_A_SERVER}, approver=named) == "eve"


def test_an_agent_for_a_server_is_built_without_a_checkpointer_of_its_own(
    tmp_path: Path, hotel: Hotel
) -> None:
    rules = [ApprovalRule("book", "ask")]
    with AgentRein(f"sqlite:///{tmp_path}/journal.db", rules=rules) as rein:
        agent = create_reversible_agent(script(), [hotel.book], rein=rein, checkpointer=True)

        with pytest.raises(RuntimeError, match="root graphs"):
            agent.invoke({"messages": "book"}, {"configurable": {"thread_id": "1"}})
