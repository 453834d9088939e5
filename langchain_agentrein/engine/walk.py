"""Walking a session back: freeze it, let what is under way end, then undo newest first."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from langchain_agentrein.action import (
    TO_UNDO,
    UNDONE,
    WAITING,
    Action,
    Json,
    Reversal,
    Risk,
    SessionRecord,
    SessionStatus,
    Status,
)
from langchain_agentrein.engine.compensate import compensate, wait_for_approval
from langchain_agentrein.engine.core import Core, OnConflict
from langchain_agentrein.engine.lease import is_abandoned
from langchain_agentrein.engine.reconcile import reconcile
from langchain_agentrein.errors import ConfigError, LostRace
from langchain_agentrein.flow import Flow, Sleep, Step
from langchain_agentrein.operation import Assessment, Operation
from langchain_agentrein.report import ReportLine, RollbackReport

POLL = 0.05


@dataclass(frozen=True, slots=True)
class Scope:
    """What a rollback is about.

    Attributes:
        to: An action's id: undo what came after it, and keep it and what came before.
        only: Just these actions.
    """

    session_ids: tuple[str, ...]
    to: str | None = None
    only: frozenset[str] | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing of the sessions is left out."""
        return self.to is None and self.only is None

    def stored(self, was: SessionStatus, *, asking: bool) -> dict[str, Json]:
        """The scope as a session keeps it, so that any process can finish the walk."""
        only = sorted(self.only) if self.only is not None else None
        return {"to": self.to, "only": only, "was": str(was), "asking": asking}

    @classmethod
    def of(cls, session: SessionRecord) -> Scope:
        """The scope of a rollback that a session is in."""
        kept = session.scope or {}
        only = kept.get("only")
        return cls((session.id,), kept.get("to"), frozenset(only) if only is not None else None)


@dataclass(slots=True)
class Progress:
    """What a walk has met so far; small, so that it can be checkpointed.

    Attributes:
        blocked: What undone-later undos act on: earlier ones that share it must wait.
        stopped: Set once an undo is stuck and `on_stuck="stop"`.
    """

    blocked: set[str] = field(default_factory=set)
    stopped: bool = False


def freeze(
    core: Core,
    scope: Scope,
    *,
    failure: Json = None,
    by: str | None = None,
    reason: str | None = None,
    asking: bool = False,
) -> Flow[None]:
    """Refuse new actions of the sessions from now on, and let their approvals lapse.

    Args:
        asking: A person is asked first: no other process may start the walk.
    """
    for session_id in scope.session_ids:
        known: SessionRecord | None = yield Step(core.journal.session, (session_id,))
        if known is None:
            continue
        was = _before(known)
        kept = scope.stored(was, asking=asking)
        if known.status is not SessionStatus.ROLLING_BACK or known.scope != kept or by or reason or failure:
            changes = {"by": by, "failure": failure, "reason": reason, "scope": kept}
            yield Step(
                lambda one=session_id, new=changes: core.journal.set_session(
                    one, SessionStatus.ROLLING_BACK, **new
                )
            )
    yield from expire(core, scope)


def expire(core: Core, scope: Scope) -> Flow[None]:
    """Let every approval that is asked for or given, but not used, lapse."""
    waiting: list[Action] = yield Step(
        lambda: core.journal.actions(scope.session_ids, statuses=WAITING, payloads=False)
    )
    for action in waiting:
        to = Status.DROPPED if action.status is Status.HELD else Status.EXPIRED
        try:
            yield Step(core.journal.move, (action, to))
        except LostRace:
            continue  # it started just before the freeze: the drain waits for it


def _before(session: SessionRecord) -> SessionStatus:
    if session.status is SessionStatus.ROLLING_BACK and session.scope:
        return SessionStatus(session.scope["was"])
    return session.status


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


def stack(core: Core, scope: Scope) -> Flow[list[Action]]:
    """The actions to undo, newest effect first.

    Raises:
        ConfigError: `to` or `only` names an action that is not there.
    """
    found: list[Action] = yield Step(
        lambda: core.journal.actions(scope.session_ids, statuses=TO_UNDO | UNDONE)
    )
    known = {action.id for action in found}
    for wanted in {scope.to, *(scope.only or ())} - {None}:
        if wanted not in known:
            raise ConfigError(f"action {wanted} has no effect in {', '.join(scope.session_ids)} that could be undone")
    if scope.to is not None:
        cut = next(place for place, action in enumerate(found) if action.id == scope.to)
        found = found[cut + 1 :]
    return [
        action
        for action in reversed(found)
        if action.status in TO_UNDO and (scope.only is None or action.id in scope.only)
    ]


def next_back(core: Core, session_id: str, below: int | None) -> Flow[Action | None]:
    """The newest action of a session that is to undo and came before `below`; `None`: the walk is at its end."""
    found: list[Action] = yield Step(lambda: core.journal.newest(session_id, statuses=TO_UNDO, below=below))
    return found[0] if found else None


def needs_approval(op: Operation, assessment: Assessment) -> str | None:
    """Why the undo of an operation needs a person's approval, or `None`."""
    if assessment.undo_effects:
        return "its undo " + ", ".join(sorted(str(effect) for effect in assessment.undo_effects))
    if assessment.undo_risk >= Risk.HIGH:
        return f"its undo has {assessment.undo_risk} risk"
    return None


