"""A yard where slow effects land, and the agents and graphs that have them."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any, TypedDict

import pytest
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph

from langchain_agentrein import AgentRein, ReversibleTool, Status, reversible
from langchain_agentrein.graphs import add_compensation
from tests.support.agents import script

ON: Any = {"configurable": {"thread_id": "1"}}
GO: Any = {"messages": "go"}
KINDS = pytest.mark.parametrize("kind", ["thread", "coroutine"])
LONG = 0.5
"""Seconds from the beginning of a slow effect to its landing."""


class Yard:
    """Where slow effects land, and what became of them."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.begun = threading.Event()

    async def under_way(self) -> None:
        await asyncio.to_thread(self.begun.wait, 10)

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
