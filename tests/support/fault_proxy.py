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


def _writes(verb: str, body: bytes) -> bool:
    """Whether a request writes: not a query of GraphQL, which is posted, too."""
    return verb in WRITES and not body.startswith(b'{"query": "query')


@dataclass
class Fault:
    """What happens to one request that writes.

    Attributes:
        kind: `swallow`: it is done, and the connection cut before the reply. `cut`: the connection is cut before
            the server sees it. `answer`: `status` instead of the server. `answer after`: it is done, and then `status`.
            `truncate`: it is done, and the connection cut in the middle of the reply.
        skip: So many requests that write pass first.
        times: So many are broken.
        reply: What an answer says, as JSON; otherwise `message`.
        reads: Requests that read are broken, too.
        after: So many requests that write have reached the server before.
    """

    kind: Kind
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "broken on purpose"
    reply: Any = None
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
        answers: By `path` or `VERB path`, what answers in place of a server that does not serve it; given the
            body's fields.
        wrong: What `check` found in requests that reached the server.
    """

    url: str
    server: str
    writes: list[str] = field(default_factory=list)
    offered: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    fault: Fault | None = None
    answers: dict[str, Callable[..., Any]] = field(default_factory=dict)

    def due(self, writes: bool) -> Fault | None:
        """The fault of this request, if it has one."""
        fault = self.fault
        if fault is None or not (writes or fault.reads) or len(self.writes) < fault.after:
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
    disable_nagle_algorithm = True  # or each answer waits 40 ms for the client's acknowledgement
    server: _Server

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def _pass(self) -> None:
        body, proxy = self.rfile.read(int(self.headers.get("content-length") or 0)), self.server.proxy
        with self.server.turns:
            writes = _writes(self.command, body)
            fault = proxy.due(writes)
            if writes:
                proxy.offered.append(f"{self.command} {self.path}")
        if fault is not None and fault.kind == "cut":
            self._hang_up()
        elif fault is not None and fault.kind == "answer":
            self._answer(fault)
        else:
            status, headers, reply = self._forward(body, writes)
            if fault is None:
                self._send(status, headers, reply)
            elif fault.kind == "swallow":
                self._hang_up()
            elif fault.kind == "truncate":
                self._send(status, headers, reply, cut=True)
            else:
                self._answer(fault)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815

    def _forward(self, body: bytes, writes: bool) -> tuple[int, list[tuple[str, str]], bytes]:
        server, proxy = self.server, self.server.proxy
        if server.check is not None:
            proxy.wrong += server.check(self.command, self.path, body)
        path = self.path.partition("?")[0]
        if (stand_in := proxy.answers.get(f"{self.command} {path}", proxy.answers.get(path))) is not None:
            if writes:
                proxy.writes.append(f"{self.command} {self.path}")
            reply = stand_in(**json.loads(body or b"{}"))
            if isinstance(reply, bytes):
                return 200, [("Content-Type", "application/octet-stream")], reply
            return 200, [("Content-Type", "application/json")], json.dumps(reply).encode()
        if server.serve is not None:
            token = (self.headers.get("authorization") or "").rpartition(" ")[2]
            with server.turns:
                answer = server.serve(self.command, self.path, body, token)
            if answer is not None:
                if writes:
                    proxy.writes.append(f"{self.command} {self.path}")
                said = json.dumps(answer[1]).encode() if answer[1] is not None else b""
                return answer[0], [("Content-Type", "application/json"), *answer[2].items()], said
        return self._upstream(body, writes)

    def _upstream(self, body: bytes, writes: bool) -> tuple[int, list[tuple[str, str]], bytes]:
        proxy = self.server.proxy
        target = urlsplit(self.server.target)
        upstream = http.client.HTTPConnection(target.netloc, timeout=30)
        try:
            upstream.request(self.command, self.path, body, dict(self.headers.items()))
            answer = upstream.getresponse()
            if writes:
                proxy.writes.append(f"{self.command} {self.path}")
            return answer.status, answer.getheaders(), answer.read()
        finally:
            upstream.close()

    def _answer(self, fault: Fault) -> None:
        reply = json.dumps(fault.reply or {"message": fault.message}).encode()
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
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield running.proxy
        finally:
            running.shutdown()
            thread.join()
