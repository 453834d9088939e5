"""Functions and tools as operations: `ToolOperation`, declared by the hooks that `reversible` is given."""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import PrivateAttr

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.engine import Reported
from langchain_agentrein.errors import ConfigError, NotDone
from langchain_agentrein.journal import jsonable
from langchain_agentrein.operation import Assessment, Operation, Probed, Unknown
from langchain_agentrein.origin import importable
from langchain_agentrein.record import encode
from langchain_agentrein.registry import REGISTRY
from langchain_agentrein.tool_schema import tied

Hook = Callable[..., Any]
Reader = Callable[[Mapping[str, Json]], Mapping[str, Any]]
"""Reads a model's arguments as the tool's schema does."""


@dataclass(slots=True)
class Hooks:
    """What a developer declares about a tool; every hook may be sync or async.

    Attributes:
        undo: `undo(action)`; returns nothing, the residue, or `Undone`.
        snapshot: `snapshot(**args) -> JSON`.
        probe: `probe(action) -> Happened | NotHappened | Unknown`.
        observe: `observe(action) -> JSON`, in the shape of `snapshot`.
        not_done: Exceptions of the tool that mean "it certainly did not happen".
        declared: Whether anything was said at all.
    """

    undo: Hook | None = None
    snapshot: Hook | None = None
    probe: Hook | None = None
    observe: Hook | None = None
    risk: Risk | None = None
    reversal: Reversal | None = None
    not_done: tuple[type[BaseException], ...] = ()
    declared: bool = True

    def assessment(self) -> Assessment:
        """What the hooks say a call can do: without an undo, nothing undoes it."""
        reversal = self.reversal or (Reversal.COMPENSATING if self.undo else Reversal.NONE)
        if self.undo is None:
            reversal = Reversal.NONE
        risk = self.risk or (Risk.MEDIUM if self.undo else Risk.HIGH)
        return Assessment(risk, reversal, declared=self.declared)


class ToolOperation(Operation):
    """One call of a developer's tool. Rebuilt from its arguments it can be undone; done only once it is released."""

    hooks: ClassVar[Hooks]
    tool: ClassVar[BaseTool]
    needs_client: ClassVar[bool] = False

    _args: dict[str, Json] = PrivateAttr(default_factory=dict)
    _given: dict[str, Any] = PrivateAttr(default_factory=dict)
    _read: Reader | None = PrivateAttr(default=None)
    _live: Callable[[ToolOperation], Any] | None = PrivateAttr(default=None)
    _shown: list[Any] = PrivateAttr(default_factory=list)
    _started: bool = PrivateAttr(default=False)

    @classmethod
    def from_args(cls, args: Mapping[str, Json]) -> Self:
        """Rebuild the call from its journaled arguments."""
        op = cls()
        op._args = dict(args)
        op._given = dict(args)
        return op

    @classmethod
    def live(cls, args: Mapping[str, Json], given: Mapping[str, Any], read: Reader | None = None) -> Self:
        """A call that is about to run, once it is armed.

        Args:
            args: As the model gave them.
            given: As the tool's schema reads them: what `snapshot` is called with.
            read: Reads the arguments that a person put in their place.
        """
        op = cls.from_args(args)
        op._given, op._read = dict(given), read
        return op

    def arm(self, run: Callable[[ToolOperation], Any]) -> None:
        """Give it what runs the tool."""
        self._live = run

    @property
    def args(self) -> dict[str, Json]:
        """The arguments as the model gave them."""
        return self._args

    def replaced(self, args: Mapping[str, Json]) -> Self:
        """The same call with other arguments."""
        other = self.live(args, self._read(args) if self._read is not None else args, self._read)
        other._live = self._live
        return other

    @classmethod
    def overrides(cls, hook: str) -> bool:
        """Whether the developer gave this hook."""
        if hook in ("undo", "snapshot", "probe", "observe"):
            return getattr(cls.hooks, hook) is not None
        return super().overrides(hook)

    @property
    def is_async(self) -> bool:
        """Whether any hook must be awaited, or the tool itself, where it is run without its graph."""
        hooks = self.hooks
        if self._live is None and not is_sync(self.tool):
            return True
        return any(_awaits(hook) for hook in (hooks.undo, hooks.snapshot, hooks.probe, hooks.observe))

    @classmethod
    def usual(cls) -> Assessment:
        """What the hooks say."""
        return cls.hooks.assessment()

    def snapshot(self, api: Any) -> Json:
        """What the developer's snapshot says."""
        if self.hooks.snapshot is None:
            return None
        given = self._given if self._live is not None else given_of(self.tool, self._args, None)
        return self.hooks.snapshot(**given)

    def do(self, api: Any, action: Action) -> Any:
        """Run the tool; the value is what the developer's function returned."""
        return self._live(self) if self._live is not None else self._alone(action)

    def _alone(self, action: Action) -> Any:
        """Run the tool now that the call is released: its graph may have ended long ago."""
        watched, told = self.watch(self.tool)
        if is_sync(self.tool):
            return self.told(watched.run(self._args, tool_call_id=action.tool_call_id), told)

        async def later() -> Any:
            return self.told(await watched.arun(self._args, tool_call_id=action.tool_call_id), told)

        return later()

    def observe(self, api: Any, action: Action) -> Json:
        """What the developer's hook sees."""
        return self.hooks.observe(action) if self.hooks.observe else None

    def probe(self, api: Any, action: Action) -> Probed:
        """What the developer's hook finds."""
        if self.hooks.probe is None:
            return Unknown(f"{self.name} has no probe")
        answer: Probed = self.hooks.probe(action)
        return answer

    def undo(self, api: Any, action: Action) -> Any:
        """What the developer's hook does."""
        assert self.hooks.undo is not None
        self._started = True  # from here on an error is read for what it says
        return self.hooks.undo(action)

    def receipt(self, value: Any) -> Json:
        """The function's return value as JSON."""
        return jsonable(value)

    def result(self, receipt: Json) -> Any:
        """What the model was shown, so that a repeated call is shown it again."""
        return encode(self._shown[0]) if self._shown else None

    def shown(self, value: Any) -> Any:
        """Exactly what the tool returned."""
        return self._shown[0] if self._shown else value

    def fate(self, error: BaseException) -> type[NotDone] | None:
        """Not done before the function began, when its error says so, or when there was none at all."""
        error = error.__cause__ or error if isinstance(error, Reported) else error
        if not self._started or isinstance(error, self.hooks.not_done) or _unimplemented(error):
            return type(error) if isinstance(error, NotDone) else NotDone
        return super().fate(error)

    def touches(self) -> frozenset[str]:
        """The tool itself: nothing more is known."""
        return frozenset({self.name})

    def watch(self, inner: BaseTool) -> tuple[BaseTool, dict[str, Any]]:
        """A copy of `inner` that tells what its function returned or raised, before LangChain formats it."""
        told: dict[str, Any] = {}

        def run(*args: Any, **kwargs: Any) -> Any:
            self._started = True
            try:
                told["value"] = inner._run(*args, **kwargs)
            except BaseException as error:
                told["error"] = error
                raise
            return told["value"]

        async def arun(*args: Any, **kwargs: Any) -> Any:
            self._started = True
            try:
                told["value"] = await inner._arun(*args, **kwargs)
            except BaseException as error:
                told["error"] = error
                raise
            return told["value"]

        return _replaced(inner, run, arun if is_async(inner) else None), told

    def told(self, shown: Any, told: Mapping[str, Any]) -> Any:
        """Read what a watched run told.

        Raises:
            Reported: The function raised, and the tool turned that into an answer for the model.
        """
        if "error" in told:
            raise Reported(shown, encode(shown)) from told["error"]
        self._shown.append(shown)
        return told.get("value")


