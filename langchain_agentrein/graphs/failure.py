"""What an agent's state says of a failed session, and what is told about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.types import Command

from langchain_agentrein import engine
from langchain_agentrein.action import UNDONE, SessionRecord, SessionStatus, Status
from langchain_agentrein.engine import Scope
from langchain_agentrein.errors import JournalError, SessionFailed
from langchain_agentrein.flow import Flow, Step
from langchain_agentrein.graphs.ask import has_checkpointer
from langchain_agentrein.graphs.gate import pending
from langchain_agentrein.graphs.state import FAILURE_CHANNEL, STACK_CHANNEL
from langchain_agentrein.identity import SESSION_CHANNEL
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.report import RollbackReport
from langchain_agentrein.session import Session

if TYPE_CHECKING:
    from langchain_agentrein.journal.reader import Effect

WALKED = (SessionStatus.ROLLING_BACK, SessionStatus.ROLLED_BACK, SessionStatus.STUCK)
Failure = dict[str, Any]
"""`{"type", "message", "tool", "tool_call_id", "session_id", "walked"}`"""


def present(state: Mapping[str, Any]) -> Failure | None:
    """The failure of the present session, if it failed."""
    failure: Failure | None = (state.get(FAILURE_CHANNEL) or {}).get(state.get(SESSION_CHANNEL))
    return failure


def found(
    rein: AgentRein, state: Mapping[str, Any], session: SessionRecord, *, walks: bool
) -> Flow[Failure | None]:
    """The failure of the present session as its state has it, or else its journal.

    A process may die after it froze the session, or even walked it back, and before its state said why. The
    run that is resumed must neither go on, where its conversation tells of effects that were undone, nor end as if
    all were well.

    Args:
        walks: Whether this agent walks its session back.
    """
    failure = present(state)
    if failure is not None or not walks:
        return failure
    live = yield from engine.open_session(rein.core, session)
    if live.status is SessionStatus.ROLLING_BACK:
        return (yield from _recorded(rein, live.id))
    first, child, n = live.id.rpartition("~")
    if not child or (yield Step(rein.journal.session, (live.id,))) is not None:
        return None  # it goes on where it was, or in a session of its own
    failure = yield from _recorded(rein, first if n == "1" else f"{first}~{int(n) - 1}")
    if failure is None:
        return None
    called = {call["id"] for message in state["messages"] for call in getattr(message, "tool_calls", ())}
    if failure.get("tool_call_id") in called:
        return failure
    messages, stack = {message.id for message in state["messages"]}, set(state.get(STACK_CHANNEL) or ())
    effects: list[Effect] = yield Step(lambda: rein.journal.effects(failure["session_id"], after=0))
    told_of = any(one.id in stack or one.message_id in messages for one in effects)
    return failure if told_of else None


def _recorded(rein: AgentRein, session_id: str) -> Flow[Failure | None]:
    """The failure that the journal has of a session that is walked back, or was."""
    known: SessionRecord | None = yield Step(rein.journal.session, (session_id,))
    if known is None or not known.failure or known.status not in WALKED:
        return None
    return {**known.failure, "session_id": session_id}


def overtaken(failure: Failure) -> AIMessage:
    """What is answered in the model's place, which must not go on from a conversation that holds no more."""
    return AIMessage(f"This goes no further, since the task has failed already: {cause_of(failure)}.")


def freeze(
    rein: AgentRein, request: ToolCallRequest, session: SessionRecord, error: Exception, *, nested: bool
) -> Flow[dict[str, Failure]]:
    """The first act of any failure: no new actions of this session.

    Args:
        session: As the state names it. Where that is closed, since an old checkpoint is replayed, what
            fails is the child in which new calls are recorded, never what ended well.
        nested: The session is another agent's: it decides whether this is a failure of the whole.
    Returns:
        The mark for the state.
    """
    failure: Failure = {
        **engine.told(error),
        "tool": request.tool_call["name"],
        "tool_call_id": request.tool_call["id"],
    }
    failure["message"] = rein.journal.redactor.text(failure["message"])
    if not nested and rein.on_failure != "keep":
        asking = rein.on_failure == "ask" and has_checkpointer(request.runtime.config)
        try:
            live = (yield from engine.open_session(rein.core, session)).id
            yield from engine.freeze(rein.core, Scope((live,)), failure=failure, asking=asking)
            failure = {**failure, "session_id": live}  # for the state; the journal would take it for a secret
        except JournalError as unavailable:
            # Without its journal nothing can be walked, and the caller must know the first error.
            raise error from unavailable
    return {session.id: failure}


