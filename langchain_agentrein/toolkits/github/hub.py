"""GitHub as the operations speak with it: PyGithub's requester, whose errors say whether anything was done."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from weakref import WeakKeyDictionary

import requests
from github import Github, GithubException, RateLimitExceededException
from github.GithubRetry import GithubRetry
from urllib3 import Retry
from urllib3.exceptions import NameResolutionError, NewConnectionError

from langchain_agentrein.action import Action, Json
from langchain_agentrein.errors import NotDone, Throttled

SETTLES: Final = 10.0
"""Seconds after which GitHub has ended a request, one way or the other.

Source: docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api, "Timeouts".
"""
GONE: Final = (404, 410)
WAIT: Final = 60.0
"""Seconds to wait where GitHub asks to slow down, and does not say for how long."""
READS: Final = frozenset({"GET", "HEAD"})
PAGE: Final = 100
CHUNK: Final = 65_536
SKEW: Final = timedelta(hours=1)


class Gone(NotDone):
    """The thing is not there, or these credentials do not see it."""


class Hub:
    """A GitHub client for reversible operations.

    Args:
        client: The developer's client. It is not changed: a twin with the same credentials repeats reads
            alone. PyGithub repeats POST as well, by default, and so makes two issues of one whose reply was lost.
        markers: Whether an invisible comment is put into what is created, by which a lost reply is settled.
            Without it such a create stays in doubt.
        settles: Seconds after which a request whose reply was lost has ended.
    """

    def __init__(self, client: Github, *, markers: bool = True, settles: float = SETTLES) -> None:
        given = client.requester.kwargs
        self._client = Github(**{**given, "retry": for_reads(given["retry"]), "lazy": True})
        self._login: str | None = None
        self.markers, self.settles = markers, settles

    def account(self) -> str:
        """`host/login`, asked once for each client."""
        return f"{self._client.requester.hostname_and_port}/{self.login}"

    @property
    def login(self) -> str:
        """Whose credentials these are, asked once for each client."""
        if self._login is None:
            self._login = self.whose()
        return self._login

    def whose(self) -> str:
        """The same, asked anew.

        Raises:
            NotDone: The credentials open nothing.
        """
        try:
            return str(self.get("/user")["login"])
        except NotDone:  # an app's installation has no user; it has a viewer
            with reading():
                return str(self.query("query { viewer { login } }", {})["viewer"]["login"])

    def granted(self) -> frozenset[str] | None:
        """The scopes of a classic token, or of an OAuth app's; `None`: other credentials, which do not say.

        Source: docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps.

        Raises:
            NotDone: The credentials open nothing, or nobody answers.
        """
        self.whose()
        try:
            with reading():
                headers, _ = self._client.requester.requestJsonAndCheck("GET", "/user")
        except NotDone:  # an app's installation
            return None
        said = headers.get("x-oauth-scopes")
        return (
            None if said is None else frozenset(scope.strip() for scope in said.split(",") if scope.strip())
        )

    def get(self, path: str, **parameters: Any) -> Any:
        """What is at a path.

        Raises:
            Gone: Nothing is.
        """
        with reading():
            return self._client.requester.requestJsonAndCheck("GET", path, parameters=parameters or None)[1]

    def find(self, path: str, **parameters: Any) -> Any:
        """What is at a path of a repository, or `None`.

        Raises:
            Gone: The repository is not seen either. GitHub says the same of what is not there and of what
                these credentials may not see, and the latter must not count as undone.
        """
        try:
            return self.get(path, **parameters)
        except Gone:
            self.get("/".join(path.split("/")[:4]))
            return None

    def pages(self, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Everything in a list, page by page."""
        page = 1
        while True:
            with reading():
                headers, items = self._client.requester.requestJsonAndCheck(
                    "GET", path, parameters={**parameters, "per_page": PAGE, "page": page}
                )
            yield from items["items"] if isinstance(items, dict) else items
            if 'rel="next"' not in headers.get("link", ""):
                return
            page += 1

    def since(self, action: Action, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Of a list that has the newest first, what was created since an action began, or not long before it.

        Clocks differ.
        """
        begun = action.started_at or datetime.min.replace(tzinfo=UTC)
        for item in self.pages(path, **parameters):
            if begun - datetime.fromisoformat(item["created_at"]) > SKEW:
                return
            yield item

    def send(self, verb: str, path: str, body: Mapping[str, Json] | None = None) -> Any:
        """Change something, once.

        Raises:
            NotDone: GitHub refused it.
            Throttled: It asks to wait, and did nothing.
            Exception: Whatever else leaves open whether it was done.
        """
        with writing():
            return self._client.requester.requestJsonAndCheck(
                verb, path, input=dict(body) if body is not None else None
            )[1]

    def download(self, url: str, most: int) -> bytes:
        """The content of a file that is kept as it is; no more than `most` bytes, and one."""
        with reading():
            try:
                chunks = self._client.requester.getStream(url, chunk_size=CHUNK)[2]
            except (
                AssertionError
            ) as error:  # PyGithub's word for a redirection to a host that is not GitHub's
                raise NotDone(f"{url} lies on a host that is not GitHub's: {error}") from error
            content = b""
            for chunk in chunks:
                content += chunk
                if len(content) > most:
                    break
            return content[: most + 1]

    def upload(self, url: str, content: bytes, content_type: str, **named: Json) -> Any:
        """Upload a file, once. Raises what `send` raises."""
        body: Any = content  # bytes, not a file of them: an empty one would be sent in chunks, and refused
        with writing():
            return self._client.requester.requestMemoryBlobAndCheck(
                "POST", url, named, {"Content-Type": content_type}, body
            )[1]

    def query(self, text: str, variables: Mapping[str, Json]) -> Any:
        """One GraphQL request; its `data`. Raises what `send` raises.

        GraphQL answers 200 to what it refuses as well; an error that it gives no type or code for ("something went
        wrong") leaves open whether it was done.
        """
        with writing():
            try:
                return self._client.requester.graphql_query(text, dict(variables))[1]["data"]
            except GithubException as error:
                raise _of_graphql(error) from error

    def wait_for(self, action: Action) -> None:
        """Wait until a request whose reply was lost cannot land any more."""
        begun = action.started_at or datetime.now(UTC)
        left = self.settles - (datetime.now(UTC) - begun).total_seconds()
        time.sleep(min(max(left, 0.0), self.settles))

    def marked(self, text: str, action: Action) -> str:
        """`text` with the action's marker, which readers do not see."""
        return f"{text}\n\n{marker(action)}".lstrip() if self.markers else text


_HUBS: WeakKeyDictionary[Github, Hub] = WeakKeyDictionary()


def hub_of(client: Any) -> Hub:
    """The hub of a client; of a hub, itself."""
    if isinstance(client, Hub):
        return client
    if client not in _HUBS:
        _HUBS[client] = Hub(client)
    return _HUBS[client]


def marker(action: Action) -> str:
    """An invisible comment that only this try of this call writes."""
    return f"<!-- agentrein:{sha256(action.key.encode()).hexdigest()[:24]} -->"


_MARKER = re.compile(r"\s*<!-- agentrein:[0-9a-f]{24} -->\s*\Z")


def unmarked(text: str | None) -> str:
    """A body as a reader sees it."""
    return _MARKER.sub("", text or "")


def for_reads(retry: int | Retry | None) -> int | Retry | None:
    """A client's way to repeat requests, for those that read alone."""
    if retry is None:
        return None
    if isinstance(retry, int):
        return GithubRetry(total=retry, allowed_methods=READS)
    return retry.new(allowed_methods=READS)


@contextmanager
def reading() -> Iterator[None]:
    """Nothing is done by a read: whatever becomes of it, it says so."""
    try:
        with writing():
            yield
    except NotDone:
        raise
    except (GithubException, requests.RequestException) as error:
        raise NotDone(f"GitHub could not be read, nothing was done: {_said(error)}") from error


@contextmanager
def writing() -> Iterator[None]:
    """Read an error for what it means: refused, asked to wait, or nobody knows."""
    try:
        yield
    except GithubException as error:
        if (wait := _asks_to_wait(error)) is not None:
            raise Throttled(f"GitHub asks to wait: {_said(error)}", wait) from error
        if error.status in GONE:
            raise Gone(
                f"GitHub has no such thing, or these credentials do not see it: {_said(error)}"
            ) from error
        if 400 <= error.status < 500 and error.status != 408:
            raise NotDone(f"GitHub refused, nothing was done: {_said(error)}") from error
        raise
    except requests.ConnectionError as error:
        if isinstance(error, requests.ConnectTimeout) or _never_connected(error):
            raise NotDone(f"GitHub is out of reach, nothing was done: {_said(error)}") from error
        raise


def _of_graphql(error: GithubException) -> GithubException:
    """The same error with a status that says what it means: PyGithub gives 400 to whatever GraphQL says."""
    said = error.data.get("errors") if isinstance(error.data, dict) else None
    if error.status != 400 or not said:
        return error
    kinds = {one.get("type") or (one.get("extensions") or {}).get("code") for one in said}
    if "RATE_LIMITED" in kinds:
        return GithubException(429, error.data, error.headers)
    return GithubException(500, error.data, error.headers) if None in kinds else error


def _asks_to_wait(error: GithubException) -> float | None:
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    limited = error.status in (403, 429) and (
        error.status == 429
        or isinstance(error, RateLimitExceededException)
        or "retry-after" in headers
        or headers.get("x-ratelimit-remaining") == "0"
    )
    if not limited:
        return None
    if headers.get("retry-after", "").isdigit():
        return float(headers["retry-after"])
    if headers.get("x-ratelimit-remaining") == "0" and headers.get("x-ratelimit-reset", "").isdigit():
        return max(float(headers["x-ratelimit-reset"]) - time.time(), 1.0)
    return WAIT


def _never_connected(error: requests.ConnectionError) -> bool:
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, NewConnectionError | NameResolutionError)


def _said(error: Exception) -> str:
    if not isinstance(error, GithubException):
        return type(error).__name__
    data = error.data if isinstance(error.data, dict) else {}
    details = "; ".join(_detail(one) for one in data.get("errors") or ())
    said = data.get("message") or error.message or "no reason given"
    return f"{said} ({error.status}{', ' + details if details else ''})"


def _detail(one: Any) -> str:
    if not isinstance(one, dict):
        return str(one)
    return str(one.get("message") or " ".join(str(one[name]) for name in ("field", "code") if name in one))
