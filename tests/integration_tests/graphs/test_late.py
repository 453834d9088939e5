"""Effects that land late: siblings, cancelled runs, time limits, drains, loops that close, Ctrl-C.

Whatever stops a run, what was under way is recorded; the rollback waits for it, then undoes it; and nothing lands
after the report.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
from typing import Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphDrained
from langgraph.graph import START, StateGraph
from langgraph.runtime import RunControl
from langgraph.types import TimeoutPolicy

from langchain_agentrein import AgentRein, ReversibleTool, SessionFailed, Status, reversible
from langchain_agentrein.graphs import add_compensation
from tests.support.agents import calls, script

ON: Any = {"configurable": {"thread_id": "1"}}
GO: Any = {"messages": "go"}
KINDS = pytest.mark.parametrize("kind", ["thread", "coroutine"])
LONG = 0.2
"""Seconds from the beginning of a slow effect to its landing."""


class Yard:
    """Where slow effects land, and what became of them."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.begun = threading.Event()

    async def under_way(self) -> None:
        while not self.begun.is_set():
            await asyncio.sleep(0.005)

    def slow(self, kind: str) -> ReversibleTool:
        """A tool that takes its time, in a thread or on the loop."""
        if kind == "thread":

            @reversible(undo=self.undo)
            def slow(name: str) -> str:
                """Land."""
                self.begun.set()
                time.sleep(LONG)
                self.log.append(f"do {name}")
                return name

        else:

            @reversible(undo=self.undo)
            async def slow(name: str) -> str:
                """Land."""
                self.begun.set()
                await asyncio.sleep(LONG)
                self.log.append(f"do {name}")
                return name

        assert isinstance(slow, ReversibleTool)
        return slow

    def undo(self, action: Any) -> None:
        self.log.append(f"undo {action.args['name']}")

    @property
    def fail(self) -> ReversibleTool:
        """A tool that fails while others are under way."""

        @reversible(undo=self.undo, not_done=(ValueError,))
        async def fail() -> str:
            """Fail."""
            await self.under_way()
            raise ValueError("broken")

        assert isinstance(fail, ReversibleTool)
        return fail


@pytest.fixture
def yard() -> Yard:
    return Yard()


def agent_of(rein: AgentRein, tools: list[Any], *turns: Any, before: tuple[Any, ...] = ()) -> Any:
    return create_agent(
        script(*turns), tools, middleware=[*before, rein.middleware()], checkpointer=InMemorySaver()
    )


class Branches(TypedDict):
    """A state without messages."""

    n: int


def branches(rein: AgentRein, *nodes: Any, **options: Any) -> Any:
    """A graph whose nodes run side by side, and which is walked back."""
    builder = StateGraph(Branches)
    for node in nodes:
        builder.add_node(node.__name__, node, **options)
        builder.add_edge(START, node.__name__)
    return add_compensation(builder, rein=rein).compile(checkpointer=InMemorySaver())


async def quiet(yard: Yard) -> list[str]:
    """What there is once nothing can land any more."""
    seen = list(yard.log)
    await asyncio.sleep(LONG + 0.1)
    assert yard.log == seen, "nothing lands after the report"
    return seen


async def rolled_back(rein: AgentRein, yard: Yard, *, thread: str | None = "1") -> None:
    """Roll back at once, while it may still be under way."""
    [action] = [one for one in rein.actions(**where(rein, thread)) if one.operation == "slow"]
    assert action.status in {Status.EXECUTING, Status.EXECUTED}, "recorded, whatever stopped the run"
    report = await rein.arollback(**where(rein, thread))
    assert report.complete, report
    assert await quiet(yard) == ["do a", "undo a"]


def where(rein: AgentRein, thread: str | None) -> dict[str, Any]:
    return {"thread": thread} if thread is not None else {"session": rein.sessions()[0].id}


SLOW = ("slow", {"name": "a"})


# -- a sibling fails -----------------------------------------------------------------------------


@KINDS
async def test_in_an_agent_a_sibling_ends_first(rein: AgentRein, yard: Yard, kind: str) -> None:
    agent = agent_of(rein, [yard.slow(kind), yard.fail], calls(SLOW, ("fail", {})))

    with pytest.raises(SessionFailed) as caught:
        await agent.ainvoke(GO, ON)

    assert caught.value.report is not None and caught.value.report.complete
    assert await quiet(yard) == ["do a", "undo a"]


