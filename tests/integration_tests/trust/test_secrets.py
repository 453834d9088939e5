"""Planted secrets, and every byte of what we write, say, raise or trace searched for them."""

from __future__ import annotations

import json
import logging
import secrets
import sqlite3
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from langchain_core.callbacks import BaseCallbackHandler
from langgraph.checkpoint.sqlite import SqliteSaver
from sqlalchemy import create_engine, make_url
from typer.testing import CliRunner

from langchain_agentrein import AgentRein, ApprovalRule, SessionFailed, reversible
from langchain_agentrein.cli.app import app
from langchain_agentrein.graphs import create_reversible_agent
from langchain_agentrein.toolkits import SQLToolkit
from tests.support.models import says, scripted_model

THREAD = "thread-1"
CONFIG: Any = {"configurable": {"thread_id": THREAD}}


def planted(*beginning: str) -> str:
    """A secret that is nowhere else on this machine."""
    return "".join(beginning) + secrets.token_hex(12)


@dataclass
class Planted:
    """What must be found nowhere.

    Attributes:
        ours: What only a snapshot has seen: the model never wrote it, and was never shown it.
        models: What the model wrote, or was shown by its tools: it is in the user's own messages.
    """

    password: str = field(default_factory=lambda: planted("hunter"))
    api_key: str = field(default_factory=lambda: planted("k"))
    header: str = field(default_factory=lambda: planted("tok"))
    url: str = field(default_factory=lambda: planted("pw"))
    receipt: str = field(default_factory=lambda: planted("t"))
    reasoning: str = field(default_factory=lambda: planted("sk_live_"))
    error: str = field(default_factory=lambda: planted("ghp_"))
    goal: str = field(default_factory=lambda: planted("xoxb-1-"))

    @property
    def ours(self) -> list[str]:
        return [self.password, self.api_key]

    @property
    def models(self) -> list[str]:
        return [self.header, self.url, self.receipt, self.reasoning, self.error, self.goal]

    @property
    def all(self) -> list[str]:
        return self.ours + self.models


class Traces(BaseCallbackHandler):
    """Everything that a tracer such as LangSmith's is handed, run by run."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self._names: dict[Any, str] = {}

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: Any, **more: Any) -> None:
        self._names[run_id] = str(more.get("name"))
        self._note(run_id, inputs, more.get("metadata"), more.get("tags"))

    def on_chain_end(self, outputs: Any, *, run_id: Any, **_: Any) -> None:
        self._note(run_id, outputs)

    def on_chain_error(self, error: BaseException, *, run_id: Any, **_: Any) -> None:
        self._note(run_id, error)

    def on_tool_start(self, serialized: Any, input_str: str, *, run_id: Any, **more: Any) -> None:
        self._names[run_id] = str(more.get("name"))
        self._note(run_id, input_str, more)

    def on_tool_end(self, output: Any, *, run_id: Any, **_: Any) -> None:
        self._note(run_id, output)

    def on_custom_event(self, name: str, data: Any, *, run_id: Any, **_: Any) -> None:
        self._note(run_id, name, data)

    def _note(self, run_id: Any, *what: Any) -> None:
        self.seen.append((self._names.get(run_id, "?"), repr(what)))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where journal, checkpoints and the user's own database lie."""
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, password TEXT, api_key BLOB)")
    shop.close()
    return tmp_path


def rows(place: Path) -> list[Any]:
    shop = sqlite3.connect(place / "shop.db")
    try:
        return shop.execute("SELECT * FROM users ORDER BY id").fetchall()
    finally:
        shop.close()


def run(
    place: Path, url: str, hidden: Planted, seal: str | None, **options: Any
) -> tuple[AgentRein, Any, Any]:
    """An agent that deletes a user, calls a service, and fails; with its traces and what it raised."""
    with sqlite3.connect(place / "shop.db") as file:
        file.execute("INSERT INTO users VALUES (1, 'ana', ?, ?)", (hidden.password, hidden.api_key.encode()))
    file.close()
    rules = [ApprovalRule(name, "allow") for name in ("sql.execute", "connect", "charge")]
    shop = create_engine(f"sqlite:///{place}/shop.db")
    rein = AgentRein(url, rules=rules, seal=seal, clients={"sql": shop}, **options)

    @reversible
    def connect(url: str, headers: dict[str, str]) -> dict[str, Any]:
        """Connect to a service."""
        return {"access_token": hidden.receipt, "ok": True}

    @connect.undo
    def disconnect(action: Any) -> None:
        assert seal is None or action.receipt["access_token"] == hidden.receipt

    @reversible(undo=lambda action: None, not_done=(RuntimeError,))
    def charge(amount: int) -> str:
        """Charge the card."""
        raise RuntimeError(f"refused with {hidden.error}")

    model = scripted_model(
        says("I delete", ("sql_execute", {"statement": "DELETE FROM users WHERE id = 1"})),
        says(
            f"I use {hidden.reasoning}",
            (
                "connect",
                {"url": f"https://ana:{hidden.url}@crm.example/", "headers": {"X-Api-Key": hidden.header}},
            ),
            reasoning=f"the key is {hidden.reasoning}",
        ),
        says("I charge", ("charge", {"amount": 1})),
    )
    traces = Traces()
    toolkit = SQLToolkit(f"sqlite:///{place}/shop.db")
    with SqliteSaver.from_conn_string(str(place / "checkpoints.db")) as saver:
        agent = create_reversible_agent(
            model, [*toolkit.get_tools(), connect, charge], rein=rein, checkpointer=saver
        )
        with pytest.raises(SessionFailed) as caught:
            agent.invoke({"messages": f"clean up with {hidden.goal}"}, {**CONFIG, "callbacks": [traces]})
    return rein, traces, caught.value


