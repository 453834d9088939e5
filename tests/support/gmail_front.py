"""A Gmail API: an emulator's, and before it what the emulator lacks, as Google documents it.

It holds every request against the API's description, and serves the profile, the absence note, forwarding, and the
addresses to send as by itself. Where the emulator differs from Gmail it makes up for that: a thread shows what is in the
trash, and a message is found by its Message-ID.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import itertools
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.support.discovery import described

TOKENS = 60
"""The emulator lets a token make 5,000 requests an hour: the mailbox has several."""
IDLE = 2.0
"""Seconds after which a connection is not used again: the emulator hangs up after five."""
SINGLE = ("vacation", "autoForwarding")


class Settings:
    """What the emulator does not serve: one mailbox's settings."""

    def __init__(self, email: str) -> None:
        self.owner = email
        self.reset()

    def reset(self) -> None:
        """As in a new mailbox."""
        self.email = self.owner
        self.single: dict[str, Any] = {
            "vacation": {"enableAutoReply": False},
            "autoForwarding": {"enabled": False},
        }
        self.forwarding: dict[str, Any] = {}
        own = {"sendAsEmail": self.email, "displayName": "Bot", "isPrimary": True, "isDefault": True}
        self.send_as: dict[str, Any] = {self.email: own}
        self.invited: list[str] = []

    def state(self) -> dict[str, Any]:
        """All of them."""
        return json.loads(json.dumps([self.single, self.forwarding, self.send_as]))

    def answer(self, verb: str, path: str, body: Any) -> tuple[int, Any] | None:
        """What a request is answered; `None`, where it is the emulator's."""
        if path == "profile":
            return 200, {"emailAddress": self.email, "messagesTotal": 0, "threadsTotal": 0, "historyId": "1"}
        _, _, rest = path.partition("settings/")
        name, _, item = rest.partition("/")
        if name in SINGLE:
            if verb == "PUT":
                if name == "autoForwarding" and body.get("enabled") and not self._verified(body):
                    return _refused(400, "Unrecognized forwarding address", "failedPrecondition")
                self.single[name] = body
            return 200, self.single[name]
        if name == "forwardingAddresses":
            return self._item(self.forwarding, "forwardingEmail", "forwardingAddresses", verb, item, body)
        if name == "sendAs":
            return self._item(self.send_as, "sendAsEmail", "sendAs", verb, item, body)
        return None

    def _verified(self, body: Any) -> bool:
        there = self.forwarding.get(body.get("emailAddress"))
        return bool(there and there["verificationStatus"] == "accepted")

    def _item(
        self, kept: dict[str, Any], key: str, listed: str, verb: str, item: str, body: Any
    ) -> tuple[int, Any]:
        if not item:
            if verb == "GET":
                return 200, {listed: list(kept.values())}
            if body[key] in kept:
                return _refused(409, "Already exists", "alreadyExists")
            self.invited.append(body[key])
            inside = body[key].endswith(self.email.partition("@")[2])
            kept[body[key]] = {**body, "verificationStatus": "accepted" if inside else "pending"}
            return 200, kept[body[key]]
        if item not in kept:
            return _refused(404, "Requested entity was not found.", "notFound")
        if verb == "DELETE":
            if kept[item].get("isPrimary"):
                return _refused(400, "Invalid delete request", "invalidArgument")
            del kept[item]
            return 204, None
        if verb in ("PATCH", "PUT"):
            kept[item] = {**kept[item], **body}
        return 200, kept[item]


def _refused(code: int, message: str, reason: str) -> tuple[int, Any]:
    error = {"code": code, "message": message, "errors": [{"message": message, "reason": reason}]}
    return code, {"error": error}


