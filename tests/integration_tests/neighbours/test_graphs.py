"""Graphs of one's own, beside agents: `Send`, and the functional API."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt

from langchain_agentrein import AgentRein
from langchain_agentrein.graphs import add_compensation
from tests.integration_tests.neighbours.matrix import Claim, scenario
from tests.integration_tests.neighbours.stage import Stage


@pytest.fixture
def awaited() -> bool:
    """These graphs are driven by `invoke` alone: their nodes call tools by hand."""
    return False


class State(TypedDict, total=False):
    """What a fan-out collects."""

    things: list[str]
    done: Annotated[list[str], operator.add]


class Broken(Exception):
    """A branch failed."""


def fan_out(stage: Stage, rein: AgentRein, branch: Any, after: Any = None) -> Any:
    """A graph that sends each thing to a branch of its own."""
    builder = StateGraph(State)
    builder.add_node("branch", branch)
    builder.add_node("after", after or (lambda state: {}))
    builder.add_conditional_edges(
        START, lambda state: [Send("branch", {"thing": thing}) for thing in state["things"]], ["branch"]
    )
    builder.add_edge("branch", "after")
    return add_compensation(builder, rein=rein).compile(checkpointer=stage.saver)


def putting(stage: Stage, rein: AgentRein) -> Any:
    [put, *_] = rein.tools(*stage.tools)

    def branch(given: dict[str, Any]) -> dict[str, Any]:
        put.invoke({"thing": given["thing"], "fields": {"n": 1}})
        return {"done": [given["thing"]]}

    return branch


@scenario("`Send`", "a fan-out, an interrupt in the next step", Claim.ONE_EFFECT, Claim.RESUMES)
def test_a_fan_out_resumes(stage: Stage) -> None:
    rein = stage.rein()
    graph = fan_out(stage, rein, putting(stage, rein), lambda state: {"done": [str(interrupt("go on?"))]})
    out = graph.invoke({"things": ["a", "b", "c"]}, stage.config)
    assert "__interrupt__" in out

    out = graph.invoke(Command(resume="yes"), stage.config)

    stage.came_to(out["done"][-1], "yes")
    stage.one_effect("a", "b", "c")


@scenario("`Send`", "one branch pauses after its effect", Claim.ONE_EFFECT, Claim.NOT_REPEATED, Claim.RESUMES)
def test_a_branch_that_pauses(stage: Stage) -> None:
    rein = stage.rein()
    put = putting(stage, rein)

    def branch(given: dict[str, Any]) -> dict[str, Any]:
        done = put(given)
        if given["thing"] == "b":
            interrupt("sure?")
        return dict(done)

    graph = fan_out(stage, rein, branch)
    graph.invoke({"things": ["a", "b", "c"]}, stage.config)

    out = graph.invoke(Command(resume="yes"), stage.config)

    stage.came_to(sorted(out["done"]), ["a", "b", "c"])
    stage.not_repeated("b")
    stage.one_effect("a", "b", "c")


@scenario("`Send`", "one branch fails", Claim.ONE_EFFECT, Claim.UNWOUND)
def test_a_branch_that_fails(stage: Stage) -> None:
    rein = stage.rein()
    put = putting(stage, rein)

    def branch(given: dict[str, Any]) -> dict[str, Any]:
        done = put(given)
        if given["thing"] == "b":
            raise Broken("b")
        return dict(done)

    stage.fails(fan_out(stage, rein, branch), {"things": ["a", "b", "c"]})

    effects = {name for _, name in stage.world.events("do")}
    stage.one_effect(*effects)
    assert "b" in effects, "its siblings may be cancelled before they begin"
    stage.unwound(len(effects))


@scenario(
    "`Send`",
    "one branch fails while another pauses",
    Claim.ONE_EFFECT,
    Claim.UNWOUND,
    Claim.REJECTED,
    note="The session is frozen at once, and walked when the run is resumed.",
)
def test_a_branch_that_fails_beside_one_that_pauses(stage: Stage) -> None:
    rein = stage.rein()
    put = putting(stage, rein)

    def branch(given: dict[str, Any]) -> dict[str, Any]:
        done = put(given)
        if given["thing"] == "b":
            raise Broken("b is broken")
        interrupt("sure?")
        put({"thing": "late"})
        return dict(done)

    graph = fan_out(stage, rein, branch)
    graph.invoke({"things": ["a", "b"]}, stage.config)

    error = stage.fails(graph, Command(resume="yes"))

    assert error.error == {"type": "Broken", "message": "b is broken"}
    stage.one_effect("a", "b")
    stage.rejected("late")
    stage.unwound(2)


def workflow(stage: Stage, rein: AgentRein, *, fails: bool = False, pauses: bool = False) -> Any:
    [put, *_] = rein.tools(*stage.tools)

    @task
    def act(thing: str) -> str:
        put.invoke({"thing": thing, "fields": {"n": 1}})
        return thing

    @task
    def act_and_ask(thing: str) -> str:
        put.invoke({"thing": thing, "fields": {"n": 1}})
        return str(interrupt("go on?"))

    @entrypoint(checkpointer=stage.saver)
    def run(things: list[str]) -> list[str]:
        done = [act(thing).result() for thing in things]
        if pauses:
            done.append(act_and_ask("last").result())
        if fails:
            raise Broken("at the end")
        return done

    return run


FUNCTIONAL = "functional API"


@scenario(
    FUNCTIONAL, "a `@task` that pauses after its effect", Claim.ONE_EFFECT, Claim.NOT_REPEATED, Claim.RESUMES
)
@pytest.mark.filterwarnings("ignore:a reversible tool runs in a graph that nothing unwinds")
def test_a_workflow_resumes(stage: Stage) -> None:
    flow = workflow(stage, stage.rein(), pauses=True)
    flow.invoke(["a", "b"], stage.config)

    stage.came_to(flow.invoke(Command(resume="yes"), stage.config), ["a", "b", "yes"])

    stage.not_repeated("last")
    stage.one_effect("a", "b", "last")


@scenario(
    FUNCTIONAL,
    "the workflow fails",
    Claim.ONE_EFFECT,
    lacks={
        Claim.UNWOUND: "A workflow has no error handler to give ours to: nothing is undone by itself. `rein.rollback(thread=...)` does it; or run the workflow inside `with rein.session(...)`."
    },
)
@pytest.mark.filterwarnings("ignore:a reversible tool runs in a graph that nothing unwinds")
def test_a_workflow_that_fails(stage: Stage) -> None:
    with pytest.raises(Broken):
        workflow(stage, stage.rein(), fails=True).invoke(["a", "b"], stage.config)

    stage.one_effect("a", "b")
    stage.lacks(Claim.UNWOUND, not stage.world.count("undo"))
    stage.rein().rollback(thread="t", by="ana")
    assert stage.world.events("undo") == [("undo", "b"), ("undo", "a")]


@scenario(FUNCTIONAL, "the workflow fails, inside `with rein.session(...)`", Claim.ONE_EFFECT, Claim.UNWOUND)
def test_a_workflow_in_a_session(stage: Stage) -> None:
    rein = stage.rein()
    with pytest.raises(Broken), rein.session(intent="put", thread_id="t"):
        workflow(stage, rein, fails=True).invoke(["a", "b"], stage.config)
    stage.one_effect("a", "b")
    stage.unwound(2)
