"""The executor: whatever calls the tool, the effect is journaled first and happens at most once."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.tools.base import _format_output
from langgraph.prebuilt import ToolRuntime

from langchain_agentrein import identity
from langchain_agentrein.action import Action, Intent, Status
from langchain_agentrein.calling import (
    BINDING,
    Binding,
    Identified,
    Prepared,
    after_all,
    ended,
    inside,
    prepare,
    root_message,
)
from langchain_agentrein.engine import Performed, held_message
from langchain_agentrein.errors import ActionDenied, NotDone, Refused, UnboundTool
from langchain_agentrein.face import Face
from langchain_agentrein.flow import arun, run
from langchain_agentrein.function import ToolOperation, given_of, is_async, is_sync, unrunnable
from langchain_agentrein.identity import Caller
from langchain_agentrein.journal import jsonable
from langchain_agentrein.journal.codec import told_whole
from langchain_agentrein.journal.redaction import legible
from langchain_agentrein.operation import Operation
from langchain_agentrein.record import decode
from langchain_agentrein.tool_schema import RATIONALE, RUNTIME, runtime_argument

UNRECORDED = "This call was carried out before. What it returned was not recorded."


class ReversibleTool(Face):
    """A tool whose calls are journaled, gated, and can be undone.

    It shows the model what the wrapped tool shows, and returns what that returns. Make one with
    `reversible`, or take them from a toolkit.
    """

    def run(self, tool_input: str | dict[str, Any], *args: Any, **options: Any) -> Any:
        """Run the tool, once: what it is about to do is journaled first."""
        visible = self._visible(tool_input)
        if self.inner is not None and (self.read_only or not is_sync(self.inner)):
            return self.inner.run(visible, *args, **options)
        try:
            known = self._identify(tool_input, options)
            with _calling(tool_input, known):
                if self.inner is None:
                    return super().run(visible, *args, **options)
                prepared = self._prepare(known, self._parsed(visible, options), tool_input)
                if prepared is None:
                    return unrunnable(self.inner).run(visible, *args, **options)
                self._arm(prepared.op, visible, args, options, asynchronous=False)
                return self._given(self._perform(prepared), options)
        except Refused as refusal:
            return self._refused(refusal, options)
        except NotDone as refusal:
            if self.inner is not None:
                raise
            return self._refused(refusal, options)

    async def arun(self, tool_input: str | dict[str, Any], *args: Any, **options: Any) -> Any:
        """Run the tool, once, without blocking the loop: what it is about to do is journaled first."""
        visible = self._visible(tool_input)
        if self.inner is not None and self.read_only:
            return await self.inner.arun(visible, *args, **options)
        try:
            known = self._identify(tool_input, options)
            with _calling(tool_input, known):
                if self.inner is None:
                    return await super().arun(visible, *args, **options)
                op = self._parsed(visible, options)
                prepared = await asyncio.to_thread(self._prepare, known, op, tool_input)
                if prepared is None:
                    return await unrunnable(self.inner).arun(visible, *args, **options)
                native = is_async(self.inner)
                self._arm(prepared.op, visible, args, options, asynchronous=native)
                return self._given(await self._aperform(prepared, native=native), options)
        except Refused as refusal:
            return self._refused(refusal, options)
        except NotDone as refusal:
            if self.inner is not None:
                raise
            return self._refused(refusal, options)

    def _run(self, **_: Any) -> Any:
        tool_input, known = _CALLING.get()
        op = self._own_operation(tool_input)
        if known is None:
            return op.result(op.do(self.client, _nobody(op)))
        prepared = self._prepare(known, op, tool_input)
        assert prepared is not None
        return _result(op, self._perform(prepared))

    async def _arun(self, **_: Any) -> Any:
        tool_input, known = _CALLING.get()
        op = self._own_operation(tool_input)
        if known is None:
            args = (self.client, _nobody(op))
            return op.result(await (op.do(*args) if op.is_async else asyncio.to_thread(op.do, *args)))
        prepared = await asyncio.to_thread(self._prepare, known, op, tool_input)
        assert prepared is not None
        return _result(op, await self._aperform(prepared, native=op.is_async))

    def _identify(self, tool_input: str | dict[str, Any], options: Mapping[str, Any]) -> Identified | None:
        """Who calls; `None`: nobody needs to know, since nothing changes.

        Raises:
            UnboundTool: There is no journal.
        """
        if self.read_only:
            return None
        binding = BINDING.get()
        rein = self.rein or (binding.rein if binding is not None else None)
        if rein is None:
            raise UnboundTool(
                f"{self.name} changes things and has no journal: pass it through rein.tools(...), "
                "or give the agent middleware=[rein.middleware()]"
            )
        where = self._where(tool_input, options, binding)
        return Identified(rein, binding, where, identity.call_key(where, self.operation.name))

    def _where(
        self, tool_input: str | dict[str, Any], options: Mapping[str, Any], binding: Binding | None
    ) -> Caller:
        tool_call_id = options.get("tool_call_id")
        if binding is not None and binding.where is not None and binding.where.tool_call_id == tool_call_id:
            return binding.where
        runtime = None
        if isinstance(tool_input, dict):
            runtime = tool_input.get(runtime_argument(self.inner) or RUNTIME)
        return identity.caller(
            tool_call_id, options.get("config"), runtime if isinstance(runtime, ToolRuntime) else None
        )

    def _prepare(
        self, known: Identified | None, op: Operation | None, tool_input: str | dict[str, Any]
    ) -> Prepared | None:
        """`None`: the arguments do not fit, and the tool will say so."""
        if op is None or known is None:
            return None
        given = tool_input if isinstance(tool_input, dict) else {}
        return prepare(known, op, lambda where, goal: self.intent(where, goal, given))

    def intent(self, where: Caller, goal: str, args: Mapping[str, Any]) -> Intent:
        """Why this call is made.

        Args:
            args: As the model gave them, with its `rationale` if it was asked for one.
        """
        why = args.get(RATIONALE) if self._asks_why else None
        return identity.intent_for(where, goal, str(why) if why else None)

    def _parsed(self, visible: str | dict[str, Any], options: Mapping[str, Any]) -> Operation | None:
        inner, tool_call_id = self.inner, options.get("tool_call_id")
        assert inner is not None and issubclass(self.operation, ToolOperation)
        hidden = visible if isinstance(visible, dict) else {}

        def read(args: Mapping[str, Any]) -> dict[str, Any]:
            given = {**{name: value for name, value in hidden.items() if name not in shown}, **args}
            return given_of(inner, given, tool_call_id)

        if isinstance(visible, str):
            shown = {next(iter(inner.args), "input"): visible}
        else:
            shown = inner._filter_injected_args(visible)
        try:
            given = read(shown)
        except Exception:  # noqa: BLE001 - the tool raises it again, and answers it as it is set up to
            return None
        if not told_whole(shown):
            # What the record cannot hold nobody could have approved, and no undo would know.
            raise ActionDenied(
                f"{self.name} did not run: its arguments are nested too deep to be recorded whole"
            )
        return self.operation.live(jsonable(shown), given, read)

    def _arm(
        self,
        op: Operation,
        visible: str | dict[str, Any],
        args: tuple[Any, ...],
        options: dict[str, Any],
        *,
        asynchronous: bool,
    ) -> None:
        """Give the operation the run of the wrapped tool as its effect."""
        assert self.inner is not None and isinstance(op, ToolOperation)
        inner = self.inner

        def final(running: ToolOperation) -> str | dict[str, Any]:
            # A person may have edited the arguments; what LangGraph injected stays.
            if running.args == op.args:
                return visible
            hidden = visible if isinstance(visible, dict) else {}
            return {**{name: value for name, value in hidden.items() if name not in op.args}, **running.args}

        def live(running: ToolOperation) -> Any:
            watched, told = running.watch(inner)
            return running.told(watched.run(final(running), *args, **options), told)

        async def alive(running: ToolOperation) -> Any:
            watched, told = running.watch(inner)
            return running.told(await watched.arun(final(running), *args, **options), told)

        op.arm(alive if asynchronous else live)

    def _perform(self, prepared: Prepared) -> Performed:
        with inside(prepared):
            try:
                performed = run(prepared.rein.perform(prepared.op, self.client, prepared.call))
            finally:
                if (session := ended(prepared)) is not None:
                    session.complete()
        return after_all(prepared, performed)

    async def _aperform(self, prepared: Prepared, *, native: bool) -> Performed:
        with inside(prepared):
            try:
                flow = prepared.rein.perform(prepared.op, self.client, prepared.call)
                performed = await arun(flow, threaded=not (native or prepared.op.is_async))
            finally:
                if prepared.implicit and (session := await asyncio.to_thread(ended, prepared)) is not None:
                    await session.acomplete()
        return await asyncio.to_thread(after_all, prepared, performed) if prepared.implicit else performed

    def _given(self, performed: Performed, options: Mapping[str, Any]) -> Any:
        """What the wrapped tool returned, now or when the same call ran before; or that it is held."""
        action = performed.action
        if action.on_hold:
            return _format_output(
                held_message(action), None, options.get("tool_call_id"), self.name, "success"
            )
        # A tool that answered an error, although its effect is there: the record is right, not the answer.
        belied = action.status is Status.EXECUTED and action.error is not None
        if not performed.replayed and not belied:
            return performed.shown
        if action.result is not None:
            return decode(legible(action.result))
        content: Any = UNRECORDED if action.receipt is None else legible(action.receipt)
        artifact = None
        if self.response_format == "content_and_artifact" and isinstance(content, list) and len(content) == 2:
            content, artifact = content
        return _format_output(content, artifact, options.get("tool_call_id"), self.name, "success")

    def _refused(self, refusal: Refused | NotDone, options: Mapping[str, Any]) -> ToolMessage:
        """A model is told, and may do better; code that calls the tool by hand gets the exception.

        So it is with what a connector's operation certainly did not do: a statement that does not
        parse, a file that is not there. A function's exceptions stay its own.
        """
        tool_call_id = options.get("tool_call_id")
        if not tool_call_id:
            raise refusal
        if isinstance(refusal, ActionDenied) and refusal.response is not None:
            return ToolMessage(refusal.response, tool_call_id=tool_call_id, name=self.name)
        return ToolMessage(str(refusal), tool_call_id=tool_call_id, name=self.name, status="error")

    def _own_operation(self, tool_input: str | dict[str, Any]) -> Operation:
        visible = self._visible(tool_input)
        if isinstance(visible, str):
            visible = {next(iter(self.operation.model_fields)): visible}
        return self.operation.from_args(visible)


_CALLING: contextvars.ContextVar[tuple[str | dict[str, Any], Identified | None]] = contextvars.ContextVar(
    "agentrein_calling"
)


@contextlib.contextmanager
def _calling(tool_input: str | dict[str, Any], known: Identified | None) -> Iterator[None]:
    token = _CALLING.set((tool_input, known))
    try:
        yield
    finally:
        _CALLING.reset(token)


def _result(op: Operation, performed: Performed) -> Any:
    if performed.action.on_hold:
        return held_message(performed.action)
    receipt = performed.action.receipt
    if performed.replayed:
        receipt = legible(receipt)
    return UNRECORDED if performed.replayed and receipt is None else op.result(receipt)


def _nobody(op: Operation) -> Action:
    return Action(
        id="",
        session_id="",
        operation=op.name,
        operation_version=op.version,
        status=Status.EXECUTING,
        args=op.args,
    )


__all__ = ["BINDING", "Binding", "ReversibleTool", "root_message"]
