"""A real proxy between an SDK and a server: it breaks what it is told to break, and reads along."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

Kind = Literal["swallow", "cut", "answer", "answer after", "truncate"]
Check = Callable[[str, str, bytes], list[str]]
"""What is wrong with a request: verb, path with its query, body."""
Serve = Callable[[str, str, bytes, str], tuple[int, Any, dict[str, str]] | None]
"""What answers a request in the server's place: verb, path, body, token; status, JSON, headers. `None`: the server does."""
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"}
)


@dataclass
class Fault:
    """What happens to one request that writes.

    Attributes:
        kind: `swallow`: it is done, and the connection cut before the reply. `cut`: the connection is cut before
            the server sees it. `answer`: `status` instead of the server. `answer after`: it is done, and then `status`.
            `truncate`: it is done, and the connection cut in the middle of the reply.
        skip: So many requests that write pass first.
        times: So many are broken.
        reads: Requests that read are broken, too.
        after: So many requests that write have reached the server before.
    """

    kind: Kind
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "broken on purpose"
    skip: int = 0
    times: int = 1
    reads: bool = False
    after: int = 0


@dataclass
class Proxy:
    """A running proxy.

    Attributes:
        url: Where it listens.
        server: Whom it stands before.
        writes: The requests that write and reached the server, as `POST /path`.
        offered: Those that clients sent.
        wrong: What `check` found in requests that reached the server.
    """

    url: str
    server: str
    writes: list[str] = field(default_factory=list)
    offered: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    fault: Fault | None = None

    def due(self, verb: str) -> Fault | None:
        """The fault of this request, if it has one."""
        fault = self.fault
        if fault is None or not (verb in WRITES or fault.reads) or len(self.writes) < fault.after:
            return None
        if fault.skip:
            fault.skip -= 1
            return None
        fault.times -= 1
        if fault.times <= 0:
            self.fault = None
        return fault


class _Server(ThreadingHTTPServer):
    """Forwards, or breaks."""

    daemon_threads = True

    def __init__(self, target: str, check: Check | None, serve: Serve | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target, self.check, self.serve = target, check, serve
        self.proxy = Proxy(f"http://localhost:{self.server_address[1]}", target)
        self.turns = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or a reply waits 40 ms for the client to acknowledge its headers
    server: _Server

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def _pass(self) -> None:
        body, proxy = self.rfile.read(int(self.headers.get("content-length") or 0)), self.server.proxy
        with self.server.turns:
            fault = proxy.due(self.command)
            if self.command in WRITES:
                proxy.offered.append(f"{self.command} {self.path}")
        if fault is not None and fault.kind == "cut":
            self._hang_up()
        elif fault is not None and fault.kind == "answer":
            self._answer(fault)
        else:
            status, headers, reply = self._forward(body)
            if fault is None:
                self._send(status, headers, reply)
            elif fault.kind == "swallow":
                self._hang_up()
            elif fault.kind == "truncate":
                self._send(status, headers, reply, cut=True)
            else:
                self._answer(fault)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        server = self.server
        if server.check is not None:
            server.proxy.wrong += server.check(self.command, self.path, body)
        if server.serve is not None:
            token = (self.headers.get("authorization") or "").rpartition(" ")[2]
            with server.turns:
                answer = server.serve(self.command, self.path, body, token)
            if answer is not None:
                if self.command in WRITES:
                    server.proxy.writes.append(f"{self.command} {self.path}")
                said = json.dumps(answer[1]).encode() if answer[1] is not None else b""
                return answer[0], [("Content-Type", "application/json"), *answer[2].items()], said
        return self._upstream(body)

    def _upstream(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        target = urlsplit(self.server.target)
        upstream = http.client.HTTPConnection(target.netloc, timeout=30)
        try:
            upstream.request(self.command, self.path, body, dict(self.headers.items()))
            answer = upstream.getresponse()
            if self.command in WRITES:
                self.server.proxy.writes.append(f"{self.command} {self.path}")
            return answer.status, answer.getheaders(), answer.read()
        finally:
            upstream.close()

    def _answer(self, fault: Fault) -> None:
        reply = json.dumps({"message": fault.message}).encode()
        self._send(fault.status, [("Content-Type", "application/json"), *fault.headers.items()], reply)

    def _send(self, status: int, headers: list[tuple[str, str]], reply: bytes, *, cut: bool = False) -> None:
        """The server names its own address in what it answers: clients go on through the proxy."""
        theirs, ours = self.server.target, self.server.proxy.url
        reply = reply.replace(theirs.encode(), ours.encode())
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value.replace(theirs, ours))
        if status != 204:
            self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(b"" if status == 204 else reply[: len(reply) // 2] if cut else reply)
        if cut:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@contextmanager
def proxied(server: str, *, check: Check | None = None, serve: Serve | None = None) -> Iterator[Proxy]:
    """Run a proxy in front of `server`, a URL on loopback.

    Args:
        check: Reads every request that reaches the server.
        serve: Answers what the server does not serve.
    """
    with _Server(server, check, serve) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        try:
            yield running.proxy
        finally:
            running.shutdown()
            thread.join()
