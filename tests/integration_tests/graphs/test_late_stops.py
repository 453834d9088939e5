"""A run is stopped from outside while a slow effect is under way.

Cancelled, out of time, drained, its loop closed, Ctrl-C: what was under way is recorded; the rollback waits for
it, then undoes it; and nothing lands after the report.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.errors import GraphDrained
from langgraph.runtime import RunControl
from langgraph.types import TimeoutPolicy

from langchain_agentrein import AgentRein, SessionFailed, Status, reversible
from tests.support.agents import calls
from tests.support.yard import (
    GO,
    KINDS,
    LONG,
    ON,
    SLOW,
    Branches,
    Yard,
    agent_of,
    branches,
    quiet,
    rolled_back,
)


@pytest.fixture
def yard() -> Yard:
    return Yard()


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


@pytest.fixture
def heeded() -> Iterator[None]:
    """Ctrl-C is Python's own again: the processes that run tests side by side ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
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
