"""What a step of a `create_agent` agent takes longer when its tool is reversible."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver

from benchmarks.harness import Row, Size, interleaved, ms, percent
from benchmarks.subject import VALUE, folder
from langchain_agentrein import Action, AgentRein, Reversal, Risk, reversible
from tests.support.models import says, scripted_model

GROUP = 'One step of an agent: `create_agent`, `SqliteSaver`, `durability="sync"`'
CALLS = {"tiny": 1, "usual": 20, "long": 50}
"""Model turns of one run, one tool call each."""
ROUNDS = {"tiny": 1, "usual": 15, "long": 40}
GOALS = {0.0: 0.15, 0.05: 0.03}
"""Share of the plain step that ours may add, by the tool's latency in seconds."""

WORLD: dict[str, Any] = {}
LATENCY = {"seconds": 0.0}


def put(key: str, value: str) -> dict[str, Any]:
    """Set a key."""
    if LATENCY["seconds"]:
        time.sleep(LATENCY["seconds"])
    WORLD[key] = value
    return {"key": key}


def look(key: str, **_: Any) -> Any:
    return {"value": WORLD.get(key)}


def look_again(action: Action) -> Any:
    return look(**action.args)


def undo(action: Action) -> None:
    WORLD[action.args["key"]] = action.before["value"]


reversible_put = reversible(
    put, undo=undo, snapshot=look, observe=look_again, risk=Risk.LOW, reversal=Reversal.EXACT
)


def rows(size: Size) -> Iterator[Row]:
    """A tool that takes no time, and one that takes 50 ms."""
    for latency, goal in GOALS.items():
        LATENCY["seconds"] = latency
        rounds = ROUNDS[size] if not latency else max(1, ROUNDS[size] // 3)
        with (
            folder() as here,
            _plain(here / "plain.db") as plain,
            _plain(here / "hooks.db", Hooks()) as hooks,
            _ours(here) as ours,
        ):
            count = CALLS[size]
            cases = {"plain": _runs(plain, count), "hooks": _runs(hooks, count), "ours": _runs(ours, count)}
            measured = interleaved(cases, rounds=rounds, warmup=1 if size != "tiny" else 0)
        added = measured.ratio("ours", "plain") - 1
        yield Row(
            GROUP,
            f"a tool that takes {latency * 1000:.0f} ms",
            ms(measured.median("ours") / count),
            ms(measured.median("plain") / count),
            percent(added),
            f"under {goal:.0%} more",
            added < goal,
            f"adds {ms((measured.median('ours') - measured.median('plain')) / count)} a step",
        )
        yield Row(
            GROUP,
            f"a tool that takes {latency * 1000:.0f} ms, against an empty middleware with our hooks",
            ms(measured.median("ours") / count),
            ms(measured.median("hooks") / count),
            percent(measured.ratio("ours", "hooks") - 1),
            note=f"the empty middleware itself: {percent(measured.ratio('hooks', 'plain') - 1)}",
        )


def _runs(agent_of: Callable[[Any], Any], count: int) -> Callable[[int], None]:
    def once(n: int) -> None:
        turns = [says("I set it.", ("put", {"key": f"key {turn}", "value": VALUE})) for turn in range(count)]
        config = {"configurable": {"thread_id": f"thread {n}"}, "recursion_limit": 10_000}
        agent = agent_of(scripted_model(*turns, "Done."))
        agent.invoke({"messages": [("user", "Set the keys")]}, config, durability="sync")

    return once


@contextmanager
def _saver(file: Path) -> Iterator[SqliteSaver]:
    connection = sqlite3.connect(file, check_same_thread=False)
    try:
        yield SqliteSaver(connection)
    finally:
        connection.close()


class Hooks(AgentMiddleware[Any, Any, Any]):
    """Does nothing where ours does something: LangGraph makes a node, and a checkpoint, of each of the four."""

    def before_agent(self, state: Any, runtime: Any) -> None:
        return None

    def before_model(self, state: Any, runtime: Any) -> None:
        return None

    def after_model(self, state: Any, runtime: Any) -> None:
        return None

    def after_agent(self, state: Any, runtime: Any) -> None:
        return None


@contextmanager
def _plain(file: Path, *middleware: AgentMiddleware[Any, Any, Any]) -> Iterator[Callable[[Any], Any]]:
    with _saver(file) as saver:
        yield lambda model: create_agent(model, [tool(put)], middleware=middleware, checkpointer=saver)


@contextmanager
def _ours(here: Path) -> Iterator[Callable[[Any], Any]]:
    with _saver(here / "ours.db") as saver, AgentRein(f"sqlite:///{here / 'journal.db'}") as rein:
        middleware = rein.middleware()
        yield lambda model: create_agent(model, [reversible_put], middleware=[middleware], checkpointer=saver)
