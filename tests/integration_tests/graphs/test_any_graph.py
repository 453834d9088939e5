"""Failure in a graph of one's own, agents inside agents, and what reaches across them."""

from __future__ import annotations

import asyncio
import time
from typing import Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import NodeError
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, Send, interrupt

from langchain_agentrein import AgentRein, ConfigError, SessionFailed, reversible
from langchain_agentrein.action import SessionStatus
from langchain_agentrein.graphs import add_compensation, build_compensation_graph
from tests.support.agents import Hotel, calls, script


def on(thread: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread}}


def tool_graph(rein: AgentRein, hotel: Hotel, *turns: Any) -> Any:
    model = script(*turns)
    builder = StateGraph(MessagesState)
    builder.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
    builder.add_node("tools", ToolNode(rein.tools(hotel.book, hotel.charge)))
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", tools_condition)
    builder.add_edge("tools", "model")
    return add_compensation(builder, rein=rein).compile(checkpointer=InMemorySaver())


BOOK_TWO = calls(("book", {"room": "a"}), ("book", {"room": "b"}))
CHARGE_AND_BOOK = calls(("charge", {"amount": 1}), ("book", {"room": "c"}))
GO = {"messages": [("user", "book")]}


def test_a_failing_tools_node_is_walked_back(rein: AgentRein, hotel: Hotel) -> None:
    graph = tool_graph(rein, hotel, BOOK_TWO, CHARGE_AND_BOOK)

    with pytest.raises(SessionFailed) as caught:
        graph.invoke(GO, on("1"))

    assert hotel.rooms == []
    assert caught.value.report is not None and caught.value.report.complete
    assert "Declined: card declined" in str(caught.value)


async def test_async_siblings_that_still_run_are_drained(rein: AgentRein, hotel: Hotel) -> None:
    graph = tool_graph(rein, hotel, BOOK_TWO, CHARGE_AND_BOOK)

    with pytest.raises(SessionFailed):
        await graph.ainvoke(GO, on("1"))
    await asyncio.sleep(0.2)

    assert hotel.rooms == []


class Counter(TypedDict):
    """A state without messages."""

    n: int


def failing(state: Any) -> Any:
    raise KeyError("no such thing")


def node_graph(rein: AgentRein, hotel: Hotel, *, chain: bool = False, **options: Any) -> Any:
    [book] = rein.tools(hotel.book)

    def twice(state: Any) -> dict[str, Any]:
        book.invoke({"room": "same"})
        book.invoke({"room": "same"})
        return {}

    builder = StateGraph(Counter)
    builder.add_node("twice", twice)
    builder.add_node("failing", failing)
    builder.add_edge(START, "twice")
    builder.add_edge("twice", "failing")
    if chain:

        def handler(state: Counter, error: NodeError) -> dict[str, Any]:
            hotel.log.append(f"handled {error.node}: {error.error}")
            return {"n": 42}

        builder.set_node_defaults(error_handler=handler)
    return add_compensation(builder, rein=rein, chain=chain, **options).compile(checkpointer=InMemorySaver())


def test_tools_called_by_hand_inside_nodes(rein: AgentRein, hotel: Hotel) -> None:
    graph = node_graph(rein, hotel)

    with pytest.raises(SessionFailed, match="node `failing` failed with KeyError"):
        graph.invoke({"n": 1}, on("1"))

    assert hotel.log == ["book same", "book same", "cancel same", "cancel same"], "equal calls are two calls"


def test_reraise_false_ends_the_run(rein: AgentRein, hotel: Hotel) -> None:
    assert node_graph(rein, hotel, reraise=False).invoke({"n": 1}, on("1")) == {"n": 1}
    assert hotel.rooms == []


def test_a_default_handler_is_refused_unless_it_is_chained(rein: AgentRein, hotel: Hotel) -> None:
    builder = StateGraph(Counter).set_node_defaults(error_handler=lambda state: None)
    with pytest.raises(ConfigError, match="chain=True"):
        add_compensation(builder, rein=rein)

    assert node_graph(rein, hotel, chain=True).invoke({"n": 1}, on("1")) == {"n": 42}
    assert hotel.rooms == []
    assert hotel.log[-1].startswith("handled failing")


def test_a_graph_in_a_session_needs_no_thread(rein: AgentRein, hotel: Hotel) -> None:
    graph = node_graph(rein, hotel)
    with pytest.raises(SessionFailed), rein.session(intent="by hand") as session:
        graph.invoke({"n": 1}, on("1"))
    assert hotel.rooms == []
    assert session.status == "rolled_back"


def test_a_fan_out_by_send(rein: AgentRein, hotel: Hotel) -> None:
    [book] = rein.tools(hotel.book)
    builder = StateGraph(MessagesState)

    def one(task: dict[str, Any]) -> dict[str, Any]:
        book.invoke({"room": task["room"]})
        if task["room"] == "2":
            raise KeyError(task["room"])
        return {}

    builder.add_node("one", one)
    builder.add_conditional_edges(
        START, lambda state: [Send("one", {"room": str(n)}) for n in range(4)], ["one"]
    )
    graph = add_compensation(builder, rein=rein).compile(checkpointer=InMemorySaver())

    with pytest.raises(SessionFailed):
        graph.invoke(GO, on("1"))

    assert hotel.rooms == []


