"""A sibling fails while a slow effect is under way: it is waited for, then undone, and nothing lands later."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain.agents.middleware import AgentMiddleware

from langchain_agentrein import AgentRein, SessionFailed
from tests.support.agents import calls
from tests.support.yard import (
    GO,
    KINDS,
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
