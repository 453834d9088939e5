"""A run that is cancelled while its session is walked back: the next message finds the walk finished."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver

from langchain_agentrein import AgentRein, reversible
from tests.support.agents import Hotel, calls, script

ON: Any = {"configurable": {"thread_id": "1"}}


async def test_a_walk_that_was_cut_short_is_finished_before_the_next_turn(
    rein: AgentRein, hotel: Hotel
) -> None:
    log: list[str] = []
    undoing = asyncio.Event()

    @reversible
    async def sign(name: str) -> str:
        """Sign a contract."""
        log.append(f"sign {name}")
        return name

    @sign.undo
    async def cancel(action: Any) -> None:
        undoing.set()
        await asyncio.sleep(0.05)
        log.append(f"cancel {action.args['name']}")

    agent: Any = create_agent(
        script(
            calls(("sign", {"name": "a"})),
            calls(("sign", {"name": "b"})),
            calls(("charge", {"amount": 1})),
            calls(("sign", {"name": "c"})),
            AIMessage("signed"),
        ),
        [sign, hotel.charge],
        middleware=[rein.middleware()],
        checkpointer=InMemorySaver(),
    )
    run = asyncio.create_task(agent.ainvoke({"messages": "sign a and b"}, ON))
    await undoing.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert log == ["sign a", "sign b", "cancel b"], "what had begun is settled, and no further undo begins"

    await agent.ainvoke({"messages": "now sign c"}, ON)

    assert log == ["sign a", "sign b", "cancel b", "cancel a", "sign c"]
    assert [str(session.status) for session in rein.sessions(thread="1")] == ["completed", "rolled_back"]
