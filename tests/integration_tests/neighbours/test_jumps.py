"""`return_direct` and `jump_to`: ways past the nodes in which ours waits."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents.middleware import AgentMiddleware, ToolRetryMiddleware, hook_config
from langchain_core.messages import AIMessage, ToolMessage

from langchain_agentrein import InDoubt, reversible
from tests.integration_tests.neighbours.matrix import Claim, scenario
from tests.integration_tests.neighbours.stage import APPROVE, ASK, FAIL, REJECT, Stage, put, puts, turn

ORDERS = pytest.mark.parametrize("first", ["ours", "theirs"])


def order(first: str, ours: Any, theirs: Any) -> list[Any]:
    return [ours, theirs] if first == "ours" else [theirs, ours]


class Jumping(AgentMiddleware[Any, Any, Any]):
    """Jumps once, from one hook, right after the tools, when there are so many answers of theirs."""

    def __init__(self, hook: str, target: str, answers: int) -> None:
        super().__init__()
        self.tools, self.hook, self.target, self.answers = [], hook, target, answers
        self.jumped = False

    def _jump(self, hook: str, state: Any) -> dict[str, Any] | None:
        answers = sum(isinstance(message, ToolMessage) for message in state["messages"])
        before = state["messages"][-1 if hook == "before_model" else -2]
        if (
            self.jumped
            or hook != self.hook
            or answers != self.answers
            or (before.type == "human" and answers)
        ):
            return None
        self.jumped = True
        return {"jump_to": self.target}

    @hook_config(can_jump_to=["end", "model", "tools"])
    def before_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        return self._jump("before_model", state)

    @hook_config(can_jump_to=["end", "model", "tools"])
    def after_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        return self._jump("after_model", state)


def direct(stage: Stage, *names: str) -> list[Any]:
    return [
        tool.model_copy(update={"return_direct": True}) if tool.name in names else tool
        for tool in stage.tools
    ]


@scenario(
    "`return_direct`",
    "an action, with a gate",
    Claim.ONE_EFFECT,
    Claim.ASKED_ONCE,
    Claim.REJECTED,
    Claim.ANSWERED,
    Claim.NEXT,
)
def test_an_action_that_returns_directly(stage: Stage) -> None:
    tools = direct(stage, "world_put")
    agent = stage.agent([stage.rein(ASK).middleware()], puts("a", "b"), "hello", tools=tools)
    stage.run(agent)

    stage.resume(agent, APPROVE, REJECT)

    with stage.rein() as reader:
        assert [str(session.status) for session in reader.sessions(thread="t")] == ["completed"]
    stage.asked_once("a", "b")
    stage.one_effect("a")
    stage.rejected("b")
    stage.answered(agent)
    stage.next_message(agent)


@ORDERS
@scenario("`return_direct`", "a call that fails", Claim.ONE_EFFECT, Claim.UNWOUND, Claim.ANSWERED, Claim.NEXT)
def test_a_failure_that_returns_directly(stage: Stage, first: str) -> None:
    middleware = order(first, stage.rein().middleware(), Jumping("before_model", "end", 3))
    tools = direct(stage, "charge")
    agent = stage.agent(middleware, puts("a", "b"), turn(FAIL), "hello", tools=tools)

    stage.fails(agent)

    stage.one_effect("a", "b")
    stage.unwound(2)
    stage.answered(agent)
    stage.next_message(agent)


@ORDERS
@scenario(
    "`jump_to`",
    "`end`, before a failure is walked",
    Claim.ONE_EFFECT,
    Claim.UNWOUND,
    Claim.ANSWERED,
    Claim.NEXT,
)
def test_a_jump_over_the_walk(stage: Stage, first: str) -> None:
    middleware = order(first, stage.rein().middleware(), Jumping("before_model", "end", 3))
    agent = stage.agent(middleware, puts("a", "b"), turn(FAIL), "hello")

    stage.fails(agent)

    stage.one_effect("a", "b")
    stage.unwound(2)
    stage.answered(agent)
    stage.next_message(agent)


@ORDERS
@scenario(
    "`jump_to`",
    "`tools`, after a rejection",
    Claim.ONE_EFFECT,
    Claim.ASKED_ONCE,
    Claim.REJECTED,
)
def test_a_jump_to_the_tools(stage: Stage, first: str) -> None:
    middleware = order(first, stage.rein(ASK).middleware(), Jumping("before_model", "tools", 2))
    agent = stage.agent(middleware, puts("a", "b"), "done", "done")
    stage.run(agent)

    stage.resume(agent, APPROVE, REJECT)

    stage.asked_once("a", "b")
    stage.one_effect("a")
    stage.rejected("b")


@scenario(
    "`jump_to`",
    "`tools`, from an `after_model` over our gate",
    Claim.ONE_EFFECT,
    Claim.REJECTED,
    Claim.ANSWERED,
    Claim.NEXT,
    lacks={
        Claim.ASKED_ONCE: "Calls that go to the tools together share a task, in which LangGraph could hand the answer "
        "about one to another: they are refused, and the model is told. A single one is asked about by the executor."
    },
)
def test_a_jump_over_the_gate(stage: Stage) -> None:
    middleware = [stage.rein(ASK).middleware(), Jumping("after_model", "tools", 0)]
    agent = stage.agent(middleware, puts("a", "b"), "done", "hello")

    out = stage.run(agent)

    refusals = [message.text for message in out["messages"] if message.type == "tool"]
    stage.lacks(Claim.ASKED_ONCE, not stage.asked and all("nobody can be asked" in one for one in refusals))
    stage.one_effect()
    stage.rejected("a", "b")
    stage.answered(agent)
    stage.next_message(agent)


@scenario(
    "`jump_to`",
    "`tools`, from an `after_model` over our gate, a single call",
    Claim.ONE_EFFECT,
    Claim.ASKED_ONCE,
    Claim.RESUMES,
    Claim.ANSWERED,
)
def test_a_single_call_that_jumps_over_the_gate(stage: Stage) -> None:
    middleware = [stage.rein(ASK).middleware(), Jumping("after_model", "tools", 0)]
    agent = stage.agent(middleware, put("a"), "done")
    stage.run(agent)
    assert stage.world.events() == []

    stage.resumes(stage.resume(agent, APPROVE))

    stage.asked_once("a")
    stage.one_effect("a")
    stage.answered(agent)


def test_doubts_that_share_a_task_are_not_asked_about(stage: Stage) -> None:
    @reversible(undo=lambda action: None)
    def ring(bell: str) -> str:
        """Ring a bell."""
        stage.world.log("do", bell)
        raise TimeoutError("no answer, and it rang")

    again = ToolRetryMiddleware(max_retries=1, initial_delay=0.0, on_failure="error")
    middleware = [stage.rein().middleware(), Jumping("after_model", "tools", 0), again]
    agent = stage.agent(middleware, turn(("ring", {"bell": "a"}), ("ring", {"bell": "b"})), tools=[ring])

    with pytest.raises(InDoubt):
        stage.run(agent)

    assert stage.asked == [] and stage.world.count("do", "a") <= 1 and stage.world.count("do", "b") <= 1


@ORDERS
@scenario("`jump_to`", "`end`, from `after_model`", Claim.ONE_EFFECT, Claim.NEXT)
def test_a_jump_to_the_end_with_calls_open(stage: Stage, first: str) -> None:
    middleware = order(first, stage.rein().middleware(), Jumping("after_model", "end", 1))
    agent = stage.agent(middleware, put("a"), put("b"), "hello")

    out = stage.run(agent)

    assert isinstance(out["messages"][-1], AIMessage)
    stage.one_effect("a")
    stage.next_message(agent)