class Breaks(AgentMiddleware[Any, Any, Any]):
    """Raises around ours, where ours cannot catch it: LangGraph cancels the siblings."""

    def __init__(self, yard: Yard) -> None:
        super().__init__()
        self.yard = yard

    async def awrap_tool_call(self, request: Any, handler: Any) -> Any:
        if request.tool_call["name"] == "fail":
            await self.yard.under_way()
            raise ValueError("broken outside")
        return await handler(request)


@KINDS
async def test_what_a_neighbours_error_cancels_is_recorded(rein: AgentRein, yard: Yard, kind: str) -> None:
    tools = [yard.slow(kind), yard.fail]
    agent = agent_of(rein, tools, calls(SLOW, ("fail", {})), before=(Breaks(yard),))

    with pytest.raises(ValueError, match="broken outside"):
        await agent.ainvoke(GO, ON)

    await rolled_back(rein, yard)


@KINDS
async def test_in_a_graph_the_walk_waits_for_the_other_branch(rein: AgentRein, yard: Yard, kind: str) -> None:
    [tool] = rein.tools(yard.slow(kind))

    async def slow(state: Branches) -> Any:
        await tool.ainvoke({"name": "a"})
        return {}

    def slow_in_thread(state: Branches) -> Any:
        tool.invoke({"name": "a"})
        return {}

    async def failing(state: Branches) -> Any:
        await yard.under_way()
        raise ValueError("broken")

    with pytest.raises(SessionFailed) as caught:
        await branches(rein, slow_in_thread if kind == "thread" else slow, failing).ainvoke({"n": 1}, ON)

    assert caught.value.report is not None and caught.value.report.complete
    assert await quiet(yard) == ["do a", "undo a"]


@KINDS
@pytest.mark.parametrize("together", ["gather", "task group"])
async def test_in_a_bare_session_the_walk_waits_for_what_was_started(
    rein: AgentRein, yard: Yard, kind: str, together: str
) -> None:
    slow, fail = rein.tools(yard.slow(kind), yard.fail)

    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(slow.ainvoke({"name": "a"}))
            tasks.create_task(fail.ainvoke({}))

    with pytest.raises((ValueError, ExceptionGroup)) as caught:
        async with rein.session(intent="land"):
            if together == "gather":
                await asyncio.gather(slow.ainvoke({"name": "a"}), fail.ainvoke({}))
            else:
                await group()

    assert "was rolled back" in caught.value.__notes__[0]
    assert await quiet(yard) == ["do a", "undo a"]


# -- the run is stopped from outside -------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("stop", ["cancel", "wait_for"])
async def test_a_cancelled_agent(rein: AgentRein, yard: Yard, kind: str, stop: str) -> None:
    agent = agent_of(rein, [yard.slow(kind)], calls(SLOW))

    if stop == "cancel":
        run = asyncio.create_task(agent.ainvoke(GO, ON))
        await yard.under_way()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    else:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(agent.ainvoke(GO, ON), LONG / 3 + 0.1)

    await rolled_back(rein, yard)


@KINDS
async def test_a_cancelled_bare_session_is_rolled_back(rein: AgentRein, yard: Yard, kind: str) -> None:
    [slow] = rein.tools(yard.slow(kind))

    async def work() -> None:
        async with rein.session(intent="land"):
            await slow.ainvoke({"name": "a"})

    run = asyncio.create_task(work())
    await yard.under_way()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert await quiet(yard) == ["do a", "undo a"]
    assert [str(session.status) for session in rein.sessions()] == ["rolled_back"]


@KINDS
async def test_a_nodes_time_limit(rein: AgentRein, yard: Yard, kind: str) -> None:
    [tool] = rein.tools(yard.slow(kind))

    async def slow(state: Branches) -> Any:
        await tool.ainvoke({"name": "a"})
        return {}

    graph = branches(rein, slow, timeout=TimeoutPolicy(run_timeout=LONG / 3))
    with pytest.raises(SessionFailed, match="Timeout") as caught:
        await graph.ainvoke({"n": 1}, ON)

    assert caught.value.report is not None and caught.value.report.complete
    assert await quiet(yard) == ["do a", "undo a"]


