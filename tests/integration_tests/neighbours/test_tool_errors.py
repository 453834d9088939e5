"""What retries a tool, or answers for its error: inside ours (listed after it) and outside (before it)."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents.middleware import ToolErrorMiddleware, ToolRetryMiddleware

from langchain_agentrein import ReversibleTool, reversible
from tests.integration_tests.neighbours.matrix import Claim, scenario
from tests.integration_tests.neighbours.stage import APPROVE, FAIL, Stage, put, puts, turn
from tests.support.agents import Declined

RETRY, ERROR = "`ToolRetryMiddleware`", "`ToolErrorMiddleware`"


def retry(**options: Any) -> ToolRetryMiddleware:
    return ToolRetryMiddleware(**{"max_retries": 2, "initial_delay": 0.0, "jitter": False, **options})


def order(place: str, ours: Any, *theirs: Any) -> list[Any]:
    return [ours, *theirs] if place == "inside" else [*theirs, ours]


def told(error: Exception, request: Any) -> str:
    return f"failed with {type(error).__name__}"


def ring(stage: Stage, failures: int, *, certain: bool = True) -> ReversibleTool:
    """A tool whose first tries fail, before their effect or after it."""
    left = [failures]

    @reversible(undo=lambda action: stage.world.log("undo", action.args["bell"]), not_done=(Declined,))
    def ring(bell: str) -> str:
        """Ring a bell."""
        left[0] -= 1
        if left[0] >= 0 and certain:
            raise Declined("the rope is wet")
        stage.world.log("do", bell)
        if left[0] >= 0:
            raise TimeoutError("no answer, and it rang")
        return "ding"

    return ring  # type: ignore[no-any-return]


@pytest.mark.parametrize("place", ["inside", "outside"])
@scenario(RETRY, "inside or outside; a lost reply that a probe finds", Claim.ONE_EFFECT, Claim.NOT_REPEATED)
def test_a_lost_reply_that_a_probe_finds(stage: Stage, place: str) -> None:
    stage.world.set("lose reply", 1)
    agent = stage.agent(order(place, stage.rein().middleware(), retry()), put("a"), "done")

    out = stage.run(agent)

    stage.not_repeated("a")
    stage.one_effect("a")
    assert out["messages"][-1].text == "done"


@pytest.mark.parametrize("on_failure", ["continue", "error"])
@scenario(
    RETRY,
    "inside; a lost reply that nothing can find",
    Claim.ONE_EFFECT,
    Claim.NOT_REPEATED,
    Claim.ANSWERED,
    note="With `on_failure='continue'` the model is told; with `'error'` a person says whether it happened.",
)
def test_a_lost_reply_that_nothing_can_find(stage: Stage, on_failure: Any) -> None:
    bell = ring(stage, 1, certain=False)
    middleware = [stage.rein().middleware(), retry(on_failure=on_failure)]
    agent = stage.agent(middleware, turn(("ring", {"bell": "a"})), "done", tools=[bell])

    out = stage.run(agent)
    if on_failure == "error":
        assert [name for name, _ in stage.asked] == ["agentrein_settle"]
        out = stage.resume(agent, APPROVE)

    assert out["messages"][-1].text == "done"
    stage.not_repeated("a")
    stage.one_effect("a")
    stage.answered(agent)


@scenario(RETRY, "inside; the first tries certainly did nothing", Claim.ONE_EFFECT, Claim.UNWOUND, Claim.NEXT)
def test_what_was_not_done_is_tried_again(stage: Stage) -> None:
    agent = stage.agent(
        [stage.rein().middleware(), retry(tools=["ring"])],
        turn(("ring", {"bell": "a"})),
        turn(FAIL),
        "hello",
        tools=[ring(stage, 2), *stage.tools],
    )
    stage.fails(agent)
    stage.one_effect("a")
    stage.unwound(1)
    stage.next_message(agent)


@scenario(
    RETRY,
    "outside; the first tries certainly did nothing",
    Claim.UNWOUND,
    Claim.ANSWERED,
    Claim.NEXT,
    note="Outside ours it sees no error: nothing is tried again, and the session fails. List it after ours.",
)
def test_outside_nothing_is_tried_again(stage: Stage) -> None:
    turns = [put("a"), turn(("ring", {"bell": "b"})), "hello"]
    tools = [ring(stage, 1), *stage.tools]
    agent = stage.agent([retry(), stage.rein().middleware()], *turns, tools=tools)

    stage.fails(agent)

    assert stage.world.count("do", "b") == 0
    stage.unwound(1)
    stage.answered(agent)
    stage.next_message(agent)


@scenario(
    RETRY,
    "inside; every try fails, `on_failure='error'`",
    Claim.ONE_EFFECT,
    Claim.UNWOUND,
    Claim.ANSWERED,
    Claim.NEXT,
)
def test_a_failure_after_all_tries_is_the_sessions(stage: Stage) -> None:
    agent = stage.agent(
        [stage.rein().middleware(), retry(on_failure="error")], puts("a", "b"), turn(FAIL), "hello"
    )
    error = stage.fails(agent)
    assert error.error == {"type": "Declined", "message": "card declined"}
    stage.one_effect("a", "b")
    stage.unwound(2)
    stage.answered(agent)
    stage.next_message(agent)


@scenario(
    ERROR,
    "inside",
    Claim.ONE_EFFECT,
    Claim.ANSWERED,
    Claim.NEXT,
    note="What it answers is no failure of the session; what it lets pass is.",
)
def test_an_error_that_is_answered_is_no_failure(stage: Stage) -> None:
    middleware = [stage.rein().middleware(), ToolErrorMiddleware(told)]
    agent = stage.agent(middleware, put("a"), turn(FAIL), "I give up", "hello")

    out = stage.run(agent)

    assert out["messages"][-1].text == "I give up" and "Declined" in out["messages"][-2].text
    stage.one_effect("a")
    assert not stage.world.count("undo")
    stage.answered(agent)
    stage.next_message(agent)


@pytest.mark.parametrize("place", ["inside", "outside"])
@scenario(
    ERROR,
    "inside and letting it pass, or outside",
    Claim.ONE_EFFECT,
    Claim.UNWOUND,
    Claim.ANSWERED,
    Claim.NEXT,
    note="Outside ours it sees no error: what fails is the session's failure.",
)
def test_an_error_that_passes_is_the_sessions_failure(stage: Stage, place: str) -> None:
    theirs = ToolErrorMiddleware(told if place == "outside" else lambda error, request: None)
    agent = stage.agent(
        order(place, stage.rein().middleware(), theirs), put("a"), puts("b"), turn(FAIL), "hello"
    )
    stage.fails(agent)
    stage.one_effect("a", "b")
    stage.unwound(2)
    stage.answered(agent)
    stage.next_message(agent)


@scenario(
    ERROR,
    "inside, around `ToolRetryMiddleware`; a lost reply that nothing can find",
    Claim.ONE_EFFECT,
    Claim.NOT_REPEATED,
    Claim.ANSWERED,
)
def test_both(stage: Stage) -> None:
    middleware = [stage.rein().middleware(), ToolErrorMiddleware(told), retry(on_failure="error")]
    bell = ring(stage, 1, certain=False)
    agent = stage.agent(middleware, turn(("ring", {"bell": "a"})), "done", tools=[bell])
    stage.run(agent)
    stage.not_repeated("a")
    stage.one_effect("a")
    stage.answered(agent)
