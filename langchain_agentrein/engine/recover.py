"""Settling and finishing what dead workers left."""

from __future__ import annotations

from langchain_agentrein.action import Action, SessionRecord, SessionStatus, Status
from langchain_agentrein.engine.core import Core
from langchain_agentrein.engine.lease import is_abandoned
from langchain_agentrein.engine.reconcile import reconcile
from langchain_agentrein.engine.walk import Scope, rollback
from langchain_agentrein.flow import Flow, Step
from langchain_agentrein.report import ReportLine, RollbackReport


def recover(core: Core) -> Flow[RollbackReport]:
    """Settle actions whose worker is gone, and finish rollbacks that nobody walks any more.

    A session that was merely running stays open: its thread can be resumed, or rolled back.

    Returns:
        A line for every action that was settled or undone.
    """
    lines: list[ReportLine] = []
    open_ends: list[Action] = yield Step(
        lambda: core.journal.unsettled(statuses=[Status.EXECUTING, Status.IN_DOUBT])
    )
    for action in open_ends:
        if action.paused or not (action.status is Status.IN_DOUBT or is_abandoned(action, core.journal.worker)):
            continue
        full: Action = yield Step(core.journal.get, (action.id,))
        lines.append(ReportLine.of((yield from reconcile(core, full))))
    walking: list[SessionRecord] = yield Step(
        lambda: core.journal.sessions(statuses=[SessionStatus.ROLLING_BACK])
    )
    for session in walking:
        if (session.scope or {}).get("asking"):
            continue  # a person was asked, and has not answered
        undoing: list[Action] = yield Step(
            lambda one=session.id: core.journal.actions([one], statuses=[Status.COMPENSATING], payloads=False)
        )
        if any(not is_abandoned(action, core.journal.worker) for action in undoing):
            continue
        failure = session.failure or {}
        cause = session.reason or (
            f"{failure['type']}: {failure['message']}" if failure else "the rollback was interrupted"
        )
        done = yield from rollback(core, Scope.of(session), cause=cause)
        lines += done.lines
    ids = tuple(dict.fromkeys([a.session_id for a in open_ends] + [s.id for s in walking]))
    return RollbackReport(ids, tuple(lines))