@KINDS
async def test_a_drain_lets_the_step_end_and_the_run_go_on_later(
    rein: AgentRein, yard: Yard, kind: str
) -> None:
    agent, control = agent_of(rein, [yard.slow(kind)], calls(SLOW), AIMessage("landed")), RunControl()

    run = asyncio.create_task(agent.ainvoke(GO, ON, control=control))
    await yard.under_way()
    control.request_drain()
    with pytest.raises(GraphDrained):
        await run
    assert [str(session.status) for session in rein.sessions()] == ["open"]

    out = await agent.ainvoke(None, ON)
    assert out["messages"][-1].text == "landed"
    assert yard.log == ["do a"]


async def test_a_drain_in_the_middle_of_a_walk_is_walked_on_later(rein: AgentRein, yard: Yard) -> None:
    control = RunControl()

    @reversible
    def land(name: str) -> str:
        """Land."""
        yard.log.append(f"do {name}")
        return name

    @land.undo
    def leave(action: Any) -> None:
        control.request_drain()
        yard.undo(action)

    yard.begun.set()
    turns = [calls(("land", {"name": name})) for name in "abc"]
    agent = agent_of(rein, [land, yard.fail], *turns, calls(("fail", {})), AIMessage("hello"))
    with pytest.raises(GraphDrained):
        await agent.ainvoke(GO, ON, control=control)
    assert yard.log == ["do a", "do b", "do c", "undo c"]

    with pytest.raises(SessionFailed) as caught:
        await agent.ainvoke(None, ON)

    assert caught.value.report is not None and caught.value.report.complete
    assert yard.log == ["do a", "do b", "do c", "undo c", "undo b", "undo a"]


@KINDS
def test_a_loop_that_ends_while_it_is_under_way(rein: AgentRein, yard: Yard, kind: str) -> None:
    """`asyncio.run` cancels every task that is left, ours too, and waits for threads alone."""
    agent = agent_of(rein, [yard.slow(kind)], calls(SLOW))

    async def leave() -> asyncio.Task[Any]:
        run = asyncio.create_task(agent.ainvoke(GO, ON))
        await yard.under_way()
        return run

    asyncio.run(leave())

    what_was_left(rein, yard, kind, thread="1")


# What is thrown away in its middle complains where nobody can hear it, LangChain's own parts as well as ours.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@KINDS
def test_a_loop_that_is_closed_while_it_is_under_way(rein: AgentRein, yard: Yard, kind: str) -> None:
    """A loop that is closed cancels nothing and waits for nobody."""
    [slow] = rein.tools(yard.slow(kind))
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # "Task was destroyed but it is pending"

    async def leave() -> asyncio.Task[Any]:
        run = asyncio.create_task(slow.ainvoke({"name": "a"}))
        await yard.under_way()
        return run

    left = loop.run_until_complete(leave())
    loop.close()
    del left, loop
    gc.collect()

    what_was_left(rein, yard, kind, session=rein.sessions()[0].id)


def what_was_left(rein: AgentRein, yard: Yard, kind: str, **where: str) -> None:
    """A thread lands and is waited for; a coroutine that ended in its middle is in doubt, and a person's."""
    report = rein.rollback(**where)
    [action] = rein.actions(**where)
    if kind == "thread":
        assert report.complete, report
        assert yard.log == ["do a", "undo a"]
    else:
        assert action.status is Status.IN_DOUBT
        assert yard.log == []


@pytest.mark.parametrize("place", ["agent", "session"])
def test_ctrl_c(rein: AgentRein, yard: Yard, place: str) -> None:
    tool = yard.slow("thread")

    def press() -> None:
        yard.begun.wait(10)
        os.kill(os.getpid(), signal.SIGINT)

    pressing = threading.Thread(target=press)
    pressing.start()
    with pytest.raises(KeyboardInterrupt):
        if place == "agent":
            agent_of(rein, [tool], calls(SLOW)).invoke(GO, ON)
        else:
            with rein.session(intent="land"):
                rein.tools(tool)[0].invoke({"name": "a"})
    pressing.join()

    [action] = rein.actions(session=rein.sessions()[0].id)
    if place == "agent":  # its tools run in threads, which nothing interrupts
        assert rein.rollback(thread="1").complete
        assert yard.log == ["do a", "undo a"]
    else:  # interrupted in its middle: it may have happened, and a person must look
        assert action.status is Status.IN_DOUBT
        assert str(rein.sessions()[0].status) == "stuck"
