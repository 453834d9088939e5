"""Limits on calls: what they block is answered, and what they end can be rolled back."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents.middleware import ModelCallLimitMiddleware, ToolCallLimitMiddleware
from langchain.agents.middleware.tool_call_limit import ToolCallLimitExceededError

from tests.integration_tests.neighbours.matrix import Claim, scenario
from tests.integration_tests.neighbours.stage import APPROVE, ASK, FAIL, Stage, put, puts, turn

NAME = "`ToolCallLimitMiddleware`"
ORDERS = pytest.mark.parametrize("first", ["ours", "theirs"])


def order(first: str, ours: Any, theirs: Any) -> list[Any]:
    return [ours, theirs] if first == "ours" else [theirs, ours]


def limit(behaviour: Any, run_limit: int = 2) -> Any:
    return ToolCallLimitMiddleware(tool_name="world_put", run_limit=run_limit, exit_behavior=behaviour)


@ORDERS
@scenario(NAME, "`continue`", Claim.ONE_EFFECT, Claim.UNWOUND, Claim.ANSWERED, Claim.NEXT)
def test_it_goes_on(stage: Stage, first: str) -> None:
    middleware = order(first, stage.rein().middleware(), limit("continue"))
    agent = stage.agent(middleware, puts("a", "b", "c"), turn(FAIL), "hello")

    stage.fails(agent)

    stage.one_effect("a", "b")
    stage.unwound(2)
    stage.answered(agent)
    stage.next_message(agent)


@ORDERS
@scenario(
    NAME,
    "`continue`, with a gate",
    Claim.ONE_EFFECT,
    Claim.ASKED_ONCE,
    Claim.REJECTED,
    Claim.RESUMES,
    Claim.ANSWERED,
    Claim.NEXT,
    note="Listed before ours it counts after the question: a person is also asked about the call it blocks.",
)
def test_with_a_gate(stage: Stage, first: str) -> None:
    middleware = order(first, stage.rein(ASK).middleware(), limit("continue", 1))
    agent = stage.agent(middleware, puts("a", "b"), "done", "hello")
    stage.run(agent)
    asked = ["a"] if first == "ours" else ["a", "b"]

    stage.resumes(stage.resume(agent, *[APPROVE] * len(asked)))

    stage.asked_once(*asked)
    stage.one_effect("a")
    stage.rejected("b")
    stage.answered(agent)
    stage.next_message(agent)


@ORDERS
@scenario(NAME, "`end`", Claim.ONE_EFFECT, Claim.ANSWERED, Claim.NEXT, note="The session is completed.")
def test_it_ends(stage: Stage, first: str) -> None:
    middleware = order(first, stage.rein().middleware(), limit("end", 1))
    agent = stage.agent(middleware, put("a"), put("b"), "hello")

    stage.run(agent)

    stage.one_effect("a")
    with stage.rein() as reader:
        assert [str(session.status) for session in reader.sessions(thread="t")] == ["completed"]
    stage.answered(agent)
    stage.next_message(agent)


@ORDERS
@scenario(
    NAME,
    "`error`",
    Claim.ONE_EFFECT,
    Claim.NEXT,
    lacks={
        Claim.UNWOUND: "It raises outside any tool: the session stays open, is listed, and can be rolled back.",
        Claim.ANSWERED: "The calls of the message that went too far stay unanswered, as without ours.",
    },
)
def test_it_raises(stage: Stage, first: str) -> None:
    middleware = order(first, stage.rein().middleware(), limit("error", 1))
    agent = stage.agent(middleware, put("a"), put("b"), "hello")

    with pytest.raises(ToolCallLimitExceededError):
        stage.run(agent)

    stage.one_effect("a")
    with stage.rein() as reader:
        [session] = reader.sessions(thread="t")
        stage.lacks(Claim.UNWOUND, session.status == "open" and not stage.world.count("undo"))
        last = stage.messages(agent)[-1]
        stage.lacks(Claim.ANSWERED, bool(getattr(last, "tool_calls", None)))
        stage.next_message(agent)
        reader.rollback(session=session.id, by="ana")
        assert stage.world.events("undo") == [("undo", "a")]


@ORDERS
@scenario("`ModelCallLimitMiddleware`", "`end`", Claim.ONE_EFFECT, Claim.ANSWERED, Claim.NEXT)
def test_a_limit_on_model_calls(stage: Stage, first: str) -> None:
    theirs = ModelCallLimitMiddleware(run_limit=1, exit_behavior="end")
    agent = stage.agent(order(first, stage.rein().middleware(), theirs), put("a"), "hello")

    stage.run(agent)

    stage.one_effect("a")
    with stage.rein() as reader:
        assert [str(session.status) for session in reader.sessions(thread="t")] == ["completed"]
    stage.answered(agent)
    stage.next_message(agent)


@ORDERS
@scenario(
    "`ModelCallLimitMiddleware`",
    "`end`, reached by the failing turn",
    Claim.ONE_EFFECT,
    Claim.UNWOUND,
    Claim.ANSWERED,
    Claim.NEXT,
)
def test_a_limit_on_model_calls_does_not_stop_the_walk(stage: Stage, first: str) -> None:
    theirs = ModelCallLimitMiddleware(run_limit=2, exit_behavior="end")
    agent = stage.agent(order(first, stage.rein().middleware(), theirs), puts("a", "b"), turn(FAIL), "hello")

    stage.fails(agent)

    stage.one_effect("a", "b")
    stage.unwound(2)
    stage.answered(agent)
    stage.next_message(agent)
