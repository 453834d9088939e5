"""Settling and finishing what dead workers left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from langchain_agentrein.action import Action, SessionRecord, SessionStatus, Status
from langchain_agentrein.engine.core import Core
from langchain_agentrein.engine.lease import is_abandoned
from langchain_agentrein.engine.reconcile import reconcile
from langchain_agentrein.engine.releasing import release_due
from langchain_agentrein.engine.scope import Scope
from langchain_agentrein.engine.undoing import AWAITING_APPROVAL, UNSURE
from langchain_agentrein.engine.walk import walk_back
from langchain_agentrein.flow import Flow, Step
from langchain_agentrein.report import ReportLine, RollbackReport


def recover(core: Core, *, retries: int = 0, pause: float = 30.0) -> Flow[RollbackReport]:
    """Settle actions whose worker is gone, finish rollbacks that nobody walks any more, do what was held and is due.

    A session that was merely running stays open: its thread can be resumed, or rolled back.

    Args:
        retries: How often an undo that failed is tried again, over all calls and processes, before it is left to
            a person. One that waits for an approval, or of which nobody knows whether it happened, is not.
        pause: Seconds before the first of these tries; doubled for each further one.
    Returns:
        A line for every action that was settled, undone or due.
    """
    settled: list[Action] = []
    open_ends: list[Action] = yield Step(
        lambda: core.journal.unsettled(statuses=[Status.EXECUTING, Status.IN_DOUBT])
    )
    for action in open_ends:
        if action.paused or not (
            action.status is Status.IN_DOUBT or is_abandoned(action, core.journal.worker)
        ):
            continue
        full: Action = yield Step(core.journal.get, (action.id,))
        settled.append((yield from reconcile(core, full)))
    sessions = dict.fromkeys(action.session_id for action in settled)
    lines = {action.id: ReportLine.of(action) for action in settled}
    walking: list[SessionRecord] = yield Step(
        lambda: core.journal.sessions(statuses=[SessionStatus.ROLLING_BACK])
    )
    for session in walking:
        done = yield from _finish(core, session.id)
        if done is not None:
            sessions |= dict.fromkeys(done.session_ids)
            lines |= {line.action_id: line for line in done.lines}
    if retries:
        for session in (yield from _failing(core, retries, pause)):
            done = yield from walk_back(core, Scope.of(session), cause="its undo failed, and is tried again")
            sessions |= dict.fromkeys(done.session_ids)
            lines |= {line.action_id: line for line in done.lines}
    for action in (yield from release_due(core)):
        if action.status is Status.EXECUTING:
            continue  # another worker is at it, and will tell
        sessions |= {action.session_id: None}
        lines[action.id] = ReportLine.of_released(action)
    return RollbackReport(tuple(sessions), tuple(lines.values()))


def _failing(core: Core, retries: int, pause: float) -> Flow[list[SessionRecord]]:
    """The sessions that were to be rolled back whole, and in which a failed undo is due to be tried again."""
    found: list[SessionRecord] = yield Step(lambda: core.journal.sessions(statuses=[SessionStatus.STUCK]))
    failing = []
    for session in found:
        if not Scope.of(session).whole:
            continue
        stuck: list[Action] = yield Step(
            lambda one=session.id: core.journal.actions([one], statuses=[Status.STUCK])
        )
        if any(_is_due(action, retries, pause) for action in stuck):
            failing.append(session)
    return failing


def may_retry(action: Action, retries: int) -> bool:
    """Whether a stuck undo may be tried again unasked: it failed, and not too often yet."""
    return (
        action.status is Status.STUCK
        and not (action.undo.error or "").startswith((AWAITING_APPROVAL, UNSURE))
        and action.undo.attempts <= retries
    )


def _is_due(action: Action, retries: int, pause: float) -> bool:
    last = action.undone_at or datetime.min.replace(tzinfo=UTC)
    wait = timedelta(seconds=pause * 2 ** max(action.undo.attempts - 1, 0))
    return may_retry(action, retries) and datetime.now(UTC) >= last + wait


def finish_walks(core: Core, thread_id: str, *, unanswered: bool) -> Flow[None]:
    """Finish the rollbacks of a thread that nobody walks any more, so that nothing runs on beside them.

    Args:
        unanswered: Also those whose question a person passed over: what is harmless is undone, the rest waits.
    """
    walking: list[SessionRecord] = yield Step(
        lambda: core.journal.sessions(thread_id=thread_id, statuses=[SessionStatus.ROLLING_BACK])
    )
    for session in walking:
        yield from _finish(core, session.id, unanswered=unanswered)


def _finish(core: Core, session_id: str, *, unanswered: bool = False) -> Flow[RollbackReport | None]:
    """Finish the rollback that a session is in, if nobody is walking it."""
    session: SessionRecord | None = yield Step(core.journal.session, (session_id,))
    if session is None or session.status is not SessionStatus.ROLLING_BACK:
        return None  # finished with another session of the same rollback
    if (session.scope or {}).get("asking") and not unanswered:
        return None  # a person was asked, and has not answered
    scope = Scope.of(session)
    walked: list[Action] = yield Step(
        lambda: core.journal.actions(scope.session_ids, statuses=[Status.COMPENSATING], payloads=False)
    )
    if any(not is_abandoned(action, core.journal.worker) for action in walked):
        return None
    failure = session.failure or {}
    cause = f"{failure['type']}: {failure['message']}" if failure else "the rollback was interrupted"
    return (yield from walk_back(core, scope, cause=session.reason or cause))