class Front(ThreadingHTTPServer):
    """Runs on loopback.

    Attributes:
        problems: What was wrong with the requests so far.
        marks: Whether a mail that is sent keeps the Message-ID that it was given; Gmail may give it another.
        headers: Whether every header of a message is shown, as Gmail shows them; the emulator knows a few by name.
    """

    daemon_threads = True

    def __init__(self, emulator: str, email: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.emulator, self.settings = urlsplit(emulator).netloc, Settings(email)
        self.url = f"http://localhost:{self.server_address[1]}"
        self.problems: list[str] = []
        self.marks, self.headers = True, False
        self.turn = itertools.count()
        self.local = threading.local()

    def reset(self) -> None:
        """Forget everything of the last test."""
        self.settings.reset()
        self.problems.clear()
        self.marks, self.headers = True, False

    def ask(self, verb: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Ask the emulator."""
        if time.monotonic() - getattr(self.local, "used", 0.0) > IDLE:
            self.close()
        upstream = getattr(self.local, "upstream", None)
        if upstream is None:
            upstream = self.local.upstream = http.client.HTTPConnection(self.emulator, timeout=30)
        token = f"bot-{next(self.turn) % TOKENS}"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        upstream.request(verb, path, body or None, headers)
        answer = upstream.getresponse()
        self.local.used = time.monotonic()
        return answer.status, answer.read()

    def close(self) -> None:
        """Hang up, in this thread."""
        if (upstream := getattr(self.local, "upstream", None)) is not None:
            upstream.close()
            self.local.upstream = None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Front

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()

    def finish(self) -> None:
        super().finish()
        self.server.close()

    def _serve(self) -> None:
        front = self.server
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path == "/token":
            self._send(200, b'{"access_token": "renewed", "expires_in": 3600}')
            return
        front.problems += described("gmail.v1").problems(self.command, self.path, body)
        path, _, query = self.path.partition("?")
        inner = unquote(path.partition("/users/me/")[2])
        own = front.settings.answer(self.command, inner, json.loads(body) if body else None)
        if own is not None:
            status, answer = own
            self._send(status, b"" if answer is None else json.dumps(answer).encode())
            return
        sought = re.search(r"(?:^|&)q=rfc822msgid%3A([^&]+)", query)
        if sought and self.command == "GET" and inner == "messages":
            self._send(200, self._with_message_id(unquote(sought[1])))
            return
        if self.command == "GET" and re.fullmatch(r"threads/[^/]+", inner):
            query = "&".join(filter(None, (query, "includeSpamTrash=true")))
        if not front.marks and inner == "messages/send":
            body = _without_marks(body)
        status, reply = front.ask(self.command, f"{path}?{query}" if query else path, body)
        shown = front.headers or inner.startswith("drafts/")
        if shown and self.command == "GET" and status == 200:
            reply = self._all_headers(json.loads(reply))
        self._send(status, reply)

    def _with_message_id(self, wanted: str) -> bytes:
        """The emulator's own search for one never finds any."""
        path = "/gmail/v1/users/me/messages"
        listed = json.loads(self.server.ask("GET", f"{path}?includeSpamTrash=true&maxResults=500")[1])
        found = []
        for one in listed["messages"]:
            message = json.loads(self.server.ask("GET", f"{path}/{one['id']}?format=metadata")[1])
            headers = {header["name"]: header["value"] for header in message["payload"]["headers"]}
            if headers["Message-ID"].strip("<>") == wanted:
                found.append(one)
        return json.dumps({"messages": found, "resultSizeEstimate": len(found)}).encode()

    def _all_headers(self, answer: Any) -> bytes:
        messages = answer.get("messages") or [answer.get("message") or answer]
        for message in messages:
            if "payload" in message:
                path = f"/gmail/v1/users/me/messages/{message['id']}?format=raw"
                raw = json.loads(self.server.ask("GET", path)[1])["raw"]
                mail = message_from_bytes(base64.urlsafe_b64decode(raw + "=="))
                message["payload"]["headers"] = [
                    {"name": name, "value": value} for name, value in mail.items()
                ]
        return json.dumps(answer).encode()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _send(self, status: int, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if status == 204 else body)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


def _without_marks(body: bytes) -> bytes:
    message = json.loads(body)
    mail = base64.urlsafe_b64decode(message["raw"])
    mail = re.sub(rb"(?m)^(Message-ID|X-Agentrein):.*\r\n", b"", mail)
    return json.dumps({**message, "raw": base64.urlsafe_b64encode(mail).decode()}).encode()


@contextmanager
def fronted(emulator: str, email: str) -> Iterator[Front]:
    """Run it before an emulator, for the mailbox of `email`."""
    with Front(emulator, email) as front:
        thread = threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield front
        finally:
            front.shutdown()
            thread.join()
