"""Actions to put into a journal by hand."""

from __future__ import annotations

from typing import Any

from langchain_agentrein.action import Action, Reversal, Risk, SessionRecord, Status
from langchain_agentrein.journal import Journal

SESSION = SessionRecord(
    id="ses_test", goal="test the journal", thread_id="thread", tenant="acme", agent_id="bot"
)


def action(status: Status = Status.EXECUTING, **facts: Any) -> Action:
    """An action that no journal has seen yet."""
    known: dict[str, Any] = {
        "operation": "world.blind",
        "operation_version": 1,
        "connector": "world",
        "args": {"thing": "a"},
        "risk": Risk.LOW,
        "reversal": Reversal.COMPENSATING,
        "thread_id": "thread",
        "tool_call_id": "call_1",
        "message_id": "msg_1",
        "account": "acme",
        "tenant": "acme",
        "source": "tests.support.world",
        **facts,
    }
    return Action(id="", session_id=SESSION.id, status=status, **known)


PATHS: dict[Status, tuple[Status, ...]] = {
    Status.PROPOSED: (Status.PROPOSED,),
    Status.APPROVED: (Status.PROPOSED, Status.APPROVED),
    Status.DENIED: (Status.DENIED,),
    Status.REJECTED: (Status.PROPOSED, Status.REJECTED),
    Status.EXPIRED: (Status.PROPOSED, Status.EXPIRED),
    Status.HELD: (Status.HELD,),
    Status.DROPPED: (Status.HELD, Status.DROPPED),
    Status.EXECUTING: (Status.EXECUTING,),
    Status.EXECUTED: (Status.EXECUTING, Status.EXECUTED),
    Status.FAILED: (Status.EXECUTING, Status.FAILED),
    Status.IN_DOUBT: (Status.EXECUTING, Status.IN_DOUBT),
    Status.COMPENSATING: (Status.EXECUTING, Status.EXECUTED, Status.COMPENSATING),
    **{
        end: (Status.EXECUTING, Status.EXECUTED, Status.COMPENSATING, end)
        for end in (
            Status.RESTORED,
            Status.COMPENSATED,
            Status.IRREVERSIBLE,
            Status.CONFLICT,
            Status.STUCK,
        )
    },
}
"""How an action gets to each status."""


def brought_to(journal: Journal, status: Status, **facts: Any) -> Action:
    """A new action, brought to `status` step by step."""
    first, *rest = PATHS[status]
    known = journal.begin(action(first, **facts), SESSION)
    for step in rest:
        known = journal.move(known, step, hold=60 if step is Status.COMPENSATING else None)
    return known
