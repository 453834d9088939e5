"""The executor: whatever calls the tool, the effect is journaled first and happens at most once."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langchain_core.tools import tool as make_tool
from langgraph.prebuilt import ToolRuntime
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, create_model

from langchain_agentrein import identity
from langchain_agentrein.action import Action, Reversal, Risk, Status
from langchain_agentrein.engine import Call, Decision, Performed
from langchain_agentrein.errors import ActionDenied, ConfigError, Refused, UnboundTool
from langchain_agentrein.flow import arun, run
from langchain_agentrein.function import Hook, Hooks, ToolOperation, declare, is_async, is_sync
from langchain_agentrein.identity import Caller
from langchain_agentrein.journal import jsonable
from langchain_agentrein.operation import Assessment, Operation
from langchain_agentrein.record import decode
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.session import CURRENT, Session, pauses

RUNTIME = "agentrein_runtime"
"""The hidden argument in which LangGraph hands us the state and the config of the call."""
RATIONALE = "rationale"
"""The argument in which a model may say why; journaled, never passed on."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What a middleware lends to the tools that it runs.

    Attributes:
        rein: For tools that are not bound themselves.
        where: The call as the middleware sees it.
        ask: Asks a person here and now; `None` where that is not possible.
    """

    rein: AgentRein
    where: Caller | None = None
    ask: Callable[[Action, Assessment], Decision] | None = None


BINDING: contextvars.ContextVar[Binding | None] = contextvars.ContextVar("agentrein_binding", default=None)


@dataclass(frozen=True, slots=True)
class _Prepared:
    rein: AgentRein
    op: Operation
    call: Call
    implicit: bool


class ReversibleTool(BaseTool):
    """A tool whose calls are journaled, gated, and can be undone.

    It shows the model what the wrapped tool shows, and returns what that returns. Make one with
    `reversible`, or take them from a toolkit.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    operation: type[Operation]
    inner: BaseTool | None = None
    """The wrapped tool; `None` for an operation of a connector."""
    client: Any = Field(default=None, exclude=True, repr=False)
    """The connector's client."""
    rein: AgentRein | None = Field(default=None, exclude=True, repr=False)
    rationale: bool = False
    """Whether the model is asked why, with each call."""
    read_only: bool = False
    """It changes nothing: not journaled, never gated."""

    _schema: type[BaseModel] | None = PrivateAttr(default=None)

    @classmethod
    def of_operation(cls, operation: type[Operation], client: Any) -> Self:
        """The tool of a connector's operation."""
        return cls(
            name=operation.tool_name(),
            description=(operation.__doc__ or operation.name).strip(),
            args_schema=operation,
            operation=operation,
            client=client,
            read_only=operation.read_only,
        )

    @classmethod
    def of_tool(cls, inner: BaseTool, operation: type[ToolOperation], *, read_only: bool = False) -> Self:
        """`inner`, made reversible by `operation`."""
        shared = {name: getattr(inner, name) for name in _SHARED if hasattr(inner, name)}
        return cls(**shared, operation=operation, inner=inner, read_only=read_only)

    def bound(self, rein: AgentRein, *, rationale: bool | None = None) -> Self:
        """A copy that journals into `rein`."""
        if self.operation.needs_client:
            rein.bind(self.operation.name.partition(".")[0], self.client)
        copy = self.model_copy(
            update={"rein": rein, "rationale": self.rationale if rationale is None else rationale}
        )
        copy._schema = None
        return copy

    # -- declaring the reverse beside the forward --------------------------------------------------

    def undo(self, hook: Hook) -> Hook:
        """Declare the undo: `@book.undo def cancel(action): ...`."""
        self._hooks.undo = hook
        return hook

    def snapshot(self, hook: Hook) -> Hook:
        """Declare what is looked at before: `@book.snapshot def look(**args): ...`."""
        self._hooks.snapshot = hook
        return hook

    def probe(self, hook: Hook) -> Hook:
        """Declare how to tell whether it happened: `@book.probe def find(action): ...`."""
        self._hooks.probe = hook
        return hook

    def observe(self, hook: Hook) -> Hook:
        """Declare how to look at what it changed: `@book.observe def see(action): ...`."""
        self._hooks.observe = hook
        return hook

    @property
    def _hooks(self) -> Hooks:
        if not issubclass(self.operation, ToolOperation):
            raise ConfigError(f"{self.name} is an operation of a connector: its reverse stands in its class")
        return self.operation.hooks

    # -- what ToolNode and the model see -----------------------------------------------------------

    @property
    def func(self) -> Any:
        """The wrapped function, in which LangGraph looks for injected arguments."""
        return getattr(self.inner, "func", None)

    @property
    def coroutine(self) -> Any:
        """The wrapped coroutine function, likewise."""
        return getattr(self.inner, "coroutine", None)

    @functools.cached_property
    def _injected_args_keys(self) -> frozenset[str]:
        own = self.inner._injected_args_keys if self.inner is not None else frozenset()
        return frozenset({*own, RUNTIME})

    def get_input_schema(self, config: RunnableConfig | None = None) -> type[BaseModel]:
        """The wrapped tool's schema, with the hidden argument through which LangGraph lends us its runtime."""
        if self._schema is None:
            self._schema = self._extended()
        return self._schema

    def _extended(self) -> type[BaseModel]:
        extra: dict[str, Any] = {}
        if not self._has_own_runtime():
            extra[RUNTIME] = (ToolRuntime | None, None)
        if self.rationale:
            why = "Why you make this call, in one sentence."
            extra[RATIONALE] = (str | None, Field(default=None, description=why))
        if self.inner is None:
            # A plain model: a subclass would be registered as an operation of its own.
            fields: dict[str, Any] = {
                name: (info.annotation, info) for name, info in self.operation.model_fields.items()
            }
            config = ConfigDict(extra="forbid", populate_by_name=True, arbitrary_types_allowed=True)
            return create_model(self.name, __config__=config, __doc__=self.description, **fields, **extra)
        base = self.inner.get_input_schema()
        if issubclass(base, BaseModel) and isinstance(self.args_schema, type) and extra:
            return create_model(base.__name__, __base__=base, __doc__=base.__doc__, **extra)
        if isinstance(self.args_schema, dict):
            return create_model(self.name, __config__=ConfigDict(arbitrary_types_allowed=True), **extra)
        return base

    def _has_own_runtime(self) -> bool:
        if self.inner is None:
            return False
        names = set(self.inner._injected_args_keys)
        schema = self.inner.args_schema
        if isinstance(schema, type) and issubclass(schema, BaseModel):
            names |= set(schema.model_fields)
        return "runtime" in names

    # -- the call ----------------------------------------------------------------------------------

    def run(self, tool_input: str | dict[str, Any], *args: Any, **options: Any) -> Any:
        """Run the tool, once: what it is about to do is journaled first."""
        if self.inner is not None and (self.read_only or not is_sync(self.inner)):
            return self.inner.run(self._visible(tool_input), *args, **options)
        try:
            with _calling(tool_input, options):
                if self.inner is None:
                    return super().run(self._visible(tool_input), *args, **options)
                prepared = self._prepare(tool_input, options)
                if prepared is None:
                    return self.inner.run(self._visible(tool_input), *args, **options)
                self._arm(prepared, tool_input, args, options, asynchronous=False)
                return self._given(self._perform(prepared), options)
        except Refused as refusal:
            return self._refused(refusal, options)

    async def arun(self, tool_input: str | dict[str, Any], *args: Any, **options: Any) -> Any:
        """Run the tool, once, without blocking the loop: what it is about to do is journaled first."""
        if self.inner is not None and self.read_only:
            return await self.inner.arun(self._visible(tool_input), *args, **options)
        try:
            with _calling(tool_input, options):
                if self.inner is None:
                    return await super().arun(self._visible(tool_input), *args, **options)
                prepared = await asyncio.to_thread(self._prepare, tool_input, options)
                if prepared is None:
                    return await self.inner.arun(self._visible(tool_input), *args, **options)
                native = is_async(self.inner)
                self._arm(prepared, tool_input, args, options, asynchronous=native)
                return self._given(await self._aperform(prepared, native=native), options)
        except Refused as refusal:
            return self._refused(refusal, options)

    def _run(self, **_: Any) -> Any:
        tool_input, options = _CALLING.get()
        op = self.operation.from_args(self._own_args(tool_input))
        if self.read_only:
            return op.result(op.do(self.client, _nobody(op)))
        prepared = self._prepare(tool_input, options, op)
        assert prepared is not None
        performed = self._perform(prepared)
        return op.result(performed.action.receipt)

    async def _arun(self, **_: Any) -> Any:
        tool_input, options = _CALLING.get()
        op = self.operation.from_args(self._own_args(tool_input))
        if self.read_only:
            done = op.do if op.is_async else functools.partial(asyncio.to_thread, op.do)
            return op.result(await done(self.client, _nobody(op)))
        prepared = await asyncio.to_thread(self._prepare, tool_input, options, op)
        assert prepared is not None
        performed = await self._aperform(prepared, native=op.is_async)
        return op.result(performed.action.receipt)

    def _prepare(
        self, tool_input: str | dict[str, Any], options: Mapping[str, Any], op: Operation | None = None
    ) -> _Prepared | None:
        """Who calls, in which session, with what; `None`: the arguments do not fit, and the tool will say so."""
        binding = BINDING.get()
        rein = self.rein or (binding.rein if binding is not None else None)
        if rein is None:
            raise UnboundTool(
                f"{self.name} changes things and has no journal: pass it through rein.tools(...), "
                "or give the agent middleware=[rein.middleware()]"
            )
        if op is None:
            op = self._parsed(tool_input, options.get("tool_call_id"))
            if op is None:
                return None
        where = self._where(tool_input, options, binding)
        session = identity.session_of(where, rein.journal)
        intent = identity.intent_for(where, session.goal)
        if isinstance(tool_input, dict) and (why := tool_input.get(RATIONALE)) and self.rationale:
            intent = replace(intent, text=str(why), source="rationale")
        alone = CURRENT.get() is None and identity.SESSION_CHANNEL not in where.state
        if alone and binding is None and where.in_graph and not rein.unwinds:
            _warn_nothing_unwinds(rein)
        call = Call(
            session=session,
            key=identity.call_key(where, op.name),
            thread_id=where.thread_id,
            tool_call_id=where.tool_call_id,
            message_id=root_message(where),
            intent=intent,
            pauses=pauses(),
            ask=binding.ask if binding is not None else None,
        )
        return _Prepared(rein, op, call, implicit=alone and not where.in_graph)

    def _where(
        self, tool_input: str | dict[str, Any], options: Mapping[str, Any], binding: Binding | None
    ) -> Caller:
        tool_call_id = options.get("tool_call_id")
        if binding is not None and binding.where is not None and binding.where.tool_call_id == tool_call_id:
            return binding.where
        runtime = None
        if isinstance(tool_input, dict):
            runtime = tool_input.get(RUNTIME) or tool_input.get("runtime")
        return identity.caller(
            tool_call_id, options.get("config"), runtime if isinstance(runtime, ToolRuntime) else None
        )

    def _parsed(self, tool_input: str | dict[str, Any], tool_call_id: str | None) -> Operation | None:
        assert self.inner is not None and issubclass(self.operation, ToolOperation)
        visible = self._visible(tool_input)
        try:
            parsed = self.inner._parse_input(
                dict(visible) if isinstance(visible, dict) else visible, tool_call_id
            )
        except Exception:  # whatever it is, the tool raises it again, and answers it as it is set up to
            return None
        if isinstance(visible, str):
            name = next(iter(self.inner.args), "input")
            return self.operation.live({name: visible}, {name: visible})
        args = jsonable(self.inner._filter_injected_args(visible))
        given = self.inner._filter_injected_args(parsed) if isinstance(parsed, dict) else args
        return self.operation.live(args, given)

    def _arm(
        self,
        prepared: _Prepared,
        tool_input: str | dict[str, Any],
        args: tuple[Any, ...],
        options: dict[str, Any],
        *,
        asynchronous: bool,
    ) -> None:
        """Give the operation the run of the wrapped tool as its effect."""
        op = prepared.op
        assert self.inner is not None and isinstance(op, ToolOperation)
        inner, told = op.watch(self.inner)
        visible = self._visible(tool_input)

        def final(running: ToolOperation) -> str | dict[str, Any]:
            # A person may have edited the arguments; what LangGraph injected stays.
            if isinstance(visible, str):
                return visible if running.args == op.args else dict(running.args)
            hidden = {name: value for name, value in visible.items() if name not in op.args}
            shown = {name: visible.get(name, value) for name, value in running.args.items()}
            return {**hidden, **(shown if running.args == op.args else running.args)}

        def live(running: ToolOperation) -> Any:
            return running.told(inner.run(final(running), *args, **options), told)

        async def alive(running: ToolOperation) -> Any:
            return running.told(await inner.arun(final(running), *args, **options), told)

        op.arm(alive if asynchronous else live)

    def _perform(self, prepared: _Prepared) -> Performed:
        with _inside(prepared):
            try:
                return run(prepared.rein.perform(prepared.op, self.client, prepared.call))
            finally:
                if prepared.implicit:
                    Session(prepared.rein, prepared.call.session).complete()

    async def _aperform(self, prepared: _Prepared, *, native: bool) -> Performed:
        with _inside(prepared):
            threaded = not (native or prepared.op.is_async)
            try:
                flow = prepared.rein.perform(prepared.op, self.client, prepared.call)
                return await arun(flow, threaded=threaded)
            finally:
                if prepared.implicit:
                    await Session(prepared.rein, prepared.call.session).acomplete()

    def _given(self, performed: Performed, options: Mapping[str, Any]) -> Any:
        """What the wrapped tool returned, now or when the same call ran before."""
        if not performed.replayed:
            return performed.shown
        action = performed.action
        record = action.result if action.result is not None else action.receipt
        value = decode(record, options.get("tool_call_id"))
        if isinstance(value, str | int | float | dict | list) and options.get("tool_call_id"):
            content = value if isinstance(value, str) else str(value)
            return ToolMessage(content, tool_call_id=options["tool_call_id"], name=self.name)
        return value

    def _refused(self, refusal: Refused, options: Mapping[str, Any]) -> ToolMessage:
        """A model is told; code that calls the tool by hand gets the exception."""
        tool_call_id = options.get("tool_call_id")
        if not tool_call_id:
            raise refusal
        if isinstance(refusal, ActionDenied) and refusal.response is not None:
            return ToolMessage(refusal.response, tool_call_id=tool_call_id, name=self.name)
        return ToolMessage(str(refusal), tool_call_id=tool_call_id, name=self.name, status="error")

    def visible_args(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """A model's arguments as the operation takes them."""
        return {name: value for name, value in args.items() if not (self.rationale and name == RATIONALE)}

    def validate_args(self, args: Mapping[str, Any]) -> None:
        """Check arguments that a person wrote.

        Raises:
            ValueError: They do not fit the tool.
        """
        schema = self.operation if self.inner is None else self.inner.tool_call_schema
        if isinstance(schema, type) and issubclass(schema, BaseModel):
            schema.model_validate(dict(args))

    def _visible(self, tool_input: str | dict[str, Any]) -> str | dict[str, Any]:
        """The input without what was added for us."""
        if isinstance(tool_input, str):
            return tool_input
        ours = {RUNTIME, RATIONALE} if self.rationale else {RUNTIME}
        return {name: value for name, value in tool_input.items() if name not in ours}

    def _own_args(self, tool_input: str | dict[str, Any]) -> dict[str, Any]:
        visible = self._visible(tool_input)
        if isinstance(visible, str):
            return {next(iter(self.operation.model_fields)): visible}
        return visible


_SHARED = (
    "name",
    "description",
    "args_schema",
    "return_direct",
    "response_format",
    "tags",
    "metadata",
    "extras",
    "handle_tool_error",
    "handle_validation_error",
)
"""What a wrapper shows as the wrapped tool shows it."""

_CALLING: contextvars.ContextVar[tuple[str | dict[str, Any], dict[str, Any]]] = contextvars.ContextVar(
    "agentrein_calling"
)


@contextlib.contextmanager
def _calling(tool_input: str | dict[str, Any], options: dict[str, Any]) -> Iterator[None]:
    token = _CALLING.set((tool_input, options))
    try:
        yield
    finally:
        _CALLING.reset(token)


@contextlib.contextmanager
def _inside(prepared: _Prepared) -> Iterator[None]:
    """Agents that run inside the tool join its session, and ask for themselves."""
    outer = CURRENT.get()
    if outer is not None and outer.id == prepared.call.session.id:
        session = outer
    else:
        session = Session(
            prepared.rein, prepared.call.session, opener=False, message_id=prepared.call.message_id
        )
    tokens = CURRENT.set(session), BINDING.set(Binding(prepared.rein))
    try:
        yield
    finally:
        BINDING.reset(tokens[1])
        CURRENT.reset(tokens[0])


def root_message(where: Caller) -> str | None:
    """The message that accounts for the call in the state of whoever opened the session."""
    outer = CURRENT.get()
    if outer is not None and outer.message_id is not None:
        return outer.message_id
    return where.message.id if where.message is not None else None


def _nobody(op: Operation) -> Action:
    return Action(
        id="", session_id="", operation=op.name, operation_version=op.version, status=Status.EXECUTING, args=op.args
    )


_warned: set[int] = set()


def _warn_nothing_unwinds(rein: AgentRein) -> None:
    if id(rein) not in _warned:
        _warned.add(id(rein))
        warnings.warn(
            "a reversible tool runs in a graph that nothing unwinds when it fails: use rein.middleware() in "
            "create_agent, or langchain_agentrein.graphs.add_compensation(builder, rein=rein). "
            "Its calls are journaled, and can be rolled back by hand",
            stacklevel=4,
        )


def reversible(
    target: Any = None,
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
) -> Any:
    """Make a function, or any `BaseTool`, a tool whose calls can be undone.

        @reversible(undo=lambda action: api.cancel(action.receipt["id"]))
        def book(room: str) -> dict: ...

        @reversible
        def book(room: str) -> dict: ...
        @book.undo
        def cancel(action): ...

    A tool defined at the top of an importable module is found again by name in a fresh process;
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
    """
    hooks = Hooks(undo, snapshot, probe, observe, risk, reversal, not_done)

    def wrap(given: Any) -> ReversibleTool:
        if isinstance(given, ReversibleTool):
            raise ConfigError(f"{given.name} is reversible already")
        inner = given if isinstance(given, BaseTool) else make_tool(given)
        return ReversibleTool.of_tool(inner, declare(inner, hooks, version=version), read_only=read_only)

    return wrap if target is None else wrap(target)


__all__ = ["BINDING", "Binding", "ReversibleTool", "reversible", "root_message"]
