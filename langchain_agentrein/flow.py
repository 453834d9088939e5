"""The only fork between sync and async.

A flow is a generator that yields steps and is sent their results; it never blocks by itself. `run`
calls each step; `arun` awaits what is awaitable and sends what blocks to a thread. A step whose
effect has begun is shielded: a cancellation waits for its receipt, at most `settle_timeout`, and
only then goes on.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import time
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from langchain_agentrein.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do outside the flow.

    Attributes:
        call: What to call; may be a coroutine function.
        effect: From here on the world may have changed.
        twin: What to await instead, where there is an event loop.
    """

    call: Callable[..., Any]
    args: tuple[Any, ...] = ()
    effect: bool = False
    twin: Callable[..., Coroutine[Any, Any, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait, without holding anything."""

    seconds: float


class NotBegun(asyncio.CancelledError):
    """A cancellation that came before the effect: it certainly did not happen."""


Flow = Generator[Step | Sleep, Any, T]


def run(flow: Flow[T]) -> T:
    """Drive a flow here and now.

    Raises:
        ConfigError: A step needs an event loop; use the async twin of the call.
    """
    value: Any = None
    error: BaseException | None = None
    while True:
        try:
            step = flow.throw(error) if error is not None else flow.send(value)
        except StopIteration as stop:
            result: T = stop.value
            return result
        value, error = None, None
        try:
            if isinstance(step, Sleep):
                time.sleep(step.seconds)
            else:
                value = _plain(step)
        except BaseException as raised:  # noqa: BLE001 - the flow itself decides what it means
            error = raised


def _plain(step: Step) -> Any:
    if inspect.iscoroutinefunction(step.call):
        raise ConfigError(f"{_name(step.call)} is async: use the async twin of this call (`ainvoke`, `a...`)")
    value = step.call(*step.args)
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        raise ConfigError(f"{_name(step.call)} is async: use the async twin of this call (`ainvoke`, `a...`)")
    return value


def _name(call: Callable[..., Any]) -> str:
    return getattr(call, "__qualname__", repr(call))


async def arun(flow: Flow[T], *, settle_timeout: float = 30.0, threaded: bool = False) -> T:
    """Drive a flow from an event loop, without blocking it.

    Args:
        settle_timeout: Seconds that a cancellation waits for an effect that has begun.
        threaded: Every step is plain: run the whole flow in one thread, its receipt included.
    Raises:
        asyncio.CancelledError: The caller was cancelled; what had begun is settled or in doubt.
    """
    state = _State()
    work: asyncio.Future[T]
    if threaded:
        context = contextvars.copy_context()
        watched = _watch(flow, state)
        work = asyncio.get_running_loop().run_in_executor(None, context.run, run, watched)
    else:
        work = asyncio.ensure_future(_drive(flow, state))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        state.cancelled = True
        if threaded or state.effect:
            await _settle(work, settle_timeout)
        if not work.done():
            work.cancel()
            await _settle(work, settle_timeout)
        if work.done() and not work.cancelled():
            work.exception()  # retrieved: the caller is told of its cancellation instead
        raise


@dataclass(slots=True)
class _State:
    """Where a flow stands that another task drives.

    Attributes:
        effect: An effect has begun.
        cancelled: Nobody waits for the flow any more: it may finish what it began, and begin nothing.
    """

    effect: bool = False
    cancelled: bool = False

    def check(self, step: Step | Sleep) -> None:
        """Let a step begin.

        Raises:
            asyncio.CancelledError: It may not.
        """
        if self.cancelled and isinstance(step, Sleep):
            raise asyncio.CancelledError
        if isinstance(step, Step) and step.effect:
            if self.cancelled:
                raise NotBegun
            self.effect = True


def _watch(flow: Flow[T], state: _State) -> Flow[T]:
    value: Any = None
    error: BaseException | None = None
    while True:
        try:
            step = flow.throw(error) if error is not None else flow.send(value)
        except StopIteration as stop:
            result: T = stop.value
            return result
        value, error = None, None
        try:
            state.check(step)
            value = yield step
        except BaseException as raised:  # noqa: BLE001 - the flow itself decides what it means
            error = raised


async def _settle(work: asyncio.Future[Any], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not work.done() and (left := deadline - time.monotonic()) > 0:
        try:
            await asyncio.wait({work}, timeout=left)
        except asyncio.CancelledError:
            continue  # asked again; the receipt still comes first


async def _drive(flow: Flow[T], state: _State) -> T:
    value: Any = None
    error: BaseException | None = None
    while True:
        try:
            step = flow.throw(error) if error is not None else flow.send(value)
        except StopIteration as stop:
            result: T = stop.value
            return result
        value, error = None, None
        try:
            state.check(step)
            if isinstance(step, Sleep):
                await asyncio.sleep(step.seconds)
            elif step.twin is not None or inspect.iscoroutinefunction(step.call):
                value = await (step.twin or step.call)(*step.args)
            else:
                value = await _in_thread(step, state)
                if inspect.isawaitable(value):
                    value = await value
        except BaseException as raised:  # noqa: BLE001 - the flow itself decides what it means
            if isinstance(raised, asyncio.CancelledError):
                state.cancelled = True
            error = raised


async def _in_thread(step: Step, state: _State) -> Any:
    """Run a plain step in a thread, to its end: a thread cannot be cancelled, so neither is the wait.

    A cancellation that comes meanwhile is due before the next effect.
    """
    context = contextvars.copy_context()
    work = asyncio.get_running_loop().run_in_executor(None, context.run, step.call, *step.args)
    while not work.done():
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            state.cancelled = True
    return work.result()


P = ParamSpec("P")
S = TypeVar("S")


def driven(flow: Callable[Concatenate[S, P], Flow[T]]) -> Callable[Concatenate[S, P], T]:
    """The sync method of a flow method."""

    @functools.wraps(flow)
    def method(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return run(flow(self, *args, **kwargs))

    _present(method, flow)
    return method


def adriven(
    flow: Callable[Concatenate[S, P], Flow[T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """The async twin of a flow method."""

    @functools.wraps(flow)
    async def method(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await arun(flow(self, *args, **kwargs))

    _present(method, flow, prefix="a")
    return method


def _present(method: Any, flow: Callable[..., Any], prefix: str = "") -> None:
    """Name and sign the method as its caller sees it, not as the generator that it drives."""
    signature = inspect.signature(flow)
    returns = str(signature.return_annotation).removeprefix("Flow[").removesuffix("]")
    method.__signature__ = signature.replace(return_annotation=returns)
    method.__name__ = prefix + flow.__name__.lstrip("_")
    method.__qualname__ = flow.__qualname__.removesuffix(flow.__name__) + method.__name__
