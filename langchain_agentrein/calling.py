"""A call on its way to the engine: which journal, who calls, in which session, and why."""

from __future__ import annotations

import contextvars
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from langchain_core.runnables import RunnableConfig

from langchain_agentrein import identity
from langchain_agentrein.action import Action, Intent, Status
from langchain_agentrein.engine import Call, Decision, Performed
from langchain_agentrein.errors import InDoubt, NotDone
from langchain_agentrein.identity import SCOPE, Caller, Scope
from langchain_agentrein.operation import Assessment, Operation
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.session import CURRENT, Session, pauses


@dataclass(frozen=True, slots=True)
class Binding:
    """What a middleware lends to the tools that it runs.

    Attributes:
        rein: For tools that are not bound themselves.
        where: The call as the middleware sees it.
        ask: Asks a person here and now; `None` where that is not possible.
        insist: Why a person must decide about this call even where the policy would let it pass.
        approver: Says who answers, from a run's config; for what a tool asks itself.
    """

    rein: AgentRein
    where: Caller | None = None
    ask: Callable[[Action, Assessment], Decision] | None = None
    insist: str = ""
    approver: Callable[[RunnableConfig], str | None] | None = None


BINDING: contextvars.ContextVar[Binding | None] = contextvars.ContextVar("agentrein_binding", default=None)


@dataclass(frozen=True, slots=True)
class Identified:
    """A call that has its name: from here on it may leave the thread that made it.

    Attributes:
        key: What identifies it; taken at once, since calls without a message are counted.
    """

    rein: AgentRein
    binding: Binding | None
    where: Caller
    key: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that is ready for the engine.

    Attributes:
        implicit: The session is for this call alone, and ends with it.
    """

    rein: AgentRein
    op: Operation
    call: Call
    where: Caller
    implicit: bool


def prepare(known: Identified, op: Operation, why: Callable[[Caller, str], Intent]) -> Prepared:
    """Find the session and the intent of a call. Reads the journal.

    Args:
        why: `why(where, goal)`.
    """
    rein, binding, where = known.rein, known.binding, known.where
    session = identity.session_of(where, rein.journal)
    if session.tenant is None and rein.tenant is not None:
        session = replace(session, tenant=rein.tenant)
    alone = CURRENT.get() is None and identity.SESSION_CHANNEL not in where.state
    if alone and binding is None and where.in_graph and not rein.unwinds:
        _warn_nothing_unwinds(rein)
    call = Call(
        session=session,
        key=known.key,
        thread_id=where.thread_id,
        tool_call_id=where.tool_call_id,
        message_id=root_message(where),
        intent=why(where, session.goal),
        pauses=pauses(),
        ask=binding.ask if binding is not None else None,
        insist=binding.insist if binding is not None else "",
    )
    return Prepared(rein, op, call, where, implicit=alone and not where.in_graph)


@contextmanager
def inside(prepared: Prepared) -> Iterator[None]:
    """Agents that run inside the tool join its session, and ask for themselves."""
    outer, record, binding = CURRENT.get(), prepared.call.session, BINDING.get()
    if outer is not None and outer.id == record.id:
        session = outer
    else:
        session = Session(prepared.rein, record, opener=False, message_id=prepared.call.message_id)
    scope = Scope(prepared.call.key, prepared.where.task_ns)
    within = Binding(prepared.rein, approver=binding.approver if binding is not None else None)
    tokens = CURRENT.set(session), BINDING.set(within), SCOPE.set(scope)
    try:
        yield
    finally:
        SCOPE.reset(tokens[2])
        BINDING.reset(tokens[1])
        CURRENT.reset(tokens[0])


def ended(prepared: Prepared) -> Session | None:
    """The session to complete now that its only call is over; one that is in doubt stays open, to be seen."""
    if not prepared.implicit:
        return None
    session = Session(prepared.rein, prepared.call.session)
    unclear = {Status.IN_DOUBT, Status.EXECUTING}
    return None if any(action.status in unclear for action in session.actions()) else session


def after_all(prepared: Prepared, performed: Performed) -> Performed:
    """A session for one call has ended with it: what it held may have been done by now.

    Raises:
        NotDone: It was not, for certain.
        InDoubt: It may have been.
    """
    if not (prepared.implicit and performed.action.on_hold):
        return performed
    now = prepared.rein.journal.get(performed.action.id)
    why = (now.error or {}).get("message", "")
    if now.status is Status.FAILED:
        raise NotDone(f"{now.operation} was not done: {why}")
    if now.status is Status.IN_DOUBT:
        raise InDoubt(f"action {now.id} ({now.operation}) may have happened: {why}", action_id=now.id)
    return replace(performed, action=now)


def root_message(where: Caller) -> str | None:
    """The message that accounts for the call in the state of whoever opened the session."""
    outer = CURRENT.get()
    if outer is not None and outer.message_id is not None:
        return outer.message_id
    return where.message.id if where.message is not None else None


_warned: weakref.WeakSet[AgentRein] = weakref.WeakSet()


def _warn_nothing_unwinds(rein: AgentRein) -> None:
    if rein not in _warned:
        _warned.add(rein)
        warnings.warn(
            "a reversible tool runs in a graph that nothing unwinds when it fails: use rein.middleware() in "
            "create_agent, or langchain_agentrein.graphs.add_compensation(builder, rein=rein). "
            "Its calls are journaled, and can be rolled back by hand",
            stacklevel=4,
        )
