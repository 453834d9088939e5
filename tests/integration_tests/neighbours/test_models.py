"""Models that fail and are tried again, or replaced; structured output."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain.agents.middleware import ModelFallbackMiddleware, ModelRetryMiddleware
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.messages import AIMessage
from pydantic import BaseModel

from tests.integration_tests.neighbours.matrix import Claim, scenario
from tests.integration_tests.neighbours.stage import APPROVE, ASK, FAIL, REJECT, Stage, put, puts, turn
from tests.support.agents import script

ORDERS = pytest.mark.parametrize("first", ["ours", "theirs"])
HOLDS = (Claim.ONE_EFFECT, Claim.UNWOUND, Claim.ANSWERED, Claim.NEXT)
DOWN = RuntimeError("no model")


def order(first: str, ours: Any, theirs: Any) -> list[Any]:
    return [ours, theirs] if first == "ours" else [theirs, ours]


def model_retry(max_retries: int = 2) -> ModelRetryMiddleware:
    return ModelRetryMiddleware(max_retries=max_retries, initial_delay=0.0, jitter=False, on_failure="error")


class Report(BaseModel):
    """What was put."""

    things: int


@ORDERS
@scenario("`ModelRetryMiddleware`", "before or after ours", *HOLDS)
def test_a_model_that_is_tried_again(stage: Stage, first: str) -> None:
    middleware = order(first, stage.rein().middleware(), model_retry())
    agent = stage.agent(middleware, DOWN, puts("a", "b"), DOWN, DOWN, turn(FAIL), DOWN, "hello")

    stage.fails(agent)

    stage.one_effect("a", "b")
    stage.unwound(2)
    stage.answered(agent)
    stage.next_message(agent)


@ORDERS
@scenario(
    "`ModelRetryMiddleware`",
    "every try fails",
    Claim.ONE_EFFECT,
    Claim.RESUMES,
    Claim.ANSWERED,
    note="The session stays open: the thread is resumed, or rolled back.",
)
def test_a_model_that_fails_for_good(stage: Stage, first: str) -> None:
    middleware = order(first, stage.rein().middleware(), model_retry(1))
    agent = stage.agent(middleware, put("a"), DOWN, DOWN, put("b"), "done")
    with pytest.raises(RuntimeError, match="no model"):
        stage.run(agent)
    with stage.rein() as reader:
        assert [str(session.status) for session in reader.sessions(thread="t")] == ["open"]

    stage.resumes(stage.run(agent, None))

    stage.one_effect("a", "b")
    stage.answered(agent)


@ORDERS
@scenario(
    "`ModelRetryMiddleware`",
    "with `on_model_failure='rollback'`",
    Claim.ONE_EFFECT,
    note="List it after ours. Before ours, ours sees each try; the first that fails rolls back, and ends the run.",
)
def test_rolling_back_when_the_model_fails(stage: Stage, first: str) -> None:
    middleware = order(first, stage.rein().middleware(on_model_failure="rollback"), model_retry())
    agent = stage.agent(middleware, put("a"), DOWN, "done")

    if first == "ours":
        stage.run(agent)
    else:
        stage.fails(agent)

    stage.one_effect("a")
    assert stage.world.count("undo") == (0 if first == "ours" else 1)


@ORDERS
@scenario("`ModelFallbackMiddleware`", "before or after ours", *HOLDS)
def test_a_model_that_is_replaced(stage: Stage, first: str) -> None:
    backup = script(puts("a", "b"), turn(FAIL), "hello")
    middleware = order(first, stage.rein().middleware(), ModelFallbackMiddleware(backup))
    agent = stage.agent(middleware, DOWN, DOWN, DOWN)

    stage.fails(agent)

    stage.one_effect("a", "b")
    stage.unwound(2)
    stage.answered(agent)
    stage.next_message(agent)


@pytest.mark.parametrize("strategy", ["tool", "provider"])
@scenario(
    "structured output", "tool or provider strategy; the run ends well", Claim.ONE_EFFECT, Claim.ANSWERED
)
def test_structured_output(stage: Stage, strategy: str) -> None:
    form: Any = ToolStrategy(Report) if strategy == "tool" else ProviderStrategy(Report)
    answer = turn(("Report", {"things": 2})) if strategy == "tool" else AIMessage(json.dumps({"things": 2}))
    agent = stage.agent([stage.rein().middleware()], puts("a", "b"), answer, response_format=form)

    out = stage.run(agent)

    assert out["structured_response"] == Report(things=2)
    with stage.rein() as reader:
        assert [str(session.status) for session in reader.sessions(thread="t")] == ["completed"]
    stage.one_effect("a", "b")
    stage.answered(agent)


@pytest.mark.parametrize("strategy", ["tool", "provider"])
@scenario("structured output", "tool or provider strategy; the session fails", *HOLDS)
def test_structured_output_of_a_session_that_fails(stage: Stage, strategy: str) -> None:
    form: Any = ToolStrategy(Report) if strategy == "tool" else ProviderStrategy(Report)
    after = turn(("Report", {"things": 0})) if strategy == "tool" else AIMessage(json.dumps({"things": 0}))
    agent = stage.agent([stage.rein().middleware()], puts("a", "b"), turn(FAIL), after, response_format=form)
    stage.fails(agent)
    stage.one_effect("a", "b")
    stage.unwound(2)
    stage.answered(agent)
    stage.next_message(agent, structured_response=Report(things=0))


@scenario(
    "structured output",
    "tool strategy; an action and the answer in one message, with a gate",
    Claim.ONE_EFFECT,
    Claim.ASKED_ONCE,
    Claim.REJECTED,
    Claim.ANSWERED,
)
def test_an_answer_beside_actions(stage: Stage) -> None:
    both = turn(
        ("world_put", {"thing": "a", "fields": {}}),
        ("world_put", {"thing": "b", "fields": {}}),
        ("Report", {"things": 1}),
    )
    agent = stage.agent([stage.rein(ASK).middleware()], both, "done", response_format=ToolStrategy(Report))
    stage.run(agent)

    out = stage.resume(agent, APPROVE, REJECT)

    assert out["structured_response"] == Report(things=1)
    stage.asked_once("a", "b")
    stage.one_effect("a")
    stage.rejected("b")
    stage.answered(agent)


@scenario(
    "structured output",
    "tool strategy; a failing call and the answer in one message",
    Claim.ONE_EFFECT,
    Claim.UNWOUND,
    Claim.ANSWERED,
    Claim.NEXT,
)
def test_an_answer_beside_a_failure(stage: Stage) -> None:
    both = turn(FAIL, ("Report", {"things": 1}))
    after = turn(("Report", {"things": 0}))
    agent = stage.agent(
        [stage.rein().middleware()], put("a"), both, after, response_format=ToolStrategy(Report)
    )
    stage.fails(agent)
    stage.one_effect("a")
    stage.unwound(1)
    stage.answered(agent)
    stage.next_message(agent, structured_response=Report(things=0))