def undo_needs(core: Core, action: Action) -> str | None:
    """Why the undo of a journaled action needs approval; `None` also where it cannot be rebuilt to tell."""
    if action.reversal is Reversal.NONE or action.undo.approved_by is not None:
        return None
    try:
        op = core.rebuild(action)
    except Exception:
        return None  # the undo itself will say what is wrong
    return needs_approval(op, op.undo_assessment())


def step_back(
    core: Core,
    action: Action,
    progress: Progress,
    *,
    cause: str | None = None,
    approved: Mapping[str, str] | Collection[str] = (),
    on_conflict: OnConflict | None = None,
) -> Flow[ReportLine]:
    """Undo one action of the stack, or say why not yet.

    Args:
        progress: What the walk met so far; updated.
        approved: Ids of actions whose far-reaching undo is approved; a mapping says by whom.
    """
    touches = _touches(core, action)
    if progress.stopped or (progress.blocked & touches):
        why = "an undo above it is stuck" if progress.stopped else "it waits for an undo above it"
        return replace(ReportLine.of(action), outcome="waiting", error=why)
    if action.status is Status.IN_DOUBT and action.reversal is not Reversal.NONE:
        progress.blocked |= touches
        why = (action.error or {}).get("unsettled", "nobody can tell whether it happened")
        return replace(ReportLine.of(action), error=f"a person must settle it: {why}")
    if action.status is Status.IN_DOUBT:
        residue = ("it may have happened, and nothing undoes it",)
        return replace(ReportLine.of(action), residue=residue)
    why_ask = undo_needs(core, action)
    try:
        if why_ask is not None and action.id not in approved:
            action = yield from wait_for_approval(core, action, why_ask, cause)
            progress.blocked |= touches
            return ReportLine.of(action)
        by = approved[action.id] if isinstance(approved, Mapping) and action.id in approved else None
        action = yield from compensate(core, action, cause=cause, on_conflict=on_conflict, approved_by=by)
    except LostRace:
        action = yield from _others(core, action)
    if action.status is Status.STUCK:
        if core.on_stuck == "stop":
            progress.stopped = True
        progress.blocked |= touches
    return ReportLine.of(action)


def _others(core: Core, action: Action) -> Flow[Action]:
    """Somebody else undoes it: wait for how it ends, since what is below must not be undone before."""
    waited = 0.0
    while True:
        now: Action = yield Step(core.journal.get, (action.id,))
        if now.status is not Status.COMPENSATING or waited > core.lease or is_abandoned(now, core.journal.worker):
            return now
        yield Sleep(POLL)
        waited += POLL


def _touches(core: Core, action: Action) -> frozenset[str]:
    try:
        return core.rebuild(action).touches()
    except Exception:
        return frozenset({action.connector or action.operation})


def close(core: Core, scope: Scope) -> Flow[None]:
    """Record how the sessions ended: rolled back, or stuck with something that a person must settle.

    After a partial rollback a session returns to what it was.
    """
    for session_id in scope.session_ids:
        known: SessionRecord | None = yield Step(core.journal.session, (session_id,))
        if known is None or known.status is not SessionStatus.ROLLING_BACK:
            continue
        left: list[Action] = yield Step(
            lambda one=session_id: core.journal.actions([one], statuses=TO_UNDO, payloads=False)
        )
        hopeless = [a for a in left if a.status is Status.IN_DOUBT and a.reversal is Reversal.NONE]
        to = SessionStatus.STUCK if len(left) > len(hopeless) else SessionStatus.ROLLED_BACK
        if not scope.whole:
            to = _before(known)
        yield Step(
            lambda one=session_id, end=to: core.journal.set_session(one, end, expect=[SessionStatus.ROLLING_BACK])
        )


def rollback(
    core: Core,
    scope: Scope,
    *,
    cause: str,
    by: str | None = None,
    reason: str | None = None,
    approved: Mapping[str, str] | Collection[str] = (),
    on_conflict: OnConflict | None = None,
) -> Flow[RollbackReport]:
    """Freeze, drain, and undo newest first, without asking anybody anything.

    Raises:
        ConfigError: A session or an action is not there.
    """
    for session_id in scope.session_ids:
        if (yield Step(core.journal.session, (session_id,))) is None:
            raise ConfigError(f"the journal has no session {session_id!r}: `agentrein sessions` lists them")
    yield from freeze(core, scope, by=by, reason=reason)
    yield from drain(core, scope)
    actions = yield from stack(core, scope)
    progress, lines = Progress(), []
    for action in actions:
        lines.append(
            (yield from step_back(core, action, progress, cause=cause, approved=approved, on_conflict=on_conflict))
        )
    yield from close(core, scope)
    return RollbackReport(scope.session_ids, tuple(lines))


def report(core: Core, scope: Scope) -> Flow[RollbackReport]:
    """What became of the sessions' effects, from the journal alone."""
    found: Sequence[Action] = yield Step(
        lambda: core.journal.actions(scope.session_ids, statuses=TO_UNDO | UNDONE)
    )
    return RollbackReport(scope.session_ids, tuple(ReportLine.of(action) for action in reversed(found)))


__all__ = ["Progress", "Scope", "close", "drain", "expire", "freeze", "next_back", "report", "rollback", "stack", "step_back"]
