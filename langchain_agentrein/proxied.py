"""One call of a wrapped SDK on its way to the engine: its session, its key, and what an open end means."""

from __future__ import annotations

import contextvars
import hashlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.runnables.config import var_child_runnable_config

from langchain_agentrein import identity
from langchain_agentrein.action import Intent, Status
from langchain_agentrein.calling import BINDING, Identified, ended, inside, prepare
from langchain_agentrein.engine import Performed
from langchain_agentrein.errors import ActionDenied, AgentReinError, ConfigError, InDoubt, NotCovered, Refused
from langchain_agentrein.identity import Caller
from langchain_agentrein.intent import intent_of
from langchain_agentrein.journal import new_id
from langchain_agentrein.operation import Operation
from langchain_agentrein.policy import ApprovalRule, OnUnknown
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.sdk import UnknownCall
from langchain_agentrein.session import CURRENT, Session, pauses
from langchain_agentrein.waiting import Approver, paused_or_waited


class _Block:
    """The calls inside one `keyed` block, told apart by their order."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.next = itertools.count().__next__


_KEY: contextvars.ContextVar[_Block | None] = contextvars.ContextVar("agentrein_key", default=None)


@contextmanager
def keyed(key: str) -> Iterator[None]:
    """What wrapped clients are told inside is done once for this key, in whichever process it comes again.

    The calls are told apart by their order: make them one after the other, in this thread.

    Raises:
        ConfigError: The key is empty.
    """
    if not key:
        raise ConfigError("a key must say which call it is: rein.keyed('import-7')")
    token = _KEY.set(_Block(key))
    try:
        yield
    finally:
        _KEY.reset(token)


@dataclass(frozen=True, slots=True)
class Door:
    """Where the calls of one wrapped client go.

    Attributes:
        session: Their session; `None`: the current one.
        api: What the operations are given.
        unknown: What holds for methods that no operation covers, where no rule speaks of them.
        wait: Seconds that a question waits for its answer outside a graph.
        approver: Answers questions outside a graph, in place of `rein.approve`.
    """

    rein: AgentRein
    session: Session | None
    api: Any
    unknown: OnUnknown
    wait: float
    approver: Approver | None

    def perform(self, op: Operation, method: str) -> Performed:
        """Do it, at most once.

        Raises:
            Refused: It may not run.
            NotDone: It certainly did not happen.
            InDoubt: It may have happened.
        """
        with self._standing():
            where = identity.caller(None, None)
            # LangGraph must be asked for its config before anything leaves this thread's context.
            config = var_child_runnable_config.get() or {}
            known = Identified(self.rein, BINDING.get(), where, self._key(where, op))
            prepared = prepare(known, op, _why)
            call = replace(prepared.call, metadata={"sdk": method}, ask=None, insist="")
            prepared = replace(prepared, call=call)
            with inside(prepared), self._ruled(op):
                try:
                    performed = paused_or_waited(
                        self.rein, prepared, self.api, config, wait=self.wait, approver=self.approver
                    )
                    # Another client of this process may be another account's: each undoes its own.
                    self.rein.bind(op.connector, self.api, performed.action.account)
                    return performed
                except ActionDenied as denied:
                    if (told := self._named(denied, op)) is denied:
                        raise
                    raise told from denied
                except AgentReinError:
                    raise
                except Exception as error:
                    if isinstance(error, pauses()) or (doubt := self._doubt(call.key, op)) is None:
                        raise
                    raise doubt from error
                finally:
                    if (session := ended(prepared)) is not None:
                        session.complete()

    @contextmanager
    def _standing(self) -> Iterator[None]:
        """Inside the session that was given, if one was."""
        if self.session is None:
            yield
            return
        token = CURRENT.set(self.session)
        try:
            yield
        finally:
            CURRENT.reset(token)

    @contextmanager
    def _ruled(self, op: Operation) -> Iterator[None]:
        """`unknown` as the last of the rules: whatever else speaks of the call comes first."""
        outer = CURRENT.get()
        if not isinstance(op, UnknownCall) or outer is None:
            yield
            return
        last = ApprovalRule(op.name, self.unknown)
        rules = (*outer.rules, *self.rein.policy.rules, last)
        token = CURRENT.set(
            Session(self.rein, outer.record, rules=rules, opener=False, message_id=outer.message_id)
        )
        try:
            yield
        finally:
            CURRENT.reset(token)

    def _key(self, where: Caller, op: Operation) -> str:
        """By the block's key, by task and ordinal in a graph, else a new one: a question is found again by it."""
        block = _KEY.get()
        if block is not None:
            whose = (self.rein.tenant or "", op.connector, op.account(self.api) or "")
            return _digest("keyed", *whose, block.key, str(block.next()))
        return identity.call_key(where, op.name) or _digest("once", new_id("call"))

    def _doubt(self, key: str, op: Operation) -> InDoubt | None:
        """After an error that leaves it open: whoever catches a vendor's error to try again must not catch this one."""
        known = self.rein.journal.calls(key)
        if not known or known[-1].status not in (Status.IN_DOUBT, Status.EXECUTING):
            return None
        waits = known[-1].id
        return InDoubt(
            f"action {waits} ({op.name}) may have happened, and nothing here can tell: look, then settle it with "
            f"`agentrein approve {waits}` (it happened) or `agentrein reject {waits}` (it did not). "
            "Do not just call again: without a key that is another action",
            action_id=waits,
        )

    def _named(self, denied: ActionDenied, op: Operation) -> Refused:
        """What the policy denied because no operation covers it names the nearest one."""
        known = self.rein.journal.get(denied.action_id) if denied.action_id is not None else None
        if known is None or known.status is not Status.DENIED or not isinstance(op, UnknownCall):
            return denied
        close = f": the nearest is {op.nearest}" if op.nearest else ""
        return NotCovered(
            f"{op.method} changes something, and no operation covers it{close}. It did not run. Use what is covered, "
            "or have it asked about with rein.wrap(..., unknown='ask')",
            method=op.method,
            nearest=op.nearest,
            action_id=denied.action_id,
        )


def _why(where: Caller, goal: str) -> Intent:
    """What the model said last: the call itself carries no reason."""
    last = next((one for one in reversed(where.messages) if isinstance(one, AIMessage)), None)
    return intent_of(last, goal=goal) if last is not None else Intent(goal=goal)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


__all__ = ["Door", "keyed"]
