"""`reversible`: the reverse declared beside the forward, for any function or tool."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeAlias, overload

from langchain_core.tools import BaseTool
from langchain_core.tools import tool as make_tool

from langchain_agentrein.action import Reversal, Risk
from langchain_agentrein.errors import ConfigError
from langchain_agentrein.function import Hook, Hooks, declare
from langchain_agentrein.tool import ReversibleTool

Wrappable: TypeAlias = Callable[..., Any] | BaseTool
"""What can be made reversible: a function, sync or async, or any tool."""


@overload
def reversible(
    target: Wrappable,
    *,
    undo: Hook | None = ...,
    snapshot: Hook | None = ...,
    probe: Hook | None = ...,
    observe: Hook | None = ...,
    risk: Risk | None = ...,
    reversal: Reversal | None = ...,
    read_only: bool = ...,
    not_done: tuple[type[BaseException], ...] = ...,
    version: int = ...,
) -> ReversibleTool: ...


@overload
def reversible(
    target: None = None,
    *,
    undo: Hook | None = ...,
    snapshot: Hook | None = ...,
    probe: Hook | None = ...,
    observe: Hook | None = ...,
    risk: Risk | None = ...,
    reversal: Reversal | None = ...,
    read_only: bool = ...,
    not_done: tuple[type[BaseException], ...] = ...,
    version: int = ...,
) -> Callable[[Wrappable], ReversibleTool]: ...


def reversible(
    target: Wrappable | None = None,
    *,
    undo: Hook | None = None,
    snapshot: Hook | None = None,
    probe: Hook | None = None,
    observe: Hook | None = None,
    risk: Risk | None = None,
    reversal: Reversal | None = None,
    read_only: bool = False,
    not_done: tuple[type[BaseException], ...] = (),
    version: int = 1,
) -> ReversibleTool | Callable[[Wrappable], ReversibleTool]:
    """Make a function, or any `BaseTool`, a tool whose calls can be undone.

        @reversible(undo=lambda action: api.cancel(action.receipt["id"]))
        def book(room: str) -> dict: ...

        @reversible
        def book(room: str) -> dict: ...
        @book.undo
        def cancel(action): ...

    Made at the top of an importable module it is found again by name in a fresh process;
    hooks must reach what they need from there, not from a closure.

    Args:
        undo: `undo(action)`: takes it back; may return the residue.
        snapshot: `snapshot(**args) -> JSON`: what is there before.
        probe: `probe(action)`: `Happened(receipt)`, `NotHappened()` or `Unknown(why)`.
        observe: `observe(action) -> JSON`: what it changed, as it is now, in the shape of the snapshot.
        risk: Medium with an undo, high without, unless given.
        reversal: Compensating with an undo, none without, unless given.
        read_only: It changes nothing: never journaled, never asked about.
        not_done: Exceptions of the function that mean that it certainly did nothing.
        version: Raise it when arguments, snapshot or return value change their shape.
    Returns:
        A `ReversibleTool`, not yet bound to a journal; or a decorator that makes one.
    Raises:
        ConfigError: It is reversible already, or says both that it changes nothing and how to undo that.
    """
    hooks = Hooks(undo, snapshot, probe, observe, risk, reversal, not_done)
    if read_only and (undo or snapshot or probe or observe):
        raise ConfigError(
            "read_only=True says that it changes nothing: leave out undo, snapshot, probe and observe"
        )
    module = _caller()

    def wrap(given: Wrappable) -> ReversibleTool:
        if isinstance(given, ReversibleTool):
            raise ConfigError(f"{given.name} is reversible already")
        if not isinstance(given, BaseTool) and not callable(given):
            raise ConfigError(f"{given!r} is neither a function nor a tool")
        inner = given if isinstance(given, BaseTool) else make_tool(given)
        operation = declare(inner, hooks, version=version, module=module)
        return ReversibleTool.of_tool(inner, operation, read_only=read_only)

    return wrap if target is None else wrap(target)


def _caller() -> str | None:
    """The module that called `reversible`: importing it makes the tool again, wherever its function comes from."""
    name: str | None = sys._getframe(2).f_globals.get("__name__")
    if name != "__main__":
        return name
    spec = getattr(sys.modules["__main__"], "__spec__", None)  # set under `python -m package.module`
    return spec.name if spec is not None else name
