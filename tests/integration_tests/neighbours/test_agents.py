"""Agents that call agents: deepagents' subagents, and a supervisor whose tools are agents."""

from __future__ import annotations

from typing import Any

import pytest
from deepagents import create_deep_agent
from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.types import Command

from langchain_agentrein import AgentRein, reversible
from tests.integration_tests.neighbours.matrix import Claim, scenario
from tests.integration_tests.neighbours.stage import APPROVE, ASK, FAIL, REJECT, Stage, put, puts, turn
from tests.support.agents import script

DEEP, SUPERVISOR = "`deepagents`", "a supervisor with agents as tools"
HOLDS = (Claim.ONE_EFFECT, Claim.UNWOUND, Claim.ANSWERED, Claim.NEXT)


def deep(stage: Stage, rein: AgentRein, inner: Any, *turns: Any, bound: bool = True, **options: Any) -> Any:
    tools = rein.tools(*stage.tools) if bound else stage.tools
    worker = {
        "name": "worker",
        "description": "Puts things",
        "system_prompt": "Put.",
        "tools": options.pop("inner_tools", tools),
        "model": inner,
        **options.pop("worker", {}),
    }
    return create_deep_agent(
        model=script(*turns),
        tools=tools,
        middleware=[rein.middleware()],
        subagents=[worker],
        checkpointer=stage.saver,
        **options,
    )


def task(text: str) -> Any:
    return ("task", {"description": text, "subagent_type": "worker"})


@scenario(DEEP, "a subagent with tools bound by `rein.tools`", *HOLDS)
def test_a_subagents_actions_are_unwound(stage: Stage) -> None:
    inner = script(puts("b", "c"), "put")
    agent = deep(stage, stage.rein(), inner, put("a"), turn(task("put b and c")), turn(FAIL), "hello")

    stage.fails(agent)

    stage.one_effect("a", "b", "c")
    stage.unwound(3)
    stage.answered(agent)
    stage.next_message(agent)


@scenario(DEEP, "a call that fails inside a subagent", *HOLDS)
def test_a_failing_subagent(stage: Stage) -> None:
    inner = script(put("b"), turn(FAIL))
    agent = deep(stage, stage.rein(), inner, put("a"), turn(task("put b")), "hello")

    stage.fails(agent)

    stage.one_effect("a", "b")
    stage.unwound(2)
    stage.answered(agent)
    stage.next_message(agent)


@scenario(
    DEEP,
    "a subagent's call is asked about",
    Claim.ONE_EFFECT,
    Claim.ASKED_ONCE,
    Claim.REJECTED,
    Claim.RESUMES,
    Claim.ANSWERED,
    Claim.NEXT,
    note="Subagents inherit no middleware: the middleware of the outer agent asks, as each call starts.",
)
def test_a_subagents_call_is_asked_about(stage: Stage) -> None:
    inner = script(put("a"), put("b"), "put")
    agent = deep(stage, stage.rein(ASK), inner, turn(task("put a and b")), "done", "hello")
    stage.run(agent)
    stage.resume(agent, APPROVE)

    stage.resumes(stage.resume(agent, REJECT))

    stage.asked_once("a", "b")
    stage.one_effect("a")
    stage.rejected("b")
    stage.answered(agent)
    stage.next_message(agent)


@scenario(
    DEEP,
    "`interrupt_on=`",
    Claim.ONE_EFFECT,
    Claim.ASKED_ONCE,
    Claim.REJECTED,
    Claim.RESUMES,
    Claim.ANSWERED,
    Claim.NEXT,
)
def test_its_own_gate(stage: Stage) -> None:
    agent = deep(
        stage, stage.rein(ASK), script(), puts("a", "b"), "done", "hello", interrupt_on={"world_put": True}
    )
    stage.run(agent)

    stage.resumes(stage.resume(agent, APPROVE, REJECT))

    stage.asked_once("a", "b")
    stage.one_effect("a")
    stage.rejected("b")
    stage.answered(agent)
    stage.next_message(agent)


@scenario(
    DEEP,
    "`interrupt_on=`, inherited by a subagent",
    Claim.ONE_EFFECT,
    Claim.RESUMES,
    Claim.ANSWERED,
    lacks={
        Claim.ASKED_ONCE: "A call of a subagent that both gate is asked about twice: its `HumanInTheLoopMiddleware` has "
        "none of ours beside it. Give the subagent our middleware too, or leave the gating to the rules."
    },
)
def test_a_gate_that_a_subagent_inherits(stage: Stage) -> None:
    inner = script(put("a"), "put")
    turns = turn(task("put a")), "done"
    agent = deep(stage, stage.rein(ASK), inner, *turns, interrupt_on={"world_put": True})
    stage.run(agent)
    stage.resume(agent, APPROVE)

    stage.resumes(stage.resume(agent, APPROVE))

    stage.lacks(Claim.ASKED_ONCE, stage.asked == [("world_put", "a")] * 2)
    stage.one_effect("a")
    stage.answered(agent)