def test_a_sibling_that_meets_the_freeze_is_not_the_cause(rein: AgentRein, hotel: Hotel) -> None:
    [book] = rein.tools(hotel.book)
    handled: list[str] = []

    def first(state: Any) -> None:
        book.invoke({"room": "1"})
        raise KeyError("no such thing")

    def meets_the_freeze(state: Any) -> None:
        while [one.status for one in rein.sessions()] != [SessionStatus.ROLLING_BACK]:
            time.sleep(0.01)
        book.invoke({"room": "2"})

    def handler(state: Counter, error: NodeError) -> dict[str, Any]:
        handled.append(f"{error.node}: {error.error}")
        return {}

    builder = StateGraph(Counter)
    builder.add_node("first", first)
    builder.add_node("meets_the_freeze", meets_the_freeze)
    builder.add_edge(START, "first")
    builder.add_edge(START, "meets_the_freeze")
    builder.set_node_defaults(error_handler=handler)
    graph = add_compensation(builder, rein=rein, chain=True).compile(checkpointer=InMemorySaver())

    graph.invoke({"n": 1}, on("1"))

    assert hotel.log == ["book 1", "cancel 1"]
    assert handled == ["first: node `first` failed with KeyError: 'no such thing'"] * 2
    assert [one.failure["type"] for one in rein.sessions()] == ["KeyError"]


def test_an_interrupt_after_the_effect_runs_it_once(rein: AgentRein, hotel: Hotel) -> None:
    [book] = rein.tools(hotel.book)

    def node(state: Any) -> dict[str, Any]:
        book.invoke({"room": "a"})
        answer = interrupt("go on?")
        book.invoke({"room": "b"})
        return {"messages": [AIMessage(str(answer))]}

    builder = StateGraph(MessagesState)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    graph = add_compensation(builder, rein=rein).compile(checkpointer=InMemorySaver())
    graph.invoke(GO, on("1"))

    graph.invoke(Command(resume="yes"), on("1"))

    assert hotel.log == ["book a", "book b"]


def test_an_agent_inside_a_tool_joins_the_session(rein: AgentRein, hotel: Hotel) -> None:
    inner = create_agent(
        script(calls(("book", {"room": "inner"})), AIMessage("done")),
        [hotel.book],
        middleware=[rein.middleware()],
    )

    @reversible(read_only=True)
    def delegate(task: str) -> str:
        """Give a task to the other agent."""
        return str(inner.invoke({"messages": task})["messages"][-1].content)

    outer = create_agent(
        script(calls(("delegate", {"task": "book it"})), calls(("charge", {"amount": 1}))),
        [delegate, hotel.charge],
        middleware=[rein.middleware()],
        checkpointer=InMemorySaver(),
    )

    with pytest.raises(SessionFailed):
        outer.invoke(GO, on("1"))

    assert hotel.rooms == []
    assert len(rein.sessions()) == 1


def test_a_failing_inner_agent_leaves_the_walk_to_the_opener(rein: AgentRein, hotel: Hotel) -> None:
    inner = create_agent(
        script(calls(("book", {"room": "inner"})), calls(("charge", {"amount": 1}))),
        [hotel.book, hotel.charge],
        middleware=[rein.middleware()],
    )
    seen: list[str] = []

    @reversible(read_only=True)
    def delegate(task: str) -> str:
        """Give a task to the other agent, and mind its failure."""
        try:
            inner.invoke({"messages": task})
        except Exception as error:
            seen.append(type(error).__name__)
            seen.extend(hotel.rooms)
            return "it failed, never mind"
        return "done"

    outer = create_agent(
        script(calls(("delegate", {"task": "book it"})), AIMessage("fine")),
        [delegate],
        middleware=[rein.middleware()],
        checkpointer=InMemorySaver(),
    )

    out = outer.invoke(GO, on("1"))

    assert seen == ["Declined", "inner"], "the inner agent re-raises, and walks nothing"
    assert out["messages"][-1].content == "fine"
    assert rein.sessions()[0].status == "completed"


def test_the_compensation_graph_can_be_run_by_hand(rein: AgentRein, hotel: Hotel) -> None:
    [book] = rein.tools(hotel.book)
    with rein.session(intent="by hand") as session:
        book.invoke({"room": "a"})

    out = build_compensation_graph(rein).invoke({"session_id": session.id, "cause": "second thoughts"})

    assert hotel.rooms == []
    assert out["report"]["counts"] == {"compensated": 1}
    assert rein.actions(session=session.id)[0].undo.cause == "second thoughts"


def test_an_error_that_the_model_was_shown_is_shown_again_on_resume(rein: AgentRein, hotel: Hotel) -> None:
    @tool
    def flaky(n: int) -> str:
        """Act, and fail."""
        hotel.log.append("acted")
        raise ToolException("lost the reply")

    flaky.handle_tool_error = True

    @reversible(read_only=True)
    def ask(question: str) -> str:
        """Ask the user."""
        return str(interrupt(question))

    [acting, asking] = rein.tools(reversible(flaky, undo=lambda action: None), ask)
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([acting, asking]))
    builder.add_edge(START, "tools")
    graph = add_compensation(builder, rein=rein).compile(checkpointer=InMemorySaver())
    both = calls(("flaky", {"n": 1}), ("ask", {"question": "sure?"}))
    graph.invoke({"messages": [("user", "go"), both]}, on("1"))

    out = graph.invoke(Command(resume="yes"), on("1"))

    assert hotel.log == ["acted"]
    assert [message.content for message in out["messages"][-2:]] == ["lost the reply", "yes"]
