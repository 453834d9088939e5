"""What is measured: one reversible operation on a dictionary, and journals to put it in."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from langchain_agentrein import Action, AgentRein, Operation, Reversal, Risk
from langchain_agentrein.action import Intent, SessionRecord
from langchain_agentrein.engine import Call
from langchain_agentrein.flow import run

VALUE = "a value as long as a subject line usually is"


class Put(Operation):
    """Set a key of a dictionary; the old value comes back."""

    name, risk, reversal = "bench.put", Risk.LOW, Reversal.EXACT
    key: str
    value: str

    def snapshot(self, api: Any) -> Any:
        return {"value": api.get(self.key)}

    def do(self, api: Any, action: Action) -> Any:
        api[self.key] = self.value
        return {"key": self.key}

    def observe(self, api: Any, action: Action) -> Any:
        return {"value": api.get(self.key)}

    def undo(self, api: Any, action: Action) -> None:
        api[self.key] = action.before["value"]


class Subject:
    """Performs the operation, call by call, in one session of a journal."""

    def __init__(self, journal: str | Engine, session: str = "ses_bench") -> None:
        self.world: dict[str, Any] = {}
        self.rein = AgentRein(journal, clients={"bench": self.world})
        self.session = SessionRecord(id=session, thread_id="bench", goal="Measure what a call costs")

    def call(self, n: int) -> None:
        """One reversible call, as a tool in a graph makes it."""
        call = Call(
            session=self.session,
            key=f"{self.session.id}-{n}",
            thread_id="bench",
            tool_call_id=f"call_{n}",
            message_id=f"message_{n}",
            intent=Intent("It was asked for.", "text", self.session.goal),
        )
        run(self.rein.perform(Put(key=f"key {n}", value=VALUE), self.world, call))


@contextmanager
def subject(journal: str | Engine, session: str = "ses_bench") -> Iterator[Subject]:
    """A subject, closed at the end."""
    one = Subject(journal, session)
    try:
        yield one
    finally:
        one.rein.close()


@contextmanager
def folder() -> Iterator[Path]:
    """A directory for this benchmark alone."""
    with tempfile.TemporaryDirectory(prefix="agentrein-bench-") as name:
        yield Path(name)


def sqlite_engine(file: Path, synchronous: str = "FULL") -> Engine:
    """An engine with the pragmas that our own journal sets, and `synchronous` as told."""
    engine = create_engine(
        f"sqlite:///{file}",
        connect_args={"check_same_thread": False, "timeout": 30},
        poolclass=QueuePool,
    )

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        for pragma in ("journal_mode = WAL", f"synchronous = {synchronous}", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
