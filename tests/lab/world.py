"""The outside world: a small HTTP service on loopback, with a log of everything that ever happened to it.

    PUT    /CASE/things/NAME  {"value": ...}   a thing gets a value; `Effect: KEY` says for whom
    DELETE /CASE/things/NAME                   it is gone
    POST   /CASE/notes        {"text": ...}    something is said; it cannot be unsaid
    GET    /CASE/things/NAME, /CASE/effects/KEY

It does not look at idempotency keys: whoever asks twice, gets it twice, and the log shows it.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FAULTS = ("swallow", "refuse", "break", "delay")
"""The reply is swallowed after the change; 503 before it; 500 after it; the reply comes late."""
DELAY = 0.2


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: `do` or `undo`.
        key: The id of the action for which it was done.
    """

    kind: str
    key: str
    thing: str
    value: Any


class World:
    """What is there now, and what ever happened, for each case."""

    def __init__(self, log: Path) -> None:
        self._lock = threading.Lock()
        self._log = log.open("a")
        self._events: dict[str, list[Event]] = defaultdict(list)
        self._things: dict[str, dict[str, Any]] = defaultdict(dict)
        self._faults: dict[str, tuple[int, str]] = {}
        self._asked: dict[str, int] = defaultdict(int)

    def events(self, case: str) -> list[Event]:
        with self._lock:
            return list(self._events[case])

    def things(self, case: str) -> dict[str, Any]:
        with self._lock:
            return dict(self._things[case])

    def put(self, case: str, thing: str, value: Any) -> None:
        """Have a thing there from the beginning."""
        with self._lock:
            self._things[case][thing] = value

    def fail(self, case: str, nth: int, fault: str) -> None:
        """Let the `nth` change that is asked for from now on go wrong."""
        with self._lock:
            self._asked[case], self._faults[case] = 0, (nth, fault)

    def forget(self, case: str) -> None:
        with self._lock:
            for known in (self._events, self._things, self._faults, self._asked):
                known.pop(case, None)  # type: ignore[attr-defined]

    def look(self, case: str, what: str, name: str) -> Any:
        with self._lock:
            if what == "things":
                return {"value": self._things[case].get(name)}
            return [asdict(event) for event in self._events[case] if event.key == name]

    def change(self, case: str, event: Event) -> str | None:
        """Let it happen, and on disk; the fault that goes with it."""
        with self._lock:
            self._asked[case] += 1
            nth, fault = self._faults.get(case, (0, ""))
            fault = fault if nth == self._asked[case] else ""
            if fault == "refuse":
                return fault
            self._log.write(json.dumps({"case": case, **asdict(event)}) + "\n")
            self._log.flush()
            self._events[case].append(event)
            if event.value is None:
                self._things[case].pop(event.thing, None)
            else:
                self._things[case][event.thing] = event.value
            return fault or None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: World

    def do_GET(self) -> None:
        case, what, name = self._path()
        self._answer(200, self.world.look(case, what, name))

    def do_PUT(self) -> None:
        self._change(self._body()["value"])

    def do_DELETE(self) -> None:
        self._change(None)

    def do_POST(self) -> None:
        self._change(self._body()["text"])

    def _change(self, value: Any) -> None:
        case, _, name = self._path()
        event = Event(self.headers["Kind"], self.headers["Effect"], name, value)
        fault = self.world.change(case, event)
        if fault == "swallow":
            self.close_connection = True
            self.connection.close()
            return
        if fault == "delay":
            time.sleep(DELAY)
        self._answer({"refuse": 503, "break": 500}.get(fault or "", 200), {"ok": fault is None})

    def _path(self) -> tuple[str, str, str]:
        case, what, name = self.path.strip("/").split("/")
        return case, what, name

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _answer(self, code: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """The world's log is enough."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """Its clients are killed, and do not say goodbye."""


@contextmanager
def served(log: Path) -> Iterator[tuple[World, str]]:
    """A world, and the URL at which it is served."""
    world = World(log)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"world": world}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield world, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        world._log.close()
