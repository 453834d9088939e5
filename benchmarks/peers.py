"""The neighbours, each used as its own documentation says; what each keeps stands beside its time."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.floor import Floor
from benchmarks.harness import Row, interleaved, ms, times
from benchmarks.subject import VALUE, folder, sqlite_engine, subject

GROUP = "The neighbours: one call, SQLite or file beside ours on `synchronous=FULL`"


def rows(rounds: int) -> Iterator[Row]:
    """Each peer that is installed, against the floor and ours in the same run."""
    for package, module, opened, keeps in PEERS:
        if importlib.util.find_spec(module) is None:
            continue
        with folder() as here, opened(here) as call:
            engine, by_hand = (sqlite_engine(here / "journal.db") for _ in range(2))
            with subject(engine) as ours:
                cases = {"ours": ours.call, "floor": Floor(by_hand).call, "peer": call}
                measured = interleaved(cases, rounds=rounds)
            engine.dispose()
            by_hand.dispose()
        yield Row(
            GROUP,
            f"{package} {version(package)}",
            ms(measured.median("ours")),
            ms(measured.median("peer")),
            f"ours {times(measured.ratio('ours', 'floor'))}, it {times(measured.ratio('peer', 'floor'))} of the floor",
            note=f"it keeps {keeps}",
        )


@contextmanager
def _airlock(here: Path) -> Iterator[Callable[[int], Any]]:
    import airlock
    from airlock import Decision, Effect, Policy, Reversibility, Rule

    world: dict[str, Any] = {}

    @airlock.guard(
        "bench.put", reversibility=Reversibility.REVERSIBLE, effect=Effect(key_param="idempotency_key")
    )
    def put(key: str, value: str, *, idempotency_key: str | None = None) -> dict[str, Any]:
        world[key] = value
        return {"key": key}

    app = airlock.init(
        store=f"sqlite:///{here / 'airlock.db'}",
        policy=Policy(rules=[Rule(match="bench.*", decision=Decision.AUTO)]),
    )
    try:
        yield lambda n: put(f"key {n}", VALUE)
    finally:
        app.store.close()


@contextmanager
def _agent_saga(here: Path) -> Iterator[Callable[[int], Any]]:
    from agent_saga import SagaContext
    from agent_saga.registry import compensator
    from agent_saga.semantics import ActionSemantics, Compensation
    from agent_saga.wal.file_wal import FileWAL

    logging.getLogger("agent_saga").setLevel(logging.ERROR)
    world: dict[str, Any] = {}

    def put(key: str, value: str) -> dict[str, Any]:
        world[key] = value
        return {"key": key}

    @compensator(f"bench.remove.{here.name}")
    def remove(key: str, **_: Any) -> None:
        world.pop(key, None)

    def undo(result: Any) -> Compensation:
        return Compensation(fn=remove, kwargs={"key": result["key"]}, handler=f"bench.remove.{here.name}")

    runner = asyncio.Runner()
    wal = FileWAL(here / "saga.wal")
    saga = SagaContext(wal=wal)

    async def open_saga() -> None:
        await wal.start()
        await saga.begin()

    async def close_saga() -> None:
        await saga.finish()
        await wal.close()

    def call(n: int) -> None:
        args = {"key": f"key {n}", "value": VALUE}
        runner.run(saga.execute("bench.put", ActionSemantics.COMPENSABLE, put, args, undo))

    runner.run(open_saga())
    try:
        yield call
    finally:
        runner.run(close_saga())
        runner.close()


@contextmanager
def _langchain_compensation(_here: Path) -> Iterator[Callable[[int], Any]]:
    from langchain.agents.middleware.types import ToolCallRequest
    from langchain_compensation.middleware import CompensationMiddleware
    from langchain_core.messages import ToolMessage
    from langchain_core.tools import tool

    world: dict[str, Any] = {}

    @tool
    def put(key: str, value: str) -> dict[str, Any]:
        """Set a key."""
        world[key] = value
        return {"booking_id": key}

    @tool
    def remove(booking_id: str) -> None:
        """Remove a key."""
        world.pop(booking_id, None)

    middleware = CompensationMiddleware(compensation_mapping={"put": "remove"}, tools=[put, remove])
    state: dict[str, Any] = {"messages": []}

    def handler(request: ToolCallRequest) -> Any:
        return ToolMessage(str(put.func(**request.tool_call["args"])), tool_call_id=request.tool_call["id"])

    def call(n: int) -> None:
        args = {"key": f"key {n}", "value": VALUE}
        wanted = {"name": "put", "args": args, "id": f"call_{n}", "type": "tool_call"}
        middleware.wrap_tool_call(ToolCallRequest(wanted, put, state, None), handler)

    yield call


PEERS = (
    (
        "airlock-sdk",
        "airlock",
        _airlock,
        "claim and result in SQLite, `synchronous=NORMAL` by its own choice, and a hash chain; no snapshot, no undo",
    ),
    (
        "agent-saga",
        "agent_saga",
        _agent_saga,
        "intent and compensation, synced to a file, and a hash chain; no snapshot, no look at what it left",
    ),
    (
        "langchain-compensation",
        "langchain_compensation",
        _langchain_compensation,
        "memory alone: nothing survives the process; no snapshot",
    ),
)
"""Package, module, how to use it, and what it keeps."""
