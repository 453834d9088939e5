"""What a crash, or an earlier turn, left open is dealt with before anything runs on beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.runnables import RunnableConfig

from langchain_agentrein import engine
from langchain_agentrein.action import Action, SessionRecord, Status
from langchain_agentrein.engine import Scope
from langchain_agentrein.errors import ConfigError, InDoubt, OrphanedActions
from langchain_agentrein.flow import Flow, Step
from langchain_agentrein.graphs.ask import YES_NO, Approver, Question, approver_of, ask_all, has_checkpointer
from langchain_agentrein.graphs.lending import may_ask
from langchain_agentrein.graphs.state import SEEN_CHANNEL, STACK_CHANNEL
from langchain_agentrein.identity import namespace
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.report import RollbackReport


def leave_behind(rein: AgentRein, thread_id: str, session_id: str, tenant: str | None) -> Flow[None]:
    """A new turn begins: the thread's open session is superseded, and a walk that nobody goes on with is finished.

    A cancelled run may have left one half-way. And a new message is no answer to a question about a walk:
    what is harmless is undone, unless nobody was to be walked back unasked.

    Raises:
        ConfigError: The thread is another tenant's.
    """
    if tenant is not None:
        yield from _refuse_foreign(rein, thread_id, tenant)
    replaced: list[str] = yield Step(rein.journal.supersede, (thread_id, session_id))
    for old in replaced:
        yield from engine.expire(rein.core, Scope((old,)))
    yield from engine.finish_walks(rein.core, thread_id, unanswered=rein.on_failure != "ask")


def _refuse_foreign(rein: AgentRein, thread_id: str, tenant: str) -> Flow[None]:
    """A thread's id comes from a client: one of another tenant's must not lead to that one's sessions."""
    known: list[SessionRecord] = yield Step(lambda: rein.journal.sessions(thread_id=thread_id))
    if any(one.tenant not in (None, tenant) for one in known):
        raise ConfigError(f"thread {thread_id!r} is not tenant {tenant!r}'s: nothing was done")


def orphans(
    rein: AgentRein,
    state: Mapping[str, Any],
    session_id: str,
    *,
    config: RunnableConfig,
    runtime: Any,
    approver: Approver | None,
) -> Flow[list[str]]:
    """Look for effects of this thread that its state knows nothing of, and do as `on_orphans` says.

    A crash cut them off, or the thread was put back to an older checkpoint: the model may do them again. Of sessions
    that ended, only this turn's count, and only for the agent that is the whole graph: another agent's messages
    need not be in the state of this one.

    Returns:
        The ids that a person chose to keep.
    Raises:
        OrphanedActions: They could not all be rolled back.
        GraphInterrupt: A person must decide.
    """
    where = config.get("configurable") or {}
    thread_id = where.get("thread_id")
    if thread_id is None:
        return []
    whole = namespace(where.get("checkpoint_ns") or "") == ""

    def look() -> list[Action]:
        return rein.journal.strays(
            thread_id,
            known=set(state.get(STACK_CHANNEL) or ()),
            messages={message.id for message in state["messages"] if message.id},
            session_id=session_id,
            after=(state.get(SEEN_CHANNEL) or {}).get(session_id, 0),
            ended=whole and has_checkpointer(config),
        )

    lost: list[Action] = yield Step(look)
    if lost:
        # A crash may have come in the middle of their rollback: that was decided, and is finished first.
        yield from engine.finish_walks(rein.core, thread_id, unanswered=False)
        lost = yield Step(look)
    if not lost:
        return []
    ids = [action.id for action in lost]
    by = None
    if rein.on_orphans == "ask":
        if not has_checkpointer(config):
            raise OrphanedActions(thread_id, ids)
        [answer] = yield Step(ask_all, ([_about_orphans(thread_id, lost)],))
        if answer["type"] == "reject":
            return ids
        by = approver_of(config, runtime, approver)
    sessions = tuple(dict.fromkeys(action.session_id for action in lost))
    report: RollbackReport = yield from engine.rollback(
        rein.core,
        Scope(sessions, only=frozenset(ids)),
        cause="the conversation does not know of it",
        by=by,
    )
    if not report.complete:
        raise OrphanedActions(thread_id, [line.action_id for line in report.unsettled])
    return []


def _about_orphans(thread_id: str, lost: list[Action]) -> Question:
    names = ", ".join(action.operation for action in lost)
    return Question(
        f"orphans:{thread_id}",
        "agentrein_orphans",
        {"actions": [action.id for action in lost], "operations": names},
        f"The conversation does not know of {len(lost)} effect(s) of its own: {names}. A crash cut them off, or it was "
        "put back to an older checkpoint. The model may do them again. Approve to roll them back first, reject to "
        "keep them and go on.",
        YES_NO,
    )


def settle(
    rein: AgentRein, doubt: InDoubt, request: ToolCallRequest, approver: Approver | None
) -> Flow[None]:
    """Have a person say whether an earlier try of a call had its effect.

    Raises:
        InDoubt: Nobody can be asked, or there is nothing to settle.
        GraphInterrupt: A person must decide.
    """
    runtime = request.runtime
    if doubt.action_id is None or not may_ask(request):
        raise doubt
    action: Action = yield Step(rein.journal.get, (doubt.action_id,))
    if action.status is not Status.IN_DOUBT:
        raise doubt
    redactor = rein.journal.redactor
    question = Question(
        action.id,
        "agentrein_settle",
        {"operation": action.operation, "args": redactor.mask(action.args)},
        redactor.text(f"{doubt} Approve if it happened, reject if it did not: it then runs again."),
        YES_NO,
    )
    [answer] = yield Step(ask_all, ([question],))
    by = approver_of(runtime.config, runtime, approver)
    yield from engine.settle(rein.core, action, happened=answer["type"] == "approve", by=by)