@scenario(
    DEEP,
    "`interrupt_on=`, inherited by a subagent that has our middleware",
    Claim.ONE_EFFECT,
    Claim.ASKED_ONCE,
    Claim.REJECTED,
    Claim.RESUMES,
    Claim.ANSWERED,
)
def test_a_subagent_with_our_middleware(stage: Stage) -> None:
    rein = stage.rein(ASK)
    inner = script(puts("a", "b"), "put")
    extra = {"middleware": [rein.middleware()]}
    turns = turn(task("put a and b")), "done"
    agent = deep(stage, rein, inner, *turns, worker=extra, interrupt_on={"world_put": True})
    stage.run(agent)

    stage.resumes(stage.resume(agent, APPROVE, REJECT))

    stage.asked_once("a", "b")
    stage.one_effect("a")
    stage.rejected("b")
    stage.answered(agent)


@scenario(
    DEEP,
    "a subagent with a plain tool",
    Claim.NEXT,
    lacks={
        Claim.UNWOUND: "A plain tool of a subagent is not journaled: subagents inherit no middleware. Bind their tools with `rein.tools(...)`.",
        Claim.REJECTED: "Nor does anybody ask about it.",
    },
)
def test_a_plain_tool_of_a_subagent(stage: Stage) -> None:
    @tool
    def launch(rocket: str) -> str:
        """Launch a rocket."""
        stage.world.log("do", rocket)
        return "gone"

    inner = script(turn(("launch", {"rocket": "v2"})), "gone")
    agent = deep(stage, stage.rein(), inner, turn(task("launch")), turn(FAIL), "hello", inner_tools=[launch])

    stage.fails(agent)

    stage.lacks(Claim.UNWOUND, stage.world.events() == [("do", "v2")])
    stage.lacks(Claim.REJECTED, not stage.asked)
    stage.next_message(agent)


def supervisor(stage: Stage, rein: AgentRein, inner: Any, *turns: Any, middleware: bool = True) -> Any:
    """An agent with an agent as a tool, which has our middleware itself or only tools that are bound."""
    worker = create_agent(
        inner,
        stage.tools if middleware else rein.tools(*stage.tools),
        middleware=[rein.middleware()] if middleware else [],
    )

    @reversible(read_only=True)
    def delegate(job: str) -> str:
        """Hand a job to the worker."""
        return str(worker.invoke({"messages": job})["messages"][-1].text)

    @reversible(read_only=True)
    async def adelegate(job: str) -> str:
        """Hand a job to the worker."""
        return str((await worker.ainvoke({"messages": job}))["messages"][-1].text)

    handing = adelegate if stage.awaited else delegate
    handing.name = "delegate"
    return stage.agent([rein.middleware()], *turns, tools=[handing, *stage.tools])


KINDS = pytest.mark.parametrize("middleware", [True, False], ids=["middleware", "bound"])
JOB = ("delegate", {"job": "put"})


@KINDS
@scenario(SUPERVISOR, "each with our middleware, or with tools that are bound", *HOLDS)
def test_a_workers_actions_are_unwound(stage: Stage, middleware: bool) -> None:
    inner = script(puts("b", "c"), "put")
    agent = supervisor(
        stage, stage.rein(), inner, put("a"), turn(JOB), turn(FAIL), "hello", middleware=middleware
    )
    stage.fails(agent)
    stage.one_effect("a", "b", "c")
    stage.unwound(3)
    with stage.rein() as reader:
        assert len(reader.sessions(thread="t")) == 1
    stage.answered(agent)
    stage.next_message(agent)


@KINDS
@scenario(SUPERVISOR, "a worker fails", *HOLDS)
def test_a_failing_worker(stage: Stage, middleware: bool) -> None:
    inner = script(put("b"), turn(FAIL))
    agent = supervisor(stage, stage.rein(), inner, put("a"), turn(JOB), "hello", middleware=middleware)

    stage.fails(agent)

    stage.one_effect("a", "b")
    stage.unwound(2)
    stage.answered(agent)
    stage.next_message(agent)


@KINDS
@scenario(
    SUPERVISOR,
    "a worker's call is asked about",
    Claim.ONE_EFFECT,
    Claim.ASKED_ONCE,
    Claim.RESUMES,
    Claim.ANSWERED,
    note="On resume the worker runs again from its beginning. Here its model repeats its message, ids and all; what a "
    "model says anew is a new call.",
)
def test_a_workers_call_is_asked_about(stage: Stage, middleware: bool) -> None:
    call = put("a").model_copy(update={"id": "msg_inner"})
    inner = script(*[lambda messages: call if messages[-1].type == "human" else turn(text="put")] * 6)
    agent = supervisor(stage, stage.rein(ASK), inner, turn(JOB), "done", middleware=middleware)
    out = stage.run(agent)
    assert "__interrupt__" in out

    stage.resumes(stage.run(agent, Command(resume={"decisions": [APPROVE]})))

    stage.asked_once("a")
    stage.one_effect("a")
    stage.answered(agent)
