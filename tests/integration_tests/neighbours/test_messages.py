"""What shortens a conversation: neither the session nor the walk depends on its messages being there."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents.middleware import (
    AgentMiddleware,
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    SummarizationMiddleware,
)
from langchain_core.messages import HumanMessage, RemoveMessage
from langgraph.graph.message import REMOVE_ALL_MESSAGES

from tests.integration_tests.neighbours.matrix import Claim, scenario
from tests.integration_tests.neighbours.stage import APPROVE, ASK, FAIL, Stage, put, puts, turn
from tests.support.agents import script

ORDERS = pytest.mark.parametrize("first", ["ours", "theirs"])
HOLDS = (Claim.ONE_EFFECT, Claim.UNWOUND, Claim.ANSWERED, Claim.NEXT)


def order(first: str, ours: Any, theirs: Any) -> list[Any]:
    return [ours, theirs] if first == "ours" else [theirs, ours]


class Trimming(AgentMiddleware[Any, Any, Any]):
    """Forgets the conversation so far, before each model call or after it."""

    def __init__(self, when: str) -> None:
        super().__init__()
        self.tools, self.when = [], when

    def before_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        if self.when != "before" or len(state["messages"]) < 3:
            return None
        return {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES), HumanMessage("(go on)")]}

    def after_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        if self.when != "after" or len(state["messages"]) < 4:
            return None
        return {"messages": [RemoveMessage(id=message.id) for message in state["messages"][1:-1]]}


@ORDERS
@scenario("`SummarizationMiddleware`", "before or after ours", *HOLDS, Claim.ASKED_ONCE)
def test_a_summary(stage: Stage, first: str) -> None:
    summary = SummarizationMiddleware(
        script(*["(summary)"] * 20),
        trigger=("messages", 3),
        keep=("messages", 1),
    )
    agent = stage.agent(
        order(first, stage.rein().middleware(), summary),
        puts("a", "b"),
        put("c"),
        put("d"),
        turn(FAIL),
        "hello",
    )
    stage.fails(agent)

    stage.asked_once()
    stage.one_effect("a", "b", "c", "d")
    stage.unwound(4)
    with stage.rein() as reader:
        assert len(reader.sessions(thread="t")) == 1
    stage.answered(agent, trimmed=True)
    stage.next_message(agent)


@ORDERS
@pytest.mark.parametrize("when", ["before", "after"])
@scenario("trimmed messages", "`RemoveMessage`, before or after ours", *HOLDS, Claim.ASKED_ONCE)
def test_trimmed(stage: Stage, first: str, when: str) -> None:
    middleware = order(first, stage.rein().middleware(), Trimming(when))
    agent = stage.agent(middleware, puts("a", "b"), put("c"), put("d"), turn(FAIL), "hello")

    stage.fails(agent)

    stage.asked_once()
    stage.one_effect("a", "b", "c", "d")
    stage.unwound(4)
    stage.answered(agent, trimmed=True)
    stage.next_message(agent)


@ORDERS
@scenario(
    "trimmed messages",
    "and a gate",
    Claim.ONE_EFFECT,
    Claim.ASKED_ONCE,
    Claim.RESUMES,
    Claim.NEXT,
)
def test_trimmed_with_a_gate(stage: Stage, first: str) -> None:
    middleware = order(first, stage.rein(ASK).middleware(), Trimming("before"))
    agent = stage.agent(middleware, puts("a", "b"), put("c"), "done", "hello")
    stage.run(agent)
    stage.resume(agent, APPROVE, APPROVE)

    stage.resumes(stage.resume(agent, APPROVE))

    stage.asked_once("a", "b", "c")
    stage.one_effect("a", "b", "c")
    stage.next_message(agent)


@ORDERS
@scenario("`ContextEditingMiddleware`", "before or after ours", *HOLDS)
def test_cleared_tool_results(stage: Stage, first: str) -> None:
    clearing = ContextEditingMiddleware(edits=[ClearToolUsesEdit(trigger=1, keep=0)])
    middleware = order(first, stage.rein().middleware(), clearing)
    agent = stage.agent(middleware, puts("a", "b"), put("c"), turn(FAIL), "hello")

    stage.fails(agent)

    stage.one_effect("a", "b", "c")
    stage.unwound(3)
    stage.answered(agent)
    stage.next_message(agent)
