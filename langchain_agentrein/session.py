"""A session: one task with a stated goal, the unit of commit and rollback."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from langchain_agentrein import engine
from langchain_agentrein.action import Action, SessionRecord, SessionStatus
from langchain_agentrein.engine import Scope
from langchain_agentrein.errors import AgentReinError
from langchain_agentrein.flow import Flow, Step, adriven, arun, driven, run
from langchain_agentrein.journal import new_id
from langchain_agentrein.policy import ApprovalRule
from langchain_agentrein.report import RollbackReport

if TYPE_CHECKING:
    from langchain_agentrein.rein import AgentRein

OnFailure: TypeAlias = Literal["rollback", "ask", "keep"]

CURRENT: contextvars.ContextVar[Session | None] = contextvars.ContextVar("agentrein_session", default=None)
"""The session that whatever runs here belongs to; it reaches agents that run inside tools."""


def pauses() -> tuple[type[BaseException], ...]:
    """The exceptions by which LangGraph interrupts a run; empty where it is not loaded."""
    errors = sys.modules.get("langgraph.errors")
    return (errors.GraphBubbleUp,) if errors is not None else ()


class Session:
    """A session, and the context manager that opens it.

    Inside another session of the same `AgentRein` it joins that one: only the opener completes or
    rolls back.

    Attributes:
        record: What the journal has, or will have at the first action.
        rules: Rules that come before the common ones.
        message_id: The opener's message under which nested agents act, as far as there is one.
    """

    def __init__(
        self,
        rein: AgentRein,
        record: SessionRecord,
        *,
        rules: Sequence[ApprovalRule] = (),
        opener: bool = True,
        message_id: str | None = None,
    ) -> None:
        self.rein, self.record, self.rules, self.opener = rein, record, tuple(rules), opener
        self.message_id = message_id
        self._token: contextvars.Token[Session | None] | None = None

    @classmethod
    def open(cls, rein: AgentRein, *, rules: Sequence[ApprovalRule] = (), **facts: Any) -> Self:
        """A new session, or one that joins the session it stands in."""
        outer = CURRENT.get()
        if outer is not None and outer.rein is rein:
            return cls(rein, outer.record, rules=(*rules, *outer.rules), opener=False)
        return cls(rein, SessionRecord(id=new_id("ses"), **facts), rules=rules)

    @property
    def id(self) -> str:
        """Its id in the journal."""
        return self.record.id

    @property
    def status(self) -> SessionStatus:
        """Where it stands, from the journal; open until its first action."""
        known = self.rein.journal.session(self.id)
        return known.status if known is not None else SessionStatus.OPEN

    def actions(self) -> list[Action]:
        """Its actions so far, in the order of their effects."""
        return self.rein.journal.actions([self.id])

    def _complete(self) -> Flow[None]:
        """End it well, and do what was held and is due. A person may still roll it back."""
        yield from engine.complete(self.rein.core, self.id)

    complete = driven(_complete)
    acomplete = adriven(_complete)

    def rollback(self, **options: Any) -> RollbackReport:
        """Undo it; takes what `AgentRein.rollback` takes."""
        return self.rein.rollback(session=self.id, **options)

    async def arollback(self, **options: Any) -> RollbackReport:
        """Undo it; takes what `AgentRein.arollback` takes."""
        return await self.rein.arollback(session=self.id, **options)

    def _fail(self, error: BaseException) -> Flow[RollbackReport | None]:
        """Follow `on_failure` after `error`."""
        core, scope = self.rein.core, Scope((self.id,))
        if (yield Step(self.rein.journal.session, (self.id,))) is None:
            return None
        failure = engine.told(error)
        if self.rein.on_failure == "keep":
            yield Step(lambda: self.rein.journal.set_session(self.id, SessionStatus.KEPT, failure=failure))
            held = yield from engine.expire(core, scope)
            yield from engine.let_fall(core, held, scope)
            return None
        asking = self.rein.on_failure == "ask"
        yield from engine.freeze(core, scope, failure=failure, asking=asking)
        if asking:
            return None
        cause = f"the session failed with {failure['type']}: {failure['message']}"
        return (yield from engine.rollback(core, scope, cause=cause))

    def _leave(self, error: BaseException | None) -> Flow[None]:
        if error is None:
            yield from self._complete()
        elif not isinstance(error, pauses()):
            try:
                report = yield from self._fail(error)
            except AgentReinError as trouble:  # it must not replace the error that it follows from
                error.add_note(
                    f"session {self.id} could not be rolled back, `agentrein recover` will: {trouble}"
                )
                return
            if report:
                error.add_note(f"session {self.id} was rolled back: {report}")

    def __enter__(self) -> Self:
        self._token = CURRENT.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reset()
        if self.opener:
            run(self._leave(error))

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reset()
        if self.opener:
            await arun(self._leave(error))

    def _reset(self) -> None:
        if self._token is not None:
            CURRENT.reset(self._token)
            self._token = None
