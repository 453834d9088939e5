"""A call, and its undo, without a model."""

from __future__ import annotations

from typing import Any

from langchain_agentrein import Action, AgentRein, Session
from langchain_agentrein.engine import Call
from langchain_agentrein.flow import run
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.gmail import Hub


def call(rein: AgentRein, operation: Operation, hub: Hub, session: Session | None = None) -> Session:
    """Do it; the session that it was done in."""
    session = session or rein.session(intent="faults")
    run(rein.perform(operation, hub, Call(session=session.record)))
    return session


def back(rein: AgentRein, session: Session, **options: Any) -> Action:
    """Roll back, far-reaching undos approved; the newest action."""
    rein.rollback(session=session.id, approve=rein.plan(session=session.id), by="ana", **options)
    return session.actions()[-1]


def refused(code: int, reason: str, message: str = "no") -> dict[str, Any]:
    """An error as Google says it."""
    return {"error": {"code": code, "message": message, "errors": [{"reason": reason, "message": message}]}}
