"""Awaited tools never block the loop, in agents and alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster, BlockingError, blockbuster_ctx
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver

from langchain_agentrein import AgentRein, ReversibleTool, Status, reversible
from tests.support.models import says, scripted_model
from tests.unit_tests.test_tool import Put, Shelf, nothing


@pytest.fixture
def rein(tmp_path: Path) -> Iterator[AgentRein]:
    with AgentRein(f"sqlite:///{tmp_path}/journal.db", backoff=0.01) as rein:
        rein.unwinds = True
        yield rein


@pytest.fixture
def watched() -> Iterator[BlockBuster]:
    """Raises `BlockingError` for whatever our code does that blocks the loop."""
    with blockbuster_ctx("langchain_agentrein") as watch:
        yield watch


def sync_tool() -> ReversibleTool:
    @reversible(
        undo=nothing, snapshot=lambda **args: time.sleep(0.01), observe=lambda action: time.sleep(0.01)
    )
    def act(n: int) -> int:
        """Act."""
        time.sleep(0.01)
        return n

    assert isinstance(act, ReversibleTool)
    return act


def async_tool() -> ReversibleTool:
    @reversible(undo=nothing, snapshot=lambda **args: time.sleep(0.01))
    async def act(n: int) -> int:
        """Act."""
        await asyncio.sleep(0.01)
        return n

    assert isinstance(act, ReversibleTool)
    return act


async def test_the_watch_would_see_it(rein: AgentRein, watched: BlockBuster) -> None:
    with pytest.raises(BlockingError):
        sync_tool().bound(rein).invoke({"n": 1})


@pytest.mark.parametrize("make", [sync_tool, async_tool])
async def test_a_tool_alone(rein: AgentRein, watched: BlockBuster, make: Any) -> None:
    assert await make().bound(rein).ainvoke({"n": 1}) == 1


async def test_an_operation(rein: AgentRein, watched: BlockBuster) -> None:
    put = ReversibleTool.of_operation(Put, Shelf()).bound(rein)
    assert await put.ainvoke({"item": "cup"}) == {"item": "cup"}


@pytest.mark.parametrize("make", [sync_tool, async_tool])
@pytest.mark.parametrize("middleware", [True, False])
async def test_an_agent(rein: AgentRein, watched: BlockBuster, make: Any, middleware: bool) -> None:
    agent = create_agent(
        scripted_model(says("", ("act", {"n": 1}), ("act", {"n": 2})), says("done")),
        rein.tools(make()),
        middleware=[rein.middleware()] if middleware else [],
        checkpointer=InMemorySaver(),
    )
    result = await agent.ainvoke({"messages": [("user", "do it")]}, {"configurable": {"thread_id": "t"}})
    assert [one.content for one in result["messages"][2:4]] == ["1", "2"]


async def test_the_loop_goes_on_while_a_sync_tool_runs(rein: AgentRein) -> None:
    @reversible(undo=nothing)
    def slow(n: int) -> int:
        """Take a while."""
        time.sleep(0.3)
        return n

    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.ensure_future(tick())
    await slow.bound(rein).ainvoke({"n": 1})
    ticking.cancel()
    assert ticks > 5


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_siblings_that_langgraph_cancels_keep_their_receipts(rein: AgentRein, kind: str) -> None:
    """One of two parallel tools raises, without our middleware: the other is cancelled in its middle."""
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    ran: list[int] = []

    if kind == "sync":

        @reversible(undo=nothing)
        def act(n: int) -> int:
            """Act."""
            loop.call_soon_threadsafe(begun.set)
            time.sleep(0.2)
            ran.append(n)
            return n

    else:

        @reversible(undo=nothing)
        async def act(n: int) -> int:
            """Act."""
            begun.set()
            await asyncio.sleep(0.2)
            ran.append(n)
            return n

    @reversible(undo=nothing, not_done=(ValueError,))
    async def fail() -> str:
        """Fail."""
        await begun.wait()
        raise ValueError("broken")

    agent = create_agent(
        scripted_model(says("", ("act", {"n": 1}), ("fail", {}))),
        rein.tools(act, fail),
        checkpointer=InMemorySaver(),
    )
    with pytest.raises(ValueError, match="broken"):
        await agent.ainvoke({"messages": [("user", "do it")]}, {"configurable": {"thread_id": "t"}})
    for _ in range(100):
        states = {action.operation: action.status for action in rein.actions(thread="t")}
        if states["act"] is not Status.EXECUTING:
            break
        await asyncio.sleep(0.05)
    assert states == {"act": Status.EXECUTED, "fail": Status.FAILED}
    assert ran == [1]
