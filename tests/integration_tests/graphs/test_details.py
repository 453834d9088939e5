"""What the middleware, the gate and the lender each owe, one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode
from langgraph.types import Command

from langchain_agentrein import AgentRein, ApprovalRule, JournalError, SessionFailed, Status, reversible
from langchain_agentrein.graphs import add_compensation, build_gate
from langchain_agentrein.graphs.failure import told
from langchain_agentrein.graphs.state import merge_failures
from tests.support.agents import Hotel, calls, script

ON: Any = {"configurable": {"thread_id": "1"}}
GO = {"messages": "book the rooms"}
APPROVE: Any = Command(resume={"decisions": [{"type": "approve"}]})
BOOK, CHARGE = calls(("book", {"room": "a"})), calls(("charge", {"amount": 1}))


@pytest.fixture
def asking(tmp_path: Path) -> AgentRein:
    return AgentRein(f"sqlite:///{tmp_path}/asking.db", rules=[ApprovalRule("book", "ask")])


def agent_of(rein: AgentRein, tools: Any, *turns: Any, **options: Any) -> Any:
    return create_agent(
        script(*turns), tools, middleware=[rein.middleware(**options)], checkpointer=InMemorySaver()
    )


def test_a_new_message_lets_the_questions_of_the_last_one_lapse(asking: AgentRein, hotel: Hotel) -> None:
    agent = agent_of(asking, [hotel.book], BOOK, AIMessage("new topic"))
    agent.invoke(GO, ON)

    agent.invoke({"messages": "never mind"}, ON)

    [action] = asking.actions(thread="1", all_sessions=True)
    assert action.status is Status.EXPIRED


def test_the_session_says_who_acts_for_whom_and_what_for(rein: AgentRein, hotel: Hotel) -> None:
    agent_of(rein, [hotel.book], BOOK, "done", agent_id="bot", tenant="acme").invoke(GO, ON)

    [session] = rein.sessions(thread="1")
    assert (session.agent_id, session.tenant, session.goal) == ("bot", "acme", "book the rooms")


def test_a_session_of_another_journal_is_not_joined(rein: AgentRein, asking: AgentRein, hotel: Hotel) -> None:
    agent = agent_of(rein, [hotel.book, hotel.charge], BOOK, CHARGE)

    with asking.session(intent="something else"), pytest.raises(SessionFailed):
        agent.invoke(GO, ON)

    assert hotel.rooms == []
    assert [session.status for session in rein.sessions(thread="1")] == ["rolled_back"]


def test_an_inner_agent_whose_model_fails_leaves_the_outer_session_alone(
    rein: AgentRein, hotel: Hotel
) -> None:
    options: Any = {"on_model_failure": "rollback"}
    inner = create_agent(
        script(RuntimeError("no model")), [hotel.book], middleware=[rein.middleware(**options)]
    )

    @reversible(read_only=True)
    def delegate(task: str) -> str:
        """Give a task to the other agent, and mind its failure."""
        try:
            inner.invoke({"messages": task})
        except RuntimeError:
            return "it failed, never mind"
        return "done"

    outer = agent_of(
        rein, [hotel.book, delegate], BOOK, calls(("delegate", {"task": "x"})), "done", **options
    )

    outer.invoke(GO, ON)

    assert hotel.rooms == ["a"]


def test_a_gate_finds_messages_under_another_key(asking: AgentRein, hotel: Hotel) -> None:
    class State(TypedDict):
        history: Annotated[list[Any], add_messages]

    tools = asking.tools(hotel.book)
    builder = StateGraph(State)
    builder.add_node("gate", build_gate(asking, tools, messages_key="history"))
    builder.add_node("tools", ToolNode(tools, messages_key="history"))
    builder.add_edge(START, "gate")
    builder.add_edge("gate", "tools")
    graph = add_compensation(builder, rein=asking).compile(checkpointer=InMemorySaver())
    out = graph.invoke({"history": [HumanMessage("book"), BOOK]}, ON)
    assert out["__interrupt__"][0].value["action_requests"][0]["args"] == {"room": "a"}

    graph.invoke(APPROVE, ON)

    assert hotel.rooms == ["a"]


def test_two_agents_may_share_a_middleware_and_have_tools_of_one_name(rein: AgentRein, hotel: Hotel) -> None:
    def look(thing: str) -> str:
        """Look."""
        return f"one saw {thing}"

    def look_closer(thing: str) -> str:
        """Look."""
        return f"two saw {thing}"

    ours = rein.middleware()
    answers = []
    for function in (look, look_closer):
        named = reversible(tool("look")(function), read_only=True)
        agent: Any = create_agent(script(calls(("look", {"thing": "x"})), "done"), [named], middleware=[ours])
        answers.append(agent.invoke(GO)["messages"][-2].text)
    assert answers == ["one saw x", "two saw x"]


def test_a_tool_that_is_bound_keeps_its_own_journal(rein: AgentRein, asking: AgentRein, hotel: Hotel) -> None:
    [bound] = asking.tools(hotel.book)
    out = agent_of(rein, [bound], BOOK, "done").invoke(GO, ON)

    assert "__interrupt__" in out, "its own journal's rules hold"
    assert rein.sessions(thread="1") == []


def test_without_its_journal_the_caller_learns_the_first_error(
    rein: AgentRein, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = agent_of(rein, [hotel.book, hotel.charge], BOOK, CHARGE)

    def down(*_: Any, **__: Any) -> Any:
        raise JournalError("the disk is full")

    monkeypatch.setattr("langchain_agentrein.graphs.failure.engine.freeze", down)
    with pytest.raises(Exception, match="card declined") as caught:
        agent.invoke(GO, ON)
    assert not isinstance(caught.value, SessionFailed) and isinstance(caught.value.__cause__, JournalError)


def test_a_failures_message_holds_no_secret(rein: AgentRein, hotel: Hotel) -> None:
    @reversible(undo=lambda action: None, not_done=(ValueError,))
    def pay(amount: int) -> str:
        """Pay."""
        raise ValueError("declined for key sk_live_4eC39HqLyjWDarjtT1zdp7dc")

    agent = agent_of(rein, [pay], calls(("pay", {"amount": 1})))
    with pytest.raises(SessionFailed) as failed:
        agent.invoke(GO, ON)
    messages = agent.get_state(ON).values["messages"]
    assert "sk_live" not in "".join(message.text for message in messages) + str(failed.value)


def test_the_first_of_two_failures_is_the_cause() -> None:
    first, second = {"type": "A", "walked": False}, {"type": "B"}
    merged = merge_failures({"s": first}, {"s": second})
    assert merged["s"]["type"] == "A"
    assert merge_failures(merged, {"s": {**second, "walked": True}})["s"] == {"type": "A", "walked": True}


def test_what_was_undone_and_what_is_left_are_both_told() -> None:
    assert told(None) == "Its effects were kept."
    assert told({"lines": [], "counts": {}}) == "Nothing had to be undone."
    assert told({"lines": [1], "counts": {"restored": 2, "stuck": 1}}) == (
        "What it had done was undone: 2 restored. Left for a person: 1 stuck."
    )
