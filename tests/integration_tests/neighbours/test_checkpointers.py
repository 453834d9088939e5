"""Checkpointers and durabilities, driven by `invoke` and `ainvoke`, and with processes that are killed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command

from langchain_agentrein import AgentRein, SessionFailed
from tests.integration_tests.graphs.test_crash import Crashing
from tests.integration_tests.neighbours.matrix import Claim, scenario
from tests.integration_tests.neighbours.stage import APPROVE, ASK, FAIL, REJECT, Stage, puts, turn

DURABILITIES = pytest.mark.parametrize("durability", ["sync", "async", "exit"])
ALL = (
    Claim.ONE_EFFECT,
    Claim.ASKED_ONCE,
    Claim.REJECTED,
    Claim.UNWOUND,
    Claim.ANSWERED,
    Claim.NEXT,
)
GO: Any = {"messages": [("user", "put things")]}
TURNS = (puts("a", "b", "c"), turn(FAIL), "hello")
RESUME: Any = Command(resume={"decisions": [APPROVE, APPROVE, REJECT]})


@pytest.fixture
def awaited() -> bool:
    return False


@contextmanager
def opened(kind: str, stage: Stage, uri: str) -> Iterator[Any]:
    if kind == "memory":
        yield stage.saver
    elif kind == "sqlite":
        with SqliteSaver.from_conn_string(f"{stage.path}/checkpoints.db") as saver:
            yield saver
    else:
        with PostgresSaver.from_conn_string(uri) as saver:
            saver.setup()
            yield saver


@asynccontextmanager
async def aopened(kind: str, path: Path, uri: str) -> AsyncIterator[Any]:
    if kind == "memory":
        yield InMemorySaver()
    elif kind == "sqlite":
        async with AsyncSqliteSaver.from_conn_string(f"{path}/checkpoints.db") as saver:
            yield saver
    else:
        async with AsyncPostgresSaver.from_conn_string(uri) as saver:
            await saver.setup()
            yield saver


@pytest.fixture
def uri(request: pytest.FixtureRequest, kind: str) -> str:
    if kind != "postgres":
        return ""
    url: str = request.getfixturevalue("postgres_database")
    return url.replace("+psycopg", "")


@DURABILITIES
@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
@scenario("checkpointers", "memory, SQLite, PostgreSQL; `durability` `sync`, `async`, `exit`; `invoke`", *ALL)
def test_every_checkpointer(stage: Stage, kind: str, uri: str, durability: Any) -> None:
    def anew(saver: Any, *turns: Any) -> Any:
        """The agent as the next process builds it."""
        return stage.agent([stage.rein(ASK).middleware()], *turns, checkpointer=saver)

    with opened(kind, stage, uri) as saver:
        stage.run(anew(saver, *TURNS[:1]), GO, durability=durability)
    with opened(kind, stage, uri) as saver:
        agent = anew(saver, *TURNS[1:])
        stage.fails(agent, RESUME, durability=durability)
        stage.answered(agent)
        stage.next_message(agent)
    stage.asked_once("a", "b", "c")
    stage.one_effect("a", "b")
    stage.rejected("c")
    stage.unwound(2)


@DURABILITIES
@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
@scenario(
    "checkpointers", "memory, SQLite, PostgreSQL; `durability` `sync`, `async`, `exit`; `ainvoke`", *ALL
)
async def test_every_checkpointer_async(stage: Stage, kind: str, uri: str, durability: Any) -> None:
    async with aopened(kind, stage.path, uri) as saver:
        agent = stage.agent([stage.rein(ASK).middleware()], *TURNS, checkpointer=saver)
        stage.saw(await agent.ainvoke(GO, stage.config, durability=durability))
        with pytest.raises(SessionFailed):
            await agent.ainvoke(RESUME, stage.config, durability=durability)
        stage.answered(list((await agent.aget_state(stage.config)).values["messages"]))
        stage.next_message(await agent.ainvoke({"messages": "hi"}, stage.config, durability=durability))
    stage.asked_once("a", "b", "c")
    stage.one_effect("a", "b")
    stage.rejected("c")
    stage.unwound(2)


KILLED = "a process is killed"


def booked_once(stage: Stage, agent: Crashing) -> None:
    """What the killed process did is there once."""
    assert agent.world.count("book a") == 1
    stage.proven.update({Claim.NOT_REPEATED, Claim.ONE_EFFECT})


@scenario(
    KILLED,
    "`durability='sync'`, after the effect",
    Claim.ONE_EFFECT,
    Claim.NOT_REPEATED,
    Claim.RESUMES,
    note="`create_reversible_agent` runs with it. Without a probe a person says whether it happened.",
)
def test_killed_with_sync(stage: Stage) -> None:
    agent = Crashing(stage.path, kill="after effect", durability="sync")
    agent.dies("run")

    stage.came_to(agent.ends("resume"), {"asked": [], "last": "all booked"})

    booked_once(stage, agent)


@scenario(
    KILLED,
    "`durability='async'`, after the effect",
    Claim.ONE_EFFECT,
    Claim.NOT_REPEATED,
    Claim.ASKED_ONCE,
    note="The message that made the call may be lost. Its effect is an orphan: nothing runs on beside it before a person "
    "said what to do with it, or `on_orphans='rollback'` undid it.",
)
def test_killed_with_async(stage: Stage) -> None:
    agent = Crashing(stage.path, kill="after effect", durability="async", slow=True)
    agent.dies("run")

    told = agent.ends("resume" if has_checkpoint(stage.path) else "run")

    stage.asked = [(name, "orphan") for name in told["asked"]]
    stage.asked_once("orphan")
    booked_once(stage, agent)


@scenario(
    KILLED,
    "`durability='exit'`, after the effect",
    Claim.ONE_EFFECT,
    Claim.NOT_REPEATED,
    Claim.ASKED_ONCE,
    Claim.UNWOUND,
    note="Nothing of the run is checkpointed. On the thread's next message its effects are orphans; "
    "`rein.rollback(thread=...)` undoes them without the graph.",
)
def test_killed_with_exit(stage: Stage) -> None:
    agent = Crashing(stage.path, kill="after effect", durability="exit")
    agent.dies("run")
    assert not has_checkpoint(stage.path)

    told = agent.ends("run")

    stage.asked = [(name, "orphan") for name in told["asked"]]
    stage.asked_once("orphan")
    booked_once(stage, agent)
    agent.ends("resume", "approve")
    assert agent.world[:2] == ["book a", "cancel a"]
    stage.proven.add(Claim.UNWOUND)
    with AgentRein(f"sqlite:///{stage.path}/journal.db") as reader:
        assert reader.verify().ok


def has_checkpoint(directory: Path) -> bool:
    """Whether any checkpoint outlived the process: the first ones may be lost too."""
    import sqlite3

    with sqlite3.connect(directory / "checkpoints.db") as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'checkpoints'").fetchall()
        return bool(tables) and bool(connection.execute("SELECT count(*) FROM checkpoints").fetchone()[0])
