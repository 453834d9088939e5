"""One operation, done and undone."""

from __future__ import annotations

from langchain_agentrein import Action, AgentRein, Session
from langchain_agentrein.engine import Call
from langchain_agentrein.flow import run
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.github import Hub


def call(rein: AgentRein, operation: Operation, hub: Hub) -> Session:
    """Do it; the session that it was done in."""
    session = rein.session(intent="faults")
    run(rein.perform(operation, hub, Call(session=session.record)))
    return session


def back(rein: AgentRein, session: Session) -> Action:
    """Roll back, far-reaching undos approved; the one action."""
    rein.rollback(session=session.id, approve=rein.plan(session=session.id), by="ana")
    [action] = session.actions()
    return action
