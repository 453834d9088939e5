"""PyGithub's requester, from which no write goes out that no operation makes."""

from __future__ import annotations

import contextvars
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from github import Github
from github.Requester import Requester

from langchain_agentrein.errors import ConfigError, NotCovered, NotDone
from langchain_agentrein.toolkits.github.hub import READS, for_reads, writing

WAY_OUT = "_Requester__requestEncode"
"""Through which every request of PyGithub goes; `test_sdk_walk.py` looks whether it still does."""


@dataclass
class _Let:
    """What went out while writes were let pass.

    Attributes:
        done: How many of them GitHub did.
    """

    done: int = 0


_LET: contextvars.ContextVar[_Let | None] = contextvars.ContextVar("agentrein_github_let", default=None)
_WRITES = re.compile(r"\b(mutation|subscription)\b")


@contextmanager
def letting() -> Iterator[None]:
    """Let writes pass in this thread, and read their errors for whether anything was done.

    A method may send several: after one that was done, a refusal of the next does not mean that nothing was.
    """
    let = _Let()
    token = _LET.set(let)
    try:
        with writing():
            yield
    except NotDone as refusal:
        if not let.done or refusal.__cause__ is None:
            raise
        raise refusal.__cause__ from None
    finally:
        _LET.reset(token)


class Guarded(Requester):
    """A requester that reads. Whatever object holds it, and however its methods are called.

    A method that was taken for a read, or called on the object behind a proxy, cannot write through it.
    """

    @classmethod
    def of(cls, requester: Requester) -> Self:
        """A requester, guarded from here on; a client's own stays as it is, so give it one that nobody else holds."""
        requester.__class__ = cls
        assert isinstance(requester, cls)
        return requester

    def withAuth(self, auth: Any) -> Any:  # noqa: N802 - PyGithub's name
        return self._as_guarded(super().withAuth(auth))

    def withLazy(self, lazy: Any) -> Any:  # noqa: N802
        return self._as_guarded(super().withLazy(lazy))

    def withApiVersion(self, api_version: Any) -> Any:  # noqa: N802
        return self._as_guarded(super().withApiVersion(api_version))

    def _as_guarded(self, other: Requester) -> Guarded:
        return self if other is self else Guarded.of(other)

    def _Requester__requestEncode(  # noqa: N802 - the one way out, whichever method is called
        self,
        cnx: Any,
        verb: str,
        url: str,
        parameters: Any,
        headers: Any,
        sent: Any,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        let = None if verb == "POST" and url == self.graphql_url and asks(sent) else _passing(verb, url)
        answer = getattr(super(), WAY_OUT)(cnx, verb, url, parameters, headers, sent, *args, **kwargs)
        if let is not None and answer[0] < 400:
            let.done += 1
        return answer


def asks(sent: Any) -> bool:
    """Whether a GraphQL request only asks."""
    if not isinstance(sent, Mapping) or set(sent) - {"query", "variables"}:
        return False
    text = sent.get("query")
    return isinstance(text, str) and _WRITES.search(text) is None


def guarded(client: Github) -> Github:
    """A client with the same credentials that only reads, and that repeats nothing else.

    Raises:
        ConfigError: This PyGithub sends its requests another way than the one that is guarded.
    """
    if isinstance(client.requester, Guarded):
        return client
    if not hasattr(Requester, WAY_OUT):
        raise ConfigError(
            "this release of PyGithub cannot be wrapped: its requests go out where nothing guards them"
        )
    given = client.requester.kwargs
    twin = Github(**{**given, "retry": for_reads(given["retry"])})
    Guarded.of(twin.requester)
    return twin


def _passing(verb: str, url: str) -> _Let | None:
    """`None` for a read.

    Raises:
        NotCovered: It is a write, and none may pass.
    """
    if verb in READS:
        return None
    if (let := _LET.get()) is None:
        raise NotCovered(
            f"{verb} {url} comes from a client wrapped by rein.wrap(...), and from no operation: nothing was sent. "
            "Call the method on the wrapped object; the client that you wrapped sends it, and journals nothing",
            method=f"{verb} {url}",
        )
    return let
