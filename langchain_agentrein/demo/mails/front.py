"""Before the emulator, the one thing that it lacks: whose mailbox it is."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PROFILE = "/gmail/v1/users/me/profile"
_PASSED = ("Authorization", "Content-Type")


@contextmanager
def fronted(emulator: str, email: str) -> Iterator[str]:
    """Serve an emulator's API with the profile in it, on loopback.

    Args:
        emulator: Its URL.
        email: Whose mailbox it is.
    Yields:
        The URL to use instead.
    """

    class Front(BaseHTTPRequestHandler):
        protocol_version, wbufsize = "HTTP/1.1", -1  # an answer is sent as a whole

        def do_GET(self) -> None:
            if urlsplit(self.path).path == PROFILE:
                self._answer(200, "application/json", json.dumps({"emailAddress": email}).encode())
            else:
                self._forward()

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            passed = {name: self.headers[name] for name in _PASSED if name in self.headers}
            behind = http.client.HTTPConnection(urlsplit(emulator).netloc)
            try:
                behind.request(self.command, self.path, body, passed)
                answer = behind.getresponse()
                self._answer(answer.status, answer.getheader("Content-Type", ""), answer.read())
            finally:
                behind.close()

        do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815 - as http.server wants them

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """The emulator has a log of its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Front)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