def of_model(rein: AgentRein, session: SessionRecord, error: Exception) -> Flow[None]:
    """Roll the session back because its model failed; nothing, if it has not acted yet."""
    scope = Scope(((yield from engine.open_session(rein.core, session)).id,))
    if (yield Step(rein.journal.session, scope.session_ids)) is not None:
        failure = engine.told(error)
        yield from engine.freeze(rein.core, scope, failure=failure)
        yield from engine.rollback(rein.core, scope, cause=cause_of(failure))


def kept(rein: AgentRein, session: Session, *, nested: bool) -> Flow[None]:
    """Leave the effects as they are, and say so of the session, unless it is another agent's."""
    live = yield from engine.open_session(rein.core, session.record)
    if not nested and (yield Step(rein.journal.session, (live.id,))) is not None:
        yield Step(rein.journal.set_session, (live.id, SessionStatus.KEPT))
        held = yield from engine.expire(rein.core, Scope((live.id,)))
        yield from engine.let_fall(rein.core, held, Scope((live.id,)))


def failed(rein: AgentRein, session_id: str, failure: Failure, *, walked: bool) -> Flow[SessionFailed]:
    """What is raised at the end, rebuilt from the journal: the run may have been resumed elsewhere."""
    report: RollbackReport | None = None
    if walked:
        report = yield from engine.report(rein.core, Scope((failure["session_id"],)))
    undone = told(report.to_dict() if report is not None else None)
    session_id = failure.get("session_id", session_id)
    return SessionFailed(
        f"session {session_id} failed: {cause_of(failure)}. {undone}",
        session_id=session_id,
        report=report,
        error={"type": failure["type"], "message": failure["message"]},
    )


def caught(request: ToolCallRequest, failure: dict[str, Failure]) -> Command[Any]:
    """What the tools node returns in place of the exception, so that siblings finish."""
    [told] = failure.values()
    message = ToolMessage(
        f"{told['type']}: {told['message']}",
        tool_call_id=request.tool_call["id"],
        name=request.tool_call["name"],
        status="error",
    )
    return Command(update={"messages": [message], FAILURE_CHANNEL: failure})


def walk_of(failure: Failure) -> dict[str, Any]:
    """What the compensation subgraph is given."""
    return {"session_id": failure["session_id"], "cause": cause_of(failure), "failure": failure}


def ended(state: Mapping[str, Any], session_id: str, failure: Failure, report: Any) -> dict[str, Any]:
    """Leave a state from which the next message works: every call answered, and a word of what was done."""
    unanswered = [
        ToolMessage("It did not run.", tool_call_id=call["id"] or "", name=call["name"], status="error")
        for call in pending(state["messages"])
    ]
    last = AIMessage(f"This failed and ended: {cause_of(failure)}. {told(report)}")
    return {
        "messages": [*unanswered, last],
        FAILURE_CHANNEL: {session_id: {**failure, "walked": True}},
    }


def cause_of(failure: Mapping[str, Any]) -> str:
    """Why the session failed, in one sentence."""
    where = f"`{failure['tool']}` failed with " if failure.get("tool") else ""
    return f"{where}{failure['type']}: {failure['message']}"


def told(report: Mapping[str, Any] | None) -> str:
    """What a rollback did, in a sentence or two."""
    if report is None:
        return "Its effects were kept."
    if not report["lines"]:
        return "Nothing had to be undone."
    counts = dict(report["counts"])
    dropped = counts.pop(Status.DROPPED, 0)
    undone = {name: count for name, count in counts.items() if name in UNDONE}
    left = {name: count for name, count in counts.items() if name not in UNDONE}
    parts = []
    if undone:
        parts.append("What it had done was undone: " + _counted(undone) + ".")
    if dropped:
        parts.append(f"Held, and never done: {dropped} dropped.")
    if left:
        parts.append("Left for a person: " + _counted(left) + ".")
    return " ".join(parts)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