def given_of(inner: BaseTool, args: Mapping[str, Any], tool_call_id: str | None) -> dict[str, Any]:
    """A model's arguments as the tool's schema reads them.

    Raises:
        Exception: Whatever the schema raises where they do not fit.
    """
    positional, named = inner._to_args_and_kwargs(dict(args), tool_call_id)
    return inner._filter_injected_args({**dict(zip(inner.args, positional, strict=False)), **named})


def unrunnable(inner: BaseTool) -> BaseTool:
    """A copy of `inner` that can say what is wrong with its arguments, and nothing more."""

    def run(*args: Any, **kwargs: Any) -> Any:
        raise ConfigError(
            f"{inner.name} refused its arguments when they were read to be journaled, and then took them: "
            "its schema must read the same arguments the same way twice. It did not run"
        )

    async def arun(*args: Any, **kwargs: Any) -> Any:
        run()

    return _replaced(inner, run, arun)


def _replaced(inner: BaseTool, run: Callable[..., Any], arun: Callable[..., Any] | None) -> BaseTool:
    """A copy of `inner` with other functions behind the same signatures, which LangChain reads."""
    copy = inner.model_copy()
    object.__setattr__(copy, "_run", functools.wraps(inner._run)(run))
    if arun is not None:
        object.__setattr__(copy, "_arun", functools.wraps(inner._arun)(arun))
    return copy


def _awaits(hook: Hook | None) -> bool:
    return inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(type(hook).__call__)


def _unimplemented(error: BaseException) -> bool:
    """Whether the tool's own `_run` or `_arun` says in its body that there is none."""
    if not isinstance(error, NotImplementedError) or error.__traceback__ is None:
        return False
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_code.co_name in ("_run", "_arun")


def is_async(inner: BaseTool) -> bool:
    """Whether the tool has a coroutine of its own, rather than a thread around its function."""
    if isinstance(inner, StructuredTool) or hasattr(inner, "coroutine"):
        return getattr(inner, "coroutine", None) is not None
    return type(inner)._arun is not BaseTool._arun


def is_sync(inner: BaseTool) -> bool:
    """Whether the tool can run without an event loop."""
    if isinstance(inner, StructuredTool) or hasattr(inner, "func"):
        return getattr(inner, "func", None) is not None
    return True


def declare(
    inner: BaseTool, hooks: Hooks, *, version: int = 1, module: str | None = None
) -> type[ToolOperation]:
    """The operation class of a tool.

    Args:
        module: Which module, once imported, has declared it; else where the tool's function is defined.
    """
    namespace = {
        "__module__": importable(module or _home(inner)),
        "__doc__": inner.description,
        "name": inner.name,
        "version": version,
        "hooks": hooks,
        "tool": inner,
        "tied": tied(inner),
        "repeatable": False,
    }
    known = REGISTRY.registered(inner.name, version, str(namespace["__module__"]))
    made = type(f"ToolOperation_{inner.name}", (ToolOperation,), namespace)
    if not hooks.declared and known is not None:
        REGISTRY.add(known)  # the plain tool, handed in somewhere else, must not cost the other its undo
    return made


def _home(inner: BaseTool) -> str:
    function = getattr(inner, "func", None) or getattr(inner, "coroutine", None) or type(inner)
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    return getattr(function, "__module__", None) or type(inner).__module__
