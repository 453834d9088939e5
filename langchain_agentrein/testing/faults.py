"""What goes wrong in the tests, and what the journal makes of a value."""

from __future__ import annotations

import asyncio
import base64
import inspect
from typing import Any

import pytest

from langchain_agentrein.action import Action, Json
from langchain_agentrein.journal.redaction import Redactor
from langchain_agentrein.journal.sealing import Vault
from langchain_agentrein.operation import Operation

KEY = base64.urlsafe_b64encode(bytes(32))
"""A key to seal secrets with, in tests."""


class Killed(BaseException):
    """Stands for a process that dies: nothing of ours catches it."""


def answer(value: Any) -> Any:
    """What a hook returned, awaited if need be."""

    async def wait() -> Any:
        return await value

    return asyncio.run(wait()) if inspect.isawaitable(value) else value


def journaled(value: Json) -> Json:
    """`value` as it comes back from the journal."""
    vault = Vault(lambda: KEY, Redactor())
    text, blobs = vault.pack(value)
    return vault.unpack(text, blobs.get)


def interrupt(
    monkeypatch: pytest.MonkeyPatch, operation: Operation, hook: str, error: BaseException, *, after: bool
) -> None:
    """Raise `error` instead of what `hook` returns: after it ran, or before it would."""
    real = getattr(type(operation), hook)

    def plain(self: Operation, api: Any, action: Action) -> Any:
        if after:
            real(self, api, action)
        raise error

    async def awaited(self: Operation, api: Any, action: Action) -> Any:
        if after:
            await real(self, api, action)
        raise error

    monkeypatch.setattr(type(operation), hook, awaited if inspect.iscoroutinefunction(real) else plain)


def count(monkeypatch: pytest.MonkeyPatch, operation: Operation, hook: str) -> list[str]:
    """Note every call of `hook`."""
    real, calls = getattr(type(operation), hook), list[str]()

    def noted(self: Operation, api: Any, action: Action) -> Any:
        calls.append(action.id)
        return real(self, api, action)

    monkeypatch.setattr(type(operation), hook, noted)
    return calls
