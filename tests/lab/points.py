"""The boundaries: where a process may die. Each is a place in the code, and the moment before or after it.

`install` is called once, before anything runs. From then on every `yield Step(...)` of a flow, every transaction on the
journal, every request of an operation and every write of a checkpointer passes through `reach`.
"""

from __future__ import annotations

import functools
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from github.Requester import Requester

from langchain_agentrein import flow
from langchain_agentrein.journal import store

PACKAGE = Path(flow.__file__).parent
RENEWALS = "agentrein-leases"
"""The thread that renews leases: by the clock, so that its writes are no boundary of the flow."""


class Points:
    """What was reached so far, and what is to happen at one of them.

    A point is `KIND:PLACE:MOMENT#N`: the `N`th time that the process comes there.
    """

    def __init__(self) -> None:
        self.reached: list[str] = []
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._wanted = ""
        self._act: Callable[[], None] | None = None

    def arm(self, wanted: str, act: Callable[[], None] | None) -> None:
        """Do `act` at the point `wanted`, once."""
        self._wanted, self._act = wanted, act

    def begin(self) -> None:
        """Count from the beginning."""
        self.reached.clear()
        self._seen.clear()

    def reach(self, kind: str, place: str, moment: str) -> None:
        if threading.current_thread().name == RENEWALS:
            return
        with self._lock:
            name = f"{kind}:{place}:{moment}"
            self._seen[name] += 1
            point = f"{name}#{self._seen[name]}"
            self.reached.append(point)
            if point != self._wanted or self._act is None:
                return
            act, self._act = self._act, None
        act()


POINTS = Points()


def install() -> None:
    """Put a hook at every boundary of the package."""
    for name in ("run", "arun"):
        real = getattr(flow, name)
        hooked = _watching(real)
        for module in [one for known, one in sys.modules.items() if known.startswith(PACKAGE.name)]:
            if getattr(module, name, None) is real:
                setattr(module, name, hooked)
    store.Store.write = _written(store.Store.write)  # type: ignore[method-assign]
    Requester.requestJsonAndCheck = _asked(Requester.requestJsonAndCheck)  # type: ignore[method-assign]


def watched(running: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """The same flow, with a boundary on both sides of each of its steps."""
    value: Any = None
    error: BaseException | None = None
    while True:
        try:
            step = running.throw(error) if error is not None else running.send(value)
        except StopIteration as stop:
            return stop.value
        value, error, place = None, None, _innermost(running)
        try:
            if place:
                POINTS.reach("step", place, "before")
            value = yield step
            if place:
                POINTS.reach("step", place, "after")
        except BaseException as raised:
            error = raised


def _innermost(running: Generator[Any, Any, Any]) -> str:
    """Where the generator at the end of the `yield from` chain stands; empty: in the driver itself."""
    inner: Any = running
    while getattr(inner, "gi_yieldfrom", None) is not None and hasattr(inner.gi_yieldfrom, "gi_frame"):
        inner = inner.gi_yieldfrom
    file = Path(inner.gi_code.co_filename)
    if PACKAGE not in file.parents or file == Path(flow.__file__):
        return ""
    return f"{file.relative_to(PACKAGE)}:{inner.gi_frame.f_lineno}"


def _watching(drive: Any) -> Any:
    @functools.wraps(drive)
    def driven(running: Any, **options: Any) -> Any:
        return drive(watched(running), **options)

    return driven


def _written(write: Any) -> Any:
    @contextmanager
    def hooked(self: Any) -> Iterator[Any]:
        place = _caller()
        POINTS.reach("commit", place, "before")
        with write(self) as connection:
            yield connection
            POINTS.reach("commit", place, "within")
        POINTS.reach("commit", place, "after")

    return hooked


def _asked(ask: Any) -> Any:
    """A request of PyGithub's, named by what it is about and not by which one."""

    @functools.wraps(ask)
    def hooked(self: Any, verb: str, url: str, *args: Any, **options: Any) -> Any:
        place = f"{verb} {re.sub(r'/[0-9]+', '/N', '/'.join(url.split('/')[4:]))}"
        POINTS.reach("request", place, "before")
        answer = ask(self, verb, url, *args, **options)
        POINTS.reach("request", place, "after")
        return answer

    return hooked


def _caller() -> str:
    """The method of the journal that opened the transaction."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        file = Path(frame.f_code.co_filename)
        if PACKAGE in file.parents and frame.f_code.co_name != "erasing":
            return f"{file.relative_to(PACKAGE)}:{frame.f_code.co_name}"
        frame = frame.f_back
    return "?"


def saving(saver: type) -> type:
    """A checkpointer with a boundary on both sides of each write."""

    def plain(name: str) -> Any:
        def method(self: Any, *args: Any, **options: Any) -> Any:
            POINTS.reach("checkpoint", name, "before")
            answer = getattr(saver, name)(self, *args, **options)
            POINTS.reach("checkpoint", name, "after")
            return answer

        return method

    def awaited(name: str) -> Any:
        async def method(self: Any, *args: Any, **options: Any) -> Any:
            POINTS.reach("checkpoint", name, "before")
            answer = await getattr(saver, name)(self, *args, **options)
            POINTS.reach("checkpoint", name, "after")
            return answer

        return method

    methods = {name: plain(name) for name in ("put", "put_writes")}
    methods |= {name: awaited(name) for name in ("aput", "aput_writes")}
    return type(f"Watched{saver.__name__}", (saver,), methods)
