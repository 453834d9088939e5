"""Quiet before the walk: no new actions, approvals lapse, what is under way ends or is settled."""

from __future__ import annotations

import time

from langchain_agentrein.action import (
    TO_UNDO,
    WAITING,
    Action,
    Json,
    Reversal,
    SessionRecord,
    SessionStatus,
    Status,
)
from langchain_agentrein.engine.core import Core
from langchain_agentrein.engine.holding import let_fall
from langchain_agentrein.engine.lease import is_abandoned
from langchain_agentrein.engine.reconcile import reconcile
from langchain_agentrein.engine.scope import Scope
from langchain_agentrein.errors import LostRace
from langchain_agentrein.flow import Flow, Sleep, Step

POLL = 0.05
PEOPLES = (Status.STUCK, Status.CONFLICT)
"""What an undo leaves to a person."""


def freeze(
    core: Core,
    scope: Scope,
    *,
    failure: Json = None,
    by: str | None = None,
    reason: str | None = None,
    asking: bool = False,
) -> Flow[list[Action]]:
    """Refuse new actions of the sessions from now on, let their approvals lapse, and drop what they hold.

    Args:
        failure: Why. The first one stands: what fails after it fails for the freeze.
        asking: A person is asked first: no other process may start the walk.
    Returns:
        What was held, and is dropped now.
    """
    for session_id in scope.session_ids:
        known: SessionRecord | None = yield Step(core.journal.session, (session_id,))
        if known is None:
            continue
        kept = scope.stored(_before(known), asking=asking)
        new_failure = None if _failing(known) else failure
        if _whole_under_way(known) and not scope.whole:
            kept = known.scope  # the greater rollback is not forgotten over the smaller one
        frozen = known.status is SessionStatus.ROLLING_BACK and known.scope == kept
        if not frozen or by or reason or new_failure:
            changes = {"by": by, "failure": new_failure, "reason": reason, "scope": kept}
            yield Step(
                lambda one=session_id, new=changes: core.journal.set_session(
                    one, SessionStatus.ROLLING_BACK, **new
                )
            )
    held = yield from expire(core, scope)
    return (yield from let_fall(core, held, scope))


def expire(core: Core, scope: Scope) -> Flow[list[Action]]:
    """Let every approval that is asked for or given, but not used, lapse.

    Returns:
        What is held: it is left as it is.
    """
    waiting: list[Action] = yield Step(lambda: core.journal.actions(scope.session_ids, statuses=WAITING))
    for action in waiting:
        if action.on_hold:
            continue
        try:
            yield Step(core.journal.move, (action, Status.EXPIRED))
        except LostRace:
            continue  # it started just before the freeze: the drain waits for it
    return [action for action in waiting if action.on_hold]


def drain(core: Core, scope: Scope) -> Flow[None]:
    """Wait for the actions under way, and settle those whose worker is gone or whose outcome is open."""
    deadline = time.monotonic() + core.drain_timeout
    while True:
        running: list[Action] = yield Step(
            lambda: core.journal.actions(scope.session_ids, statuses=[Status.EXECUTING], payloads=False)
        )
        late = time.monotonic() > deadline
        for action in running:
            if action.paused or late or is_abandoned(action, core.journal.worker):
                full: Action = yield Step(core.journal.get, (action.id,))
                yield from reconcile(core, full)
        if not running:
            break
        yield Sleep(POLL)
    doubtful: list[Action] = yield Step(
        lambda: core.journal.actions(scope.session_ids, statuses=[Status.IN_DOUBT])
    )
    for action in doubtful:
        yield from reconcile(core, action)


def close(core: Core, scope: Scope) -> Flow[None]:
    """Record how the sessions ended: rolled back, or stuck with something that a person must settle.

    After a partial rollback a session returns to what it was; one that had ended, and in which something is left to a
    person, is stuck: nobody would look for that in a session that is merely superseded.
    """
    for session_id in scope.session_ids:
        known: SessionRecord | None = yield Step(core.journal.session, (session_id,))
        if known is None or known.status is not SessionStatus.ROLLING_BACK:
            continue
        if _whole_under_way(known) and not scope.whole:
            continue  # the greater rollback is still to be finished
        left: list[Action] = yield Step(
            lambda one=session_id: core.journal.actions([one], statuses=TO_UNDO, payloads=False)
        )
        hopeless = [a for a in left if a.status is Status.IN_DOUBT and a.reversal is Reversal.NONE]
        to = SessionStatus.STUCK if len(left) > len(hopeless) else SessionStatus.ROLLED_BACK
        was = _before(known)
        if not scope.whole and was not in (SessionStatus.STUCK, SessionStatus.ROLLED_BACK):
            waits = was is not SessionStatus.OPEN and any(action.status in PEOPLES for action in left)
            to = SessionStatus.STUCK if waits else was
        yield Step(
            lambda one=session_id, end=to: core.journal.set_session(
                one, end, expect=[SessionStatus.ROLLING_BACK]
            )
        )


def _before(session: SessionRecord) -> SessionStatus:
    if session.status is SessionStatus.ROLLING_BACK and session.scope:
        return SessionStatus(session.scope["was"])
    return session.status


def _failing(session: SessionRecord) -> bool:
    return session.status is SessionStatus.ROLLING_BACK and session.failure is not None


def _whole_under_way(session: SessionRecord) -> bool:
    return session.status is SessionStatus.ROLLING_BACK and Scope.of(session).whole
