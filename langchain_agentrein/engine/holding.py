"""Held: journaled and not done, until its session completes or a person says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from langchain_agentrein.action import Action, Approval, SessionRecord, SessionStatus, Status
from langchain_agentrein.engine.core import Call, Core, Verdict
from langchain_agentrein.engine.scope import Scope
from langchain_agentrein.errors import LostRace, TransitionError
from langchain_agentrein.flow import Flow, Step

RELEASABLE = frozenset({SessionStatus.OPEN, SessionStatus.SUPERSEDED, SessionStatus.COMPLETED})
"""In a session that is failing, was rolled back, or was kept after it failed, nothing is released."""


def hold(core: Core, action: Action, call: Call, verdict: Verdict) -> Flow[Action]:
    """Journal a call that is not done now.

    Raises:
        SessionFrozen: The session takes no new actions.
        LostRace: The same call is recorded already.
    """
    how = Approval(
        "hold",
        by="policy",
        at=datetime.now(UTC),
        reason=verdict.reason or None,
        release_after=verdict.release_after,
    )
    held: Action = yield Step(
        lambda: core.journal.begin(action.with_(status=Status.HELD, approval=how), call.session)
    )
    return held


def held_message(action: Action) -> str:
    """What the model is told in place of a result; the same each time that it makes the same call."""
    after = action.approval.release_after if action.approval is not None else None
    if after is None:
        when = "when a person releases it"
    else:
        when = "when the session completes" + (f", {spoken(after)} later" if after else "")
    return (
        f"Held, not done: this call of {action.operation} was recorded, and nothing has happened yet. "
        f"It is done {when}. Do not call it again for this, and do not say that it was done."
    )


def spoken(seconds: float) -> str:
    """A delay in words."""
    return str(timedelta(seconds=round(seconds))) if seconds >= 1 else f"{seconds:g} s"


def due_at(action: Action, session: SessionRecord | None) -> datetime | None:
    """When what is held may be done (UTC); `None`: when its session has completed, or when a person says so."""
    if session is None or session.status not in RELEASABLE or action.approval is None:
        return None
    if action.status is Status.APPROVED:  # its release was recorded, by a worker that went no further
        return action.approval.at
    after = action.approval.release_after
    if session.status is not SessionStatus.COMPLETED or session.closed_at is None or after is None:
        return None
    return session.closed_at + timedelta(seconds=after)


def leave_to_a_person(core: Core, session_id: str) -> Flow[None]:
    """From now on only a person releases what the session holds."""
    held: list[Action] = yield Step(core.journal.on_hold, ([session_id],))
    for action in held:
        if action.approval is None or action.approval.release_after is None:
            continue
        how = replace(action.approval, release_after=None)
        try:
            yield Step(lambda one=action, new=how: core.journal.note(one, "left to a person", approval=new))
        except LostRace:
            continue  # released or dropped just now


def let_fall(core: Core, held: Iterable[Action], scope: Scope) -> Flow[list[Action]]:
    """Drop what is held in sessions that fail or are rolled back, as far as the scope goes; those that were dropped."""
    kept_up_to: datetime | None = None
    if scope.to is not None:
        last: Action = yield Step(core.journal.get, (scope.to,))
        kept_up_to = last.created_at
    dropped = []
    for action in held:
        if not falls(action, scope, kept_up_to):
            continue
        to = Status.DROPPED if action.status is Status.HELD else Status.EXPIRED
        try:
            dropped.append((yield Step(core.journal.move, (action, to))))
        except LostRace:
            continue  # it was released just before the freeze: the drain waits for it
    return dropped


def falls(action: Action, scope: Scope, kept_up_to: datetime | None) -> bool:
    """Whether a rollback of `scope` drops what is held.

    Args:
        kept_up_to: When the action was called to which `scope` goes back.
    """
    if scope.only is not None:
        return action.id in scope.only
    if kept_up_to is not None and action.created_at is not None:
        return action.created_at > kept_up_to
    return True


def drop(core: Core, action: Action, *, by: str, reason: str | None = None) -> Flow[Action]:
    """Let go of what is held, because a person says so.

    Raises:
        TransitionError: It is not held.
        LostRace: It was released just now.
    """
    if not action.on_hold:
        raise TransitionError(action.id, str(action.status), "dropped", "it is not held")
    to = Status.DROPPED if action.status is Status.HELD else Status.REJECTED
    said = replace(
        action.approval or Approval("hold"), decision="drop", by=by, at=datetime.now(UTC), reason=reason
    )
    dropped: Action = yield Step(lambda: core.journal.move(action, to, detail={"by": by}, approval=said))
    return dropped