def journal_bytes(place: Path, url: str) -> Iterator[tuple[str, bytes]]:
    """Every byte that the journal wrote: its files, or the server's, its write-ahead log, and its rows."""
    if url.startswith("sqlite"):
        for file in place.glob("journal.db*"):
            yield file.name, file.read_bytes()
        return
    engine = create_engine(make_url(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in ("sessions", "actions", "entries", "payloads"):
            text = connection.exec_driver_sql(f"SELECT CAST(t AS text) FROM agentrein_{name} t").scalars()
            yield name, "\n".join(text).encode()
        blobs = connection.exec_driver_sql("SELECT data FROM agentrein_blobs").scalars()
        yield "blobs", b"\n".join(map(bytes, blobs))
        connection.exec_driver_sql("CHECKPOINT")
        home = Path(connection.exec_driver_sql("SHOW data_directory").scalar_one())
        oid = connection.exec_driver_sql(
            "SELECT oid FROM pg_database WHERE datname = current_database()"
        ).scalar_one()
    engine.dispose()
    for folder in (home / "base" / str(oid), home / "pg_wal"):
        for file in folder.iterdir():
            if file.is_file():
                yield file.name, file.read_bytes()


def absent(found: str | bytes, secret: list[str], where: str) -> None:
    data = found.encode() if isinstance(found, str) else found
    for one in secret:
        assert one.encode() not in data, f"{where} holds {one}"
        assert one.encode().hex().encode() not in data, f"{where} holds {one} in hex"


def checkpoints(place: Path) -> Iterator[tuple[str, Any]]:
    """Every value of every channel of every checkpoint, and every write that waits."""
    with SqliteSaver.from_conn_string(str(place / "checkpoints.db")) as saver:
        for one in saver.list(None):
            yield from one.checkpoint["channel_values"].items()
            yield "metadata", one.metadata
            for _, channel, value in one.pending_writes or ():
                yield channel, value


@pytest.mark.parametrize("sealed", [True, False], ids=["with a key", "without a key"])
def test_no_byte_of_ours_holds_a_secret(
    place: Path,
    journal_url: str,
    sealed: bool,
    caplog: pytest.LogCaptureFixture,
    capsys: Any,
    monkeypatch: Any,
) -> None:
    caplog.set_level(logging.DEBUG)
    hidden = Planted()
    key = Fernet.generate_key().decode() if sealed else None
    rein, traces, error = run(place, journal_url, hidden, key)

    # What an undo needed came back, or says that it could not.
    outcomes = {line.operation: line.outcome for line in error.report}
    if sealed:
        assert outcomes["sql.execute"] == "restored"
        assert rows(place) == [(1, "ana", hidden.password, hidden.api_key.encode())]
    else:
        assert outcomes["sql.execute"] == "irreversible"
        assert "secret" in str(rein.plan(thread=THREAD)) + str(error.report) + str(
            rein.timeline(thread=THREAD)
        )

    for where, data in journal_bytes(place, journal_url):
        absent(data, hidden.all, where)

    # The user's checkpoints hold the user's messages; ours adds nothing to them, and shows none elsewhere.
    for file in place.glob("checkpoints.db*"):
        absent(file.read_bytes(), hidden.ours, file.name)
    for channel, value in checkpoints(place):
        absent(repr(value), hidden.ours if channel in THEIRS else hidden.all, f"channel {channel}")

    for name, told in traces.seen:
        absent(told, hidden.ours, f"the trace of {name}")
    absent(caplog.text, hidden.ours, "the log")
    absent(
        "".join(r.getMessage() for r in caplog.records if r.name.startswith("langchain_agentrein")),
        hidden.all,
        "our log",
    )

    absent(f"{error} {error!r} {error.report} {error.report!r}", hidden.all, "the error")
    absent("".join(traceback.format_exception(error)), hidden.ours, "the traceback")
    for said in shown(rein):
        absent(said, hidden.all, "what we show")
    ids = [action.id for action in rein.actions(thread=THREAD)]
    rein.close()

    monkeypatch.setenv("AGENTREIN_SEAL_KEY", key or "")
    for said in commands(place, journal_url, ids):
        absent(said, hidden.all, "a command's output")
    out, err = capsys.readouterr()
    absent(out + err, hidden.all, "the terminal")


THEIRS = {"messages", "__start__", "__pregel_tasks"}
"""Channels of the user's own graph: what a person said, what the model wrote and called, what tools answered."""


def shown(rein: AgentRein) -> Iterator[str]:
    told = rein.timeline(thread=THREAD)
    yield from (str(told), told.to_html(), told.to_mermaid(), told._repr_html_())
    yield json.dumps(told.to_dict())
    yield str(rein.plan(thread=THREAD))
    yield str(rein.verify())
    yield str(rein.rollback(thread=THREAD, by="ana", reason="again"))


def commands(place: Path, url: str, ids: list[str]) -> Iterator[str]:
    """What every verb that reads prints."""
    shop = f"--client=sql=sqlite:///{place}/shop.db"

    def said(*words: str) -> str:
        ran = CliRunner().invoke(app, ["--journal", url, shop, *words], catch_exceptions=False)
        return ran.output

    yield said("sessions")
    yield said("sessions", "--json")
    for form in ("rich", "json", "mermaid", "html"):
        yield said("timeline", "--thread", THREAD, "--format", form)
    for one in ids:
        yield said("show", one, "--full")
        yield said("show", one, "--json")
    yield said("plan", "--thread", THREAD)
    yield said("rollback", "--thread", THREAD, "--yes", "--by", "ana")
    yield said("recover")
    yield said("verify", "--heads")
