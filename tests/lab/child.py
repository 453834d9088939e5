"""The agent, in a process of its own: runs, is resumed, rolls back, recovers; and comes to harm where it is told to."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command
from psycopg import Connection, sql
from sqlalchemy import make_url

from langchain_agentrein import AgentRein, ApprovalRule, ReversibleTool, SessionFailed
from tests.lab import github_agent
from tests.lab.operations import ASYNC, SYNC, Client
from tests.lab.points import POINTS, saving
from tests.support.models import ScriptedModel

Turns = tuple[tuple[tuple[str, str], ...], ...]
SCENARIOS: dict[str, Turns] = {
    "forward": ((("book", "a"),), (("edit", "b"),), (("note", "c"),)),
    "back": ((("book", "a"),), (("edit", "b"),), (("note", "c"),), (("charge", "d"),)),
    "together": ((("book", "a"), ("book", "e"), ("note", "c")), (("charge", "d"),)),
    "refused": ((("book", "a"),), (("book", "z"),), (("note", "c"),)),
    "asked": ((("book", "a"),), (("mail", "c"),), (("charge", "d"),)),
    "held": ((("book", "h"), ("note", "k")), (("book", "a"),)),
    "dropped": ((("book", "h"), ("book", "a")), (("charge", "d"),)),
}
"""What the model calls, turn by turn. `edit` changes what was there before, and is asked about."""
GATED, DENIED = "b", "z"
HELD = frozenset("hk")
"""Things that are acted on when the session completes."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One life of the process.

    Attributes:
        database: The URL of the journal's and the checkpointer's PostgreSQL; empty: SQLite files in `home`.
        drive: `sync`, `async` (operations are awaited), or `threaded` (sync ones under `ainvoke`).
        act: `run`, `resume`, `rollback`, `recover` or `forget`.
        answers: The decisions to resume with.
        point: Where harm is done, and
        harm: which: `kill`, `stop`, `cut` (the database's connections), `full` (no file may grow).
        github: Where the agent finds GitHub, if that is its world.
    """

    home: str
    world: str
    case: str
    database: str = ""
    drive: str = "sync"
    durability: str = "sync"
    scenario: str = "forward"
    act: str = "run"
    answers: list[dict[str, Any]] = field(default_factory=list)
    point: str = ""
    harm: str = ""
    lease: float = 30.0
    github: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @property
    def repo(self) -> str:
        """The case's repository on GitHub."""
        return f"bot/{self.case}"

    @property
    def journal(self) -> str:
        return self.database or f"sqlite:///{self.home}/journal.db"


def main(spec: Spec) -> dict[str, Any]:
    """Live that life; what came of it.

    Returns:
        `{"state": "done" | "asked" | "failed" | "error", "asked": [...], "why": str, "reached": [...], "anew": bool}`;
        `anew`: no checkpoint was left to resume, and the message was sent once more.
    """
    POINTS.arm(spec.point, (lambda: harm(spec)) if spec.harm else None)
    told = _run(spec) if spec.drive == "sync" else asyncio.run(_arun(spec))
    return {**told, "reached": POINTS.reached}


def opened(spec: Spec) -> AgentRein:
    """The journal of a case; the world as its client."""
    clients: dict[str, Any] = {"lab": Client(spec.world, spec.case)}
    rules = [ApprovalRule("lab.*", "allow")]
    if spec.github:
        clients["github"] = github_agent.hub(spec.github, spec.repo)
        rules.append(ApprovalRule("github.*", "allow"))
    else:
        rules[:0] = [
            ApprovalRule("lab.*book", "ask", when=lambda action: action.args["thing"] == GATED),
            ApprovalRule("lab.*book", "deny", when=lambda action: action.args["thing"] == DENIED),
            ApprovalRule("lab.*", "hold", when=lambda action: action.args["thing"] in HELD),
        ]
    return AgentRein(
        spec.journal,
        rules=rules,
        clients=clients,
        lease=spec.lease,
        backoff=0.01,
        drain_timeout=max(5.0, 2 * spec.lease),
    )


def _run(spec: Spec) -> dict[str, Any]:
    with opened(spec) as rein:
        if spec.act == "rollback":
            return _back(rein.rollback(thread=spec.case, all_sessions=True, by="ana"))
        if spec.act == "recover":
            return _back(rein.recover())
        if spec.act == "forget":
            rein.forget(thread=spec.case, by="ana")
            return {"state": "done"}
        with _saver(spec) as saver:
            agent, config = _agent(spec, rein, saver), _config(spec)
            given = _given(spec, agent.get_state(config) if spec.act == "resume" else None)
            anew = {"anew": spec.act == "resume" and isinstance(given, dict)}
            try:
                return anew | _told(agent.invoke(given, config, durability=spec.durability))
            except SessionFailed as failed:
                return anew | {"state": "failed", "why": str(failed)}


async def _arun(spec: Spec) -> dict[str, Any]:
    async with opened(spec) as rein:
        if spec.act == "rollback":
            return _back(await rein.arollback(thread=spec.case, all_sessions=True, by="ana"))
        if spec.act == "recover":
            return _back(await rein.arecover())
        if spec.act == "forget":
            await rein.aforget(thread=spec.case, by="ana")
            return {"state": "done"}
        async with _asaver(spec) as saver:
            agent, config = _agent(spec, rein, saver), _config(spec)
            given = _given(spec, await agent.aget_state(config) if spec.act == "resume" else None)
            anew = {"anew": spec.act == "resume" and isinstance(given, dict)}
            try:
                return anew | _told(await agent.ainvoke(given, config, durability=spec.durability))
            except SessionFailed as failed:
                return anew | {"state": "failed", "why": str(failed)}


def _config(spec: Spec) -> Any:
    return {"configurable": {"thread_id": spec.case, "approver": "ana"}}


def _given(spec: Spec, state: Any) -> Any:
    if spec.answers:
        return Command(resume={"decisions": spec.answers})
    if state is not None and state.values.get("messages"):
        return None
    return {"messages": [HumanMessage("go")]}


def _told(out: dict[str, Any]) -> dict[str, Any]:
    asked = [one for pause in out.get("__interrupt__", ()) for one in pause.value["action_requests"]]
    return {"state": "asked" if asked else "done", "asked": json.loads(json.dumps(asked, default=str))}


def _back(report: Any) -> dict[str, Any]:
    return {"state": "done", "why": str(report)}


def _agent(spec: Spec, rein: AgentRein, saver: Any) -> Any:
    tools, turns = _hands(spec), _turns(spec)

    def turn(messages: Sequence[BaseMessage]) -> AIMessage:
        done = sum(bool(isinstance(message, AIMessage) and message.tool_calls) for message in messages)
        if done >= len(turns):
            return AIMessage("all done")
        calls = [
            {"name": name, "args": args, "id": f"call_{uuid.uuid4().hex[:12]}"} for name, args in turns[done]
        ]
        return AIMessage("next", tool_calls=calls)

    return create_agent(
        ScriptedModel(turns=[turn] * 20), tools, middleware=[rein.middleware()], checkpointer=saver
    )


def _hands(spec: Spec) -> list[Any]:
    if spec.github:
        return list(github_agent.tools(spec.github, spec.repo))
    operations, client = _operations(spec), Client(spec.world, spec.case)
    return [ReversibleTool.of_operation(op, client) for op in dict.fromkeys(operations.values())]


def _turns(spec: Spec) -> list[list[tuple[str, dict[str, Any]]]]:
    """Name and arguments of each call."""
    if spec.github:
        said = github_agent.SCENARIOS[spec.scenario]
        return [[github_agent.called(name, spec.repo) for name in calls] for calls in said]
    operations = _operations(spec)
    return [
        [(operations[name].tool_name(), {"thing": thing}) for name, thing in calls]
        for calls in SCENARIOS[spec.scenario]
    ]


def _operations(spec: Spec) -> Any:
    return ASYNC if spec.drive == "async" else SYNC


def _dsn(spec: Spec) -> str:
    return make_url(spec.database).set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def _saver(spec: Spec) -> Iterator[Any]:
    where, saver = (
        (_dsn(spec), PostgresSaver) if spec.database else (f"{spec.home}/checkpoints.db", SqliteSaver)
    )
    with saving(saver).from_conn_string(where) as made:  # type: ignore[attr-defined]
        if spec.database:
            made.setup()
        yield made


@asynccontextmanager
async def _asaver(spec: Spec) -> AsyncIterator[Any]:
    where: tuple[str, Any] = (f"{spec.home}/checkpoints.db", AsyncSqliteSaver)
    if spec.database:
        where = _dsn(spec), AsyncPostgresSaver
    async with saving(where[1]).from_conn_string(where[0]) as made:  # type: ignore[attr-defined]
        if spec.database:
            await made.setup()
        yield made


def harm(spec: Spec) -> None:
    """Do to this process what `spec` says."""
    if spec.harm == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(1)  # in a thread of several, this one may run on for a moment
    elif spec.harm == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(0.1)
    elif spec.harm == "full":
        # Every write to a file fails from now on, as if the disk were full; `lived` ignores the signal.
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    elif spec.harm == "cut":
        mine = str(os.getpid())
        with Connection.connect(_dsn(spec), autocommit=True) as admin:
            admin.execute(
                sql.SQL(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = {} AND pid <> pg_backend_pid()"
                ).format(sql.Literal(mine))
            )


def lived(spec: Spec, out: Path) -> None:
    """Live, and leave a note of what came of it."""
    os.environ["PGAPPNAME"] = str(os.getpid())
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        told = main(spec)
    except Exception as error:
        told = {"state": "error", "why": f"{type(error).__name__}: {error}", "reached": POINTS.reached}
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    out.write_text(json.dumps(told))
