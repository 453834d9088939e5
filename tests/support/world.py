"""A small outside world, an SQLite file that several processes share, and operations that act on it.

It counts every effect and every undo, so that a test can say "exactly once". Knobs, which lie in the
file too, make the next effect or undo fail, hang, or kill its process.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from langchain_agentrein import (
    Action,
    Happened,
    NotDone,
    NotHappened,
    Operation,
    Reversal,
    Risk,
    Throttled,
    UndoEffect,
    Undone,
    Unknown,
)

TABLES = """
CREATE TABLE IF NOT EXISTS log (n INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT, name TEXT, key TEXT);
CREATE TABLE IF NOT EXISTS things (name TEXT PRIMARY KEY, fields TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS knobs (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class World:
    """The outside world in a file, and the client to it.

    Args:
        account: Whose credentials this client carries.
    """

    def __init__(self, path: Path | str, account: str = "acme") -> None:
        self.path, self.account = Path(path), account
        self.hold = threading.Event()
        with self._file() as file:
            file.executescript(TABLES)

    @contextmanager
    def _file(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()

    def log(self, what: str, name: str, key: str = "") -> None:
        with self._file() as file:
            file.execute("INSERT INTO log (what, name, key) VALUES (?, ?, ?)", (what, name, key))

    def events(self, what: str | None = None) -> list[tuple[str, str]]:
        """`(what, name)` of everything that happened, in order."""
        with self._file() as file:
            rows = file.execute("SELECT what, name FROM log ORDER BY n").fetchall()
        return [row for row in rows if what is None or row[0] == what]

    def count(self, what: str, name: str | None = None) -> int:
        return sum(1 for done, thing in self.events(what) if name in (None, thing))

    def sent(self, what: str = "do") -> list[str]:
        """The idempotency keys that came along, in order."""
        with self._file() as file:
            return [row[0] for row in file.execute("SELECT key FROM log WHERE what = ? ORDER BY n", (what,))]

    def get(self, name: str) -> Any:
        with self._file() as file:
            row = file.execute("SELECT fields FROM things WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, name: str, fields: Any) -> None:
        with self._file() as file:
            if fields is None:
                file.execute("DELETE FROM things WHERE name = ?", (name,))
            else:
                file.execute("INSERT OR REPLACE INTO things VALUES (?, ?)", (name, json.dumps(fields)))

    def set(self, knob: str, value: Any) -> None:
        with self._file() as file:
            file.execute("INSERT OR REPLACE INTO knobs VALUES (?, ?)", (knob, json.dumps(value)))

    def knob(self, name: str) -> Any:
        with self._file() as file:
            row = file.execute("SELECT value FROM knobs WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def spend(self, knob: str) -> bool:
        """Whether a counter was above zero; it is one lower now."""
        with self._file() as file:
            file.execute("BEGIN IMMEDIATE")
            row = file.execute("SELECT value FROM knobs WHERE name = ?", (knob,)).fetchone()
            left = json.loads(row[0]) if row else 0
            if left > 0:
                file.execute("UPDATE knobs SET value = ? WHERE name = ?", (json.dumps(left - 1), knob))
            file.execute("COMMIT")
        return bool(left > 0)

    def moment(self, name: str) -> None:
        """Die here, or wait here, if the knobs say so."""
        if self.knob("kill") == name:
            self.set("kill", None)
            os.kill(os.getpid(), signal.SIGKILL)
        if self.knob("wait") == name:
            self.set("reached", name)
            deadline = time.monotonic() + 30
            while self.knob("wait") == name and time.monotonic() < deadline:
                time.sleep(0.01)

    def reached(self, name: str, timeout: float = 20.0) -> None:
        """Wait until somebody waits at a moment."""
        deadline = time.monotonic() + timeout
        while self.knob("reached") != name:
            assert time.monotonic() < deadline, f"nobody came to {name!r}"
            time.sleep(0.01)


class WorldOperation(Operation):
    """What every operation on the world shares."""

    thing: str

    def account(self, api: Any) -> str | None:
        found: str | None = api.account
        return found

    def touches(self) -> frozenset[str]:
        return frozenset({self.thing})

    def _effect(self, api: Any, action: Action) -> Any:
        """Do it, as the knobs want it."""
        api.moment("before effect")
        if api.spend("throttle"):
            raise Throttled("slow down", retry_after=0.01)
        if api.spend("refuse"):
            raise NotDone("refused")
        if api.spend("lose request"):
            raise TimeoutError("no answer, and nothing happened")
        receipt = self._happen(api)
        api.log("do", self.thing, action.key)
        api.moment("after effect")
        if api.spend("lose reply"):
            raise TimeoutError("no answer, and it happened")
        return receipt

    def _back(self, api: Any, action: Action) -> Any:
        api.moment("before undo")
        if api.spend("fail undo"):
            raise NotDone("no route to the world")
        if api.spend("throttle undo"):
            raise Throttled("slow down", retry_after=0.01)
        done = self._unhappen(api, action)
        api.log("undo", self.thing, action.key)
        api.moment("after undo")
        if api.spend("lose undo's reply"):
            raise TimeoutError("no answer, and it was undone")
        return done

    def do(self, api: Any, action: Action) -> Any:
        return self._effect(api, action)

    def undo(self, api: Any, action: Action) -> Any:
        return self._back(api, action)

    def _happen(self, api: Any) -> Any:
        return {"thing": self.thing}

    def _unhappen(self, api: Any, action: Action) -> Any:
        return None


class Put(WorldOperation):
    """Set fields of a thing: observed, probed, and restored field by field."""

    name, risk, reversal = "world.put", Risk.LOW, Reversal.EXACT
    partial = True
    fields: dict[str, Any]

    def snapshot(self, api: Any) -> Any:
        return self._look(api)

    def _look(self, api: Any) -> Any:
        there = api.get(self.thing)
        return None if there is None else {name: there.get(name) for name in self.fields}

    def _happen(self, api: Any) -> Any:
        api.put(self.thing, {**(api.get(self.thing) or {}), **self.fields})
        return {"thing": self.thing}

    def observe(self, api: Any, action: Action) -> Any:
        if api.spend("fail observe"):
            raise ConnectionError("cannot look")
        return self._look(api)

    def expect(self, action: Action) -> Any:
        return dict(self.fields)

    def probe(self, api: Any, action: Action) -> Any:
        api.log("probe", self.thing)
        if api.knob("blind"):
            return Unknown("the index lags")
        return Happened({"thing": self.thing}) if action.key in api.sent() else NotHappened()

    def _unhappen(self, api: Any, action: Action) -> Any:
        if action.before is None:
            api.put(self.thing, None)
            return None
        kept = (
            action.before if action.undo_fields is None else {n: action.before[n] for n in action.undo_fields}
        )
        api.put(self.thing, {**(api.get(self.thing) or {}), **kept})
        return None


class Whole(Put):
    """Like `Put`, but it restores all or nothing."""

    name, partial = "world.whole", False


class Create(WorldOperation):
    """Create a thing; others may attach children to it."""

    name, risk, reversal = "world.create", Risk.LOW, Reversal.EXACT

    def _happen(self, api: Any) -> Any:
        api.put(self.thing, {"children": []})
        return {"thing": self.thing}

    def observe(self, api: Any, action: Action) -> Any:
        return None if api.get(self.thing) is None else {"there": True}

    def attached(self, api: Any, action: Action) -> Sequence[str]:
        return [f"child {child}" for child in (api.get(self.thing) or {}).get("children", [])]

    def _unhappen(self, api: Any, action: Action) -> Any:
        api.put(self.thing, None)
        return None


class Blind(WorldOperation):
    """It can be undone, and nobody can look: no `observe`, no `probe`."""

    name, risk, reversal = "world.blind", Risk.LOW, Reversal.COMPENSATING


class Charge(WorldOperation):
    """Charge money; the refund moves money too, and the fee stays."""

    name, risk, reversal = "world.charge", Risk.MEDIUM, Reversal.COMPENSATING
    undo_effects = frozenset({UndoEffect.MOVES_MONEY})

    def _unhappen(self, api: Any, action: Action) -> Any:
        return Undone(("the fee stays",))


class Mail(WorldOperation):
    """Send a mail: nothing takes it back."""

    name, risk, reversal = "world.mail", Risk.HIGH, Reversal.NONE


class Keep(WorldOperation):
    """Keep what it is given: its snapshot is the value of the thing."""

    name, risk, reversal = "world.keep", Risk.LOW, Reversal.EXACT
    value: Any = None

    def snapshot(self, api: Any) -> Any:
        return api.get(self.thing)

    def _happen(self, api: Any) -> Any:
        api.put(self.thing, self.value)
        return {"thing": self.thing}

    def observe(self, api: Any, action: Action) -> Any:
        return api.get(self.thing)

    def _unhappen(self, api: Any, action: Action) -> Any:
        api.put(self.thing, action.before)
        return None


class Slow(WorldOperation):
    """Takes its time in a thread: `pause` seconds before the effect, and as many after it."""

    name, risk, reversal = "world.slow", Risk.LOW, Reversal.COMPENSATING
    pause: float = 0.1

    def do(self, api: Any, action: Action) -> Any:
        api.set("reached", "in slow")
        time.sleep(self.pause)
        api.log("do", self.thing, action.key)
        time.sleep(self.pause)
        return {"thing": self.thing}


class Async(WorldOperation):
    """Takes its time on the event loop."""

    name, risk, reversal = "world.async", Risk.LOW, Reversal.COMPENSATING
    pause: float = 0.1

    async def snapshot(self, api: Any) -> Any:
        await asyncio.sleep(0)
        return {"was": api.get(self.thing)}

    async def do(self, api: Any, action: Action) -> Any:
        api.set("reached", "in async")
        await asyncio.sleep(self.pause)
        api.log("do", self.thing, action.key)
        await asyncio.sleep(self.pause)
        return {"thing": self.thing}

    async def undo(self, api: Any, action: Action) -> Any:  # type: ignore[override]
        await asyncio.sleep(0)
        return self._back(api, action)
