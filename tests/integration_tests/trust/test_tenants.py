"""A thread's id comes from a client: naming another tenant's leads nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from langchain_agentrein import AgentRein, ApprovalRule, ConfigError
from langchain_agentrein.action import Status
from tests.support.agents import Hotel, calls, script

ON: Any = {"configurable": {"thread_id": "1"}}
RULES = [ApprovalRule("book", "ask", when=lambda action: action.args["room"] == "gated")]


def agent_of(rein: AgentRein, hotel: Hotel, room: str, **options: Any) -> Any:
    model = script(calls(("book", {"room": room})), "done")
    middleware = [rein.middleware(**options)]
    return create_agent(model, [hotel.book], middleware=middleware, checkpointer=InMemorySaver())


@pytest.fixture
def hotel() -> Hotel:
    return Hotel()


@pytest.fixture
def acme(journal_url: str, hotel: Hotel) -> Iterator[AgentRein]:
    """Acme's, with a room booked on thread 1 and a question open on thread 2."""
    with AgentRein(journal_url, tenant="acme", rules=RULES) as rein:
        agent_of(rein, hotel, "a").invoke({"messages": "book"}, ON)
        agent_of(rein, hotel, "gated").invoke({"messages": "book"}, {"configurable": {"thread_id": "2"}})
        yield rein


@pytest.fixture
def other(journal_url: str) -> Iterator[AgentRein]:
    with AgentRein(journal_url, tenant="other", rules=RULES) as rein:
        yield rein


def test_nothing_of_another_tenant_is_read_decided_or_undone(
    acme: AgentRein, other: AgentRein, hotel: Hotel
) -> None:
    [booked] = acme.actions(thread="1")
    [asked] = acme.actions(thread="2")
    assert (booked.tenant, asked.status) == ("acme", Status.PROPOSED)
    everything: list[Any] = [
        lambda: other.rollback(thread="1", by="mallory"),
        lambda: other.rollback(session=booked.session_id),
        lambda: other.plan(session=booked.session_id),
        lambda: other.timeline(thread="1"),
        lambda: other.actions(thread="1"),
        lambda: other.action(booked.id),
        lambda: other.export(thread="1"),
        lambda: other.approve(asked.id, by="mallory"),
        lambda: other.reject(asked.id, by="mallory"),
        lambda: other.forget(thread="1"),
        lambda: other.verify(thread="1"),
    ]
    for attempt in everything:
        with pytest.raises(ConfigError, match=r"has no session|no action begins"):
            attempt()
    assert other.sessions() == []
    assert other.forget(mentioning="room") == 0
    assert other.verify().sessions == 0
    for whole in (other.recover, lambda: other.heads(key="k" * 32)):
        with pytest.raises(ConfigError, match="whole journal"):
            whole()
    for claim in (
        lambda: other.session(tenant="acme"),
        lambda: other.middleware(tenant="acme"),
        lambda: other.sessions(tenant="acme"),
    ):
        with pytest.raises(ConfigError, match="is for tenant 'other'"):
            claim()
    assert hotel.rooms == ["a"]
    assert [one.status for one in acme.actions(thread="2")] == [Status.PROPOSED]
    assert acme.rollback(thread="1", by="ana").complete
    assert hotel.rooms == []


def test_an_agent_on_another_tenants_thread_does_nothing(
    acme: AgentRein, other: AgentRein, hotel: Hotel
) -> None:
    for rein, options in ((other, {}), (acme, {})):
        agent = agent_of(rein, hotel, "b", **options)
        if rein is other:
            with pytest.raises(ConfigError, match="not tenant 'other'"):
                agent.invoke({"messages": "book"}, ON)
            assert hotel.rooms == ["a"]
        else:
            agent.invoke({"messages": "book"}, ON)
            assert hotel.rooms == ["a", "b"]
    assert len(acme.sessions(thread="1")) == 2


def test_the_id_of_a_message_does_not_open_another_tenants_session(journal_url: str, hotel: Hotel) -> None:
    """Who knows the thread and the message knows the session's id; in a graph of one's own nothing looks before."""
    said = [HumanMessage("book", id="h1"), calls(("book", {"room": "a"}))]
    for tenant, rooms in (("acme", ["a"]), ("other", ["a"])):
        with AgentRein(journal_url, tenant=tenant) as rein:
            rein.unwinds = True
            builder = StateGraph(MessagesState)
            builder.add_node("tools", ToolNode(rein.tools(hotel.book), handle_tool_errors=False))
            builder.add_edge(START, "tools")
            graph: Any = builder.compile()
            if tenant == "acme":
                graph.invoke({"messages": said}, ON)
            else:
                with pytest.raises(ConfigError, match="not tenant 'other'"):
                    graph.invoke({"messages": [said[0], calls(("book", {"room": "c"}))]}, ON)
        assert hotel.rooms == rooms


def test_a_middleware_may_name_the_tenant_of_one_agent(tmp_path: Path, hotel: Hotel) -> None:
    with AgentRein(f"sqlite:///{tmp_path}/journal.db") as rein:
        agent_of(rein, hotel, "a", tenant="acme").invoke({"messages": "book"}, ON)
        with pytest.raises(ConfigError, match="not tenant 'other'"):
            agent_of(rein, hotel, "b", tenant="other").invoke({"messages": "book"}, ON)
        assert [one.tenant for one in rein.sessions()] == ["acme"]
    assert hotel.rooms == ["a"]
