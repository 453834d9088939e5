"""What an error of Gmail's means: not done, asked to wait, or nobody knows."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import httplib2
from google.auth.exceptions import GoogleAuthError
from googleapiclient.errors import Error, HttpError

from langchain_agentrein.errors import NotDone, Throttled
from langchain_agentrein.toolkits.gmail.transport import NeverSent, ReplyLost

GONE: Final = (404, 410)
SLOWER: Final = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
"""Reasons of a 403 that ask to wait.

Source: developers.google.com/workspace/gmail/api/guides/handle-errors.
"""
WAIT: Final = 5.0
"""Seconds to wait where Gmail asks to slow down, and does not say for how long."""
LONGEST: Final = 300.0
"""Seconds beyond which nobody waits: a day's limit of mails is a refusal."""
_UNTIL = re.compile(r"Retry after (\d{4}-\d\d-\d\dT[\d:.]+Z)")


class Gone(NotDone):
    """The thing is not there."""


@contextmanager
def reading() -> Iterator[None]:
    """Nothing is done by a read: whatever becomes of it, it says so."""
    try:
        with writing():
            yield
    except NotDone:
        raise
    except (
        Error,
        OSError,
        ValueError,
        httplib2.HttpLib2Error,
        http.client.HTTPException,
        ReplyLost,
    ) as error:
        raise NotDone(f"Gmail could not be read, nothing was done: {_said(error)}") from error


@contextmanager
def writing() -> Iterator[None]:
    """Read an error for what it means: refused, asked to wait, or nobody knows."""
    try:
        yield
    except HttpError as error:
        _judge(error, int(error.resp.status))
        raise
    except NeverSent as error:
        raise NotDone(f"Gmail is out of reach, nothing was done: {error}") from error
    except GoogleAuthError as error:  # from the credentials, before a request or after a 401
        why = error.args[0] if error.args else type(error).__name__
        raise NotDone(
            f"the credentials are expired, revoked or incomplete, nothing was done: {why}"
        ) from error


def _judge(error: HttpError, status: int) -> None:
    """Raise what a status certainly means; where it means nothing certain, nothing."""
    said = _said(error)
    if status == 429 or (status == 403 and _reason(error) in SLOWER):
        wait = _wait(error)
        if wait > LONGEST:
            raise NotDone(f"Gmail takes no more for now, nothing was done: {said}") from error
        raise Throttled(f"Gmail asks to wait: {said}", wait) from error
    if status in GONE:
        raise Gone(f"Gmail has no such thing: {said}") from error
    if 400 <= status < 500 and status != 408:
        raise NotDone(f"Gmail refused, nothing was done: {said}") from error


def _wait(error: HttpError) -> float:
    after = str(error.resp.get("retry-after", ""))
    if after.isdigit():
        return float(after)
    if told := _UNTIL.search(str(error.reason)):
        left = datetime.fromisoformat(told[1]) - datetime.now(UTC)
        return max(left.total_seconds(), 1.0)
    return WAIT


def _reason(error: HttpError) -> str:
    try:
        details: Any = json.loads(error.content)["error"]["errors"]
        return str(details[0]["reason"])
    except (ValueError, KeyError, TypeError, IndexError):
        return ""


def _said(error: BaseException) -> str:
    if isinstance(error, HttpError):
        return f"{error.reason or 'no reason given'} ({error.resp.status})"
    return f"{type(error).__name__}: {error}"
