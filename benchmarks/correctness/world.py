"""The world outside: a shop behind HTTP, in a process of its own, whose log of effects outlives every kill.

    python -m benchmarks.correctness.world DIRECTORY

It writes its port to `DIRECTORY/port`, and each effect as a line to `DIRECTORY/world.jsonl` before it replies. A
verb named in `DIRECTORY/lose` has its effect once without a reply. It takes no idempotency keys for what it makes, as
most services do not; its cancellation takes one, since agent-saga's documentation asks for that.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Refused(Exception):
    """The world certainly did nothing: declined, or no such thing."""


class Lost(Exception):
    """No reply came. It may have happened."""


class World:
    """What exists, and everything that happened to it."""

    def __init__(self, directory: Path) -> None:
        self.lose, self.log = directory / "lose", directory / "world.jsonl"
        self.orders: dict[str, dict[str, Any]] = {}
        self.tickets: dict[str, dict[str, Any]] = {"t1": {"title": "Printer", "status": "open"}}
        self.projects: dict[str, list[str]] = {}
        self.keys: set[str] = set()
        self.lock = threading.Lock()

    def act(self, verb: str, args: dict[str, Any]) -> Any:
        """Have one effect, durably.

        Raises:
            Refused: Nothing happened.
        """
        by, key = args.pop("by", "agent"), args.pop("key", None)
        with self.lock:
            if key is not None and key in self.keys:
                return {"replayed": True}
            told = getattr(self, verb)(**args)
            with self.log.open("a") as log:
                log.write(json.dumps({"verb": verb, "by": by, "args": args, "told": told}) + "\n")
                log.flush()
                os.fsync(log.fileno())
            if key is not None:
                self.keys.add(key)
        return told

    def order(self, item: str, mark: str | None = None) -> Any:
        number = f"o{len(self.orders) + 1}"
        self.orders[number] = {"item": item, "mark": mark, "cancelled": 0}
        return {"order_id": number, "item": item}

    def cancel(self, order_id: str) -> Any:
        # Not idempotent without a key: the money is given back each time.
        self.orders[order_id]["cancelled"] += 1
        return {"order_id": order_id}

    def edit(self, ticket: str, **fields: Any) -> Any:
        before = {name: self.tickets[ticket][name] for name in fields}
        self.tickets[ticket].update(fields)
        return {"ticket": ticket, "before": before}

    def open(self, project: str) -> Any:
        if project in self.projects:
            raise Refused(f"{project} exists")
        self.projects[project] = []
        return {"project": project}

    def attach(self, project: str, task: str) -> Any:
        self.projects[project].append(task)
        return {"project": project, "task": task}

    def delete(self, project: str) -> Any:
        return {"project": project, "tasks": self.projects.pop(project)}

    def transfer(self, amount: int) -> Any:
        return {"transferred": amount}

    def charge(self, amount: int) -> Any:
        raise Refused("the card was declined")

    def refund(self, amount: int) -> Any:
        return {"refunded": amount}

    def state(self) -> Any:
        return {"orders": self.orders, "tickets": self.tickets, "projects": self.projects}


def serve(directory: Path) -> None:
    """Until killed."""
    world = World(directory)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200, world.state())

        def do_POST(self) -> None:
            verb = self.path.strip("/")
            args = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                told = world.act(verb, args)
            except (Refused, KeyError) as error:
                self.answer(409, {"error": str(error)})
                return
            if world.lose.exists() and world.lose.read_text() == verb:
                world.lose.unlink()
                self.close_connection = True
                return
            self.answer(200, told)

        def answer(self, code: int, body: Any) -> None:
            text = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    (directory / "port.new").write_text(str(server.server_port))
    (directory / "port.new").rename(directory / "port")
    server.serve_forever()


class Client:
    """How tools, undos and colleagues reach the world."""

    def __init__(self, directory: Path) -> None:
        self.url = f"http://127.0.0.1:{(directory / 'port').read_text()}"

    def act(self, verb: str, **args: Any) -> Any:
        """Ask for an effect.

        Raises:
            Refused: Nothing happened.
            Lost: No reply came.
        """
        request = urllib.request.Request(f"{self.url}/{verb}", json.dumps(args).encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            raise Refused(json.load(error)["error"]) from None
        except OSError as error:
            raise Lost(f"no reply from the shop: {error}") from error

    def state(self) -> Any:
        """What exists now: a strongly consistent read."""
        with urllib.request.urlopen(self.url, timeout=10) as reply:
            return json.load(reply)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
