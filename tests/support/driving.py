"""Short ways to drive the engine without LangChain."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from langchain_agentrein import AgentRein, Operation
from langchain_agentrein.action import Action, SessionRecord
from langchain_agentrein.engine import Call, Performed
from langchain_agentrein.flow import arun, run
from tests.support.world import World

SESSION = "ses_test"
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.support.driving"])


def call(session: str | SessionRecord = SESSION, key: str = "", **facts: Any) -> Call:
    """Who calls: session `session`, and the same call again wherever `key` is the same."""
    record = SessionRecord(id=session, thread_id="thread") if isinstance(session, str) else session
    return Call(session=record, key=key, thread_id=record.thread_id, **facts)


def do(
    rein: AgentRein, op: Operation, api: Any, session: str | SessionRecord = SESSION, **facts: Any
) -> Action:
    """Perform one action; the action as it is recorded."""
    return performed(rein, op, api, session, **facts).action


def performed(
    rein: AgentRein, op: Operation, api: Any, session: str | SessionRecord = SESSION, **facts: Any
) -> Performed:
    """Perform one action."""
    return run(rein.perform(op, api, call(session, **facts)))


async def ado(
    rein: AgentRein,
    op: Operation,
    api: Any,
    session: str | SessionRecord = SESSION,
    *,
    threaded: bool = False,
    settle_timeout: float = 30.0,
    **facts: Any,
) -> Action:
    """Perform one action from an event loop."""
    flow = rein.perform(op, api, call(session, **facts))
    return (await arun(flow, threaded=threaded, settle_timeout=settle_timeout)).action


def opened(url: str | Engine, world: World | None = None, **options: Any) -> AgentRein:
    """An `AgentRein` that waits for nobody longer than a test should."""
    settings: dict[str, Any] = {"backoff": 0.01, "drain_timeout": 5.0, "lease": 5.0, **options}
    if world is not None:
        settings.setdefault("clients", {"world": world})
    return AgentRein(url, **settings)


class Elsewhere:
    """A process of its own that runs `function(*args)`, a module's function."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.process = PROCESSES.Process(target=function, args=args)
        self.process.start()

    def ended(self, timeout: float = 60.0) -> int:
        """Wait for its end; its exit code, -9 if it was killed."""
        self.process.join(timeout)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
            raise AssertionError("the process did not end")
        code = self.process.exitcode
        assert code is not None
        return code

    def kill(self) -> None:
        """Pull the plug."""
        self.process.kill()
        self.process.join()


def act(
    url: str, path: Path, ops: list[tuple[type[Operation], dict[str, Any], str]], options: dict[str, Any]
) -> None:
    """In a process of its own: perform operations, one after the other."""
    world = World(path)
    with opened(url, world, **options) as rein:
        for cls, args, key in ops:
            do(rein, cls.from_args(args), world, key=key)


def roll_back(url: str, path: Path, options: dict[str, Any]) -> None:
    """In a process of its own: roll the session back."""
    world = World(path)
    with opened(url, world, **options) as rein:
        rein.rollback(session=SESSION)


def recover(url: str, path: Path, options: dict[str, Any]) -> None:
    """In a process of its own: recover."""
    world = World(path)
    with opened(url, world, **options) as rein:
        rein.recover()
