"""Walking a session back: freeze it, let what is under way end, then undo newest first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from langchain_agentrein.action import TO_UNDO, UNDONE, Action, Reversal, Status
from langchain_agentrein.engine.compensate import AWAITING_APPROVAL, compensate
from langchain_agentrein.engine.core import Core, OnConflict
from langchain_agentrein.engine.freezing import close, drain, expire, freeze
from langchain_agentrein.engine.lease import is_abandoned
from langchain_agentrein.engine.reconcile import approve_undo
from langchain_agentrein.engine.scope import Progress, Scope
from langchain_agentrein.errors import ConfigError, LostRace
from langchain_agentrein.flow import Flow, Sleep, Step
from langchain_agentrein.report import ReportLine, RollbackReport

POLL = 0.05
RACES = 10


def checked(core: Core, scope: Scope) -> Flow[None]:
    """Make sure that what a scope names is there, before anything is stopped for it.

    Raises:
        ConfigError: It is not.
    """
    for session_id in scope.session_ids:
        if (yield Step(core.journal.session, (session_id,))) is None:
            raise ConfigError(f"the journal has no session {session_id!r}: `agentrein sessions` lists them")
    wanted = {*([scope.to] if scope.to is not None else []), *(scope.only or ())}
    if not wanted:
        return
    statuses = TO_UNDO | UNDONE | {Status.EXECUTING, Status.HELD}
    found: list[Action] = yield Step(
        lambda: core.journal.actions(scope.session_ids, statuses=statuses, payloads=False)
    )
    # What is held has no place among the effects: it can be named, and nothing comes after it.
    there = {action.id for action in found if action.status is not Status.HELD or action.id != scope.to}
    for unknown in wanted - there:
        raise ConfigError(
            f"action {unknown} has no effect in {', '.join(scope.session_ids)} that could be undone"
        )


def stack(core: Core, scope: Scope) -> Flow[list[Action]]:
    """The actions to undo, newest effect first; of those that are named, the ones that did happen."""
    found: list[Action] = yield Step(lambda: core.journal.actions(scope.session_ids))
    if scope.to is not None:
        cut = next(place for place, action in enumerate(found) if action.id == scope.to)
        found = found[cut + 1 :]
    return [
        action
        for action in reversed(found)
        if action.status in TO_UNDO and (scope.only is None or action.id in scope.only)
    ]


def next_back(core: Core, session_id: str, below: int | None) -> Flow[Action | None]:
    """The newest action of a session that is to undo and came before `below`; `None`: there is none."""
    found: list[Action] = yield Step(lambda: core.journal.newest(session_id, statuses=TO_UNDO, below=below))
    return found[0] if found else None


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
    touches = touched(core, action)
    if progress.stopped or (progress.blocked & touches):
        why = "an undo above it is stuck" if progress.stopped else "it waits for an undo above it"
        return replace(ReportLine.of(action), outcome="waiting", error=why)
    if action.status is Status.IN_DOUBT:
        if action.reversal is Reversal.NONE:
            return replace(ReportLine.of(action), residue=("it may have happened, and nothing undoes it",))
        progress.blocked |= touches
        why = (action.error or {}).get("unsettled", "nobody can tell whether it happened")
        return replace(ReportLine.of(action), error=f"a person must settle it: {why}")
    by = None
    if action.id in approved:
        by = (approved[action.id] if isinstance(approved, Mapping) else "") or "whoever rolled it back"
    action = yield from _compensated(core, action, cause=cause, on_conflict=on_conflict, by=by)
    if action.status is Status.COMPENSATING:
        progress.stopped = True  # another worker still undoes it: what is below comes after it
    if action.status is Status.STUCK:
        awaiting = (action.undo.error or "").startswith(AWAITING_APPROVAL)
        progress.stopped = progress.stopped or (core.on_stuck == "stop" and not awaiting)
        progress.blocked |= touches
    return ReportLine.of(action)


def _compensated(
    core: Core, action: Action, *, cause: str | None, on_conflict: OnConflict | None, by: str | None
) -> Flow[Action]:
    """Undo it; or, where somebody else does, wait for how that ends, since what is below comes after it."""
    for _ in range(RACES):
        try:
            return (yield from compensate(core, action, cause=cause, on_conflict=on_conflict, approved_by=by))
        except LostRace:
            action = yield from _others(core, action)
        if action.status is not Status.COMPENSATING or not is_abandoned(action, core.journal.worker):
            return action
    return action


def _others(core: Core, action: Action) -> Flow[Action]:
    waited = 0.0
    while True:
        now: Action = yield Step(core.journal.get, (action.id,))
        if now.status is not Status.COMPENSATING or is_abandoned(now, core.journal.worker):
            return now
        if waited > max(core.lease, core.drain_timeout):
            return now
        yield Sleep(POLL)
        waited += POLL


def touched(core: Core, action: Action) -> frozenset[str]:
    """What the undo of an action acts on, as far as anybody can tell."""
    try:
        return core.rebuild(action).touches()
    except Exception:  # noqa: BLE001 - the undo itself will say what is wrong
        return frozenset({action.connector or action.operation})


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
        ConfigError: A session or an action is not there; nothing was stopped.
    """
    yield from checked(core, scope)
    return (
        yield from walk_back(
            core, scope, cause=cause, by=by, reason=reason, approved=approved, on_conflict=on_conflict
        )
    )


def walk_back(
    core: Core,
    scope: Scope,
    *,
    cause: str,
    by: str | None = None,
    reason: str | None = None,
    approved: Mapping[str, str] | Collection[str] = (),
    on_conflict: OnConflict | None = None,
) -> Flow[RollbackReport]:
    """Like `rollback`, for a scope that was checked: what it names may have turned out not to have happened."""
    dropped = yield from freeze(core, scope, by=by, reason=reason)
    yield from drain(core, scope)
    actions = yield from stack(core, scope)
    actions = yield from _approvals(core, actions, approved)
    progress, lines = Progress(), [ReportLine.of(action) for action in reversed(dropped)]
    for action in actions:
        lines.append((yield from step_back(core, action, progress, cause=cause, on_conflict=on_conflict)))
    yield from close(core, scope)
    return RollbackReport(scope.session_ids, tuple(lines))


def _approvals(
    core: Core, actions: Sequence[Action], approved: Mapping[str, str] | Collection[str]
) -> Flow[list[Action]]:
    """Record first which far-reaching undos a person approved, for whoever finishes an interrupted walk."""
    noted = []
    for action in actions:
        if (
            action.id in approved
            and action.undo.approved_by is None
            and action.status is not Status.COMPENSATING
        ):
            by = approved[action.id] if isinstance(approved, Mapping) else ""
            try:
                action = yield from approve_undo(core, action, by=by or "whoever rolled it back")
            except LostRace:
                action = yield Step(core.journal.get, (action.id,))
        noted.append(action)
    return noted


def report(core: Core, scope: Scope) -> Flow[RollbackReport]:
    """What became of the sessions' effects, from the journal alone."""
    found: Sequence[Action] = yield Step(
        lambda: core.journal.actions(scope.session_ids, statuses=TO_UNDO | UNDONE | {Status.DROPPED})
    )
    return RollbackReport(scope.session_ids, tuple(ReportLine.of(action) for action in reversed(found)))


__all__ = [
    "Progress",
    "Scope",
    "checked",
    "close",
    "drain",
    "expire",
    "freeze",
    "next_back",
    "report",
    "rollback",
    "stack",
    "step_back",
    "touched",
    "walk_back",
]
