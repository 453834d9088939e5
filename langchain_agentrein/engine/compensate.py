"""Back: the intent first, then the undo, then a look at what is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from langchain_agentrein.action import Action, Json, Reversal, Status, Undo
from langchain_agentrein.engine.compare import Comparison, compare
from langchain_agentrein.engine.core import Core, OnConflict
from langchain_agentrein.engine.lease import is_abandoned
from langchain_agentrein.errors import (
    AgentReinError,
    Conflict,
    LostRace,
    SealError,
    Throttled,
    WrongAccount,
)
from langchain_agentrein.flow import Flow, Sleep, Step
from langchain_agentrein.journal.codec import contains_mask, jsonable
from langchain_agentrein.operation import Operation, Undone

THROTTLES = 10
AWAITING_APPROVAL = "awaiting approval"


def compensate(
    core: Core,
    action: Action,
    *,
    cause: str | None = None,
    on_conflict: OnConflict | None = None,
    approved_by: str | None = None,
) -> Flow[Action]:
    """Undo one action, at most once, and record how it ended.

    Args:
        action: `EXECUTED`, `CONFLICT`, `STUCK`, or `COMPENSATING` under a worker that is gone.
        cause: Why, as one sentence.
        on_conflict: Overrides the core's own answer to a conflict.
        approved_by: Who approved an undo that reaches further than putting things back.
    Returns:
        The action: `RESTORED`, `COMPENSATED`, `IRREVERSIBLE`, `CONFLICT` or `STUCK`.
    Raises:
        LostRace: Somebody else is undoing it.
    """
    resumed = action.status is Status.COMPENSATING
    if resumed and not is_abandoned(action, core.journal.worker):
        raise LostRace(action.id, str(action.status), "compensating", f"held by {action.held_by}")
    undo = replace(
        action.undo,
        cause=cause or action.undo.cause,
        approved_by=approved_by or action.undo.approved_by,
        attempts=action.undo.attempts + 1,
        error=None,
        outcome=None,
    )
    action = yield Step(
        lambda: core.journal.move(
            action,
            Status.COMPENSATING,
            hold=core.lease,
            detail={"attempt": undo.attempts, **({"resumed": True} if resumed else {})},
            undo=undo,
        )
    )
    with core.keeper.holding(action.id):
        return (yield from _Walker(core, action, on_conflict or core.on_conflict, resumed).walk())


class _Walker:
    """One claimed undo."""

    def __init__(self, core: Core, action: Action, on_conflict: OnConflict, resumed: bool) -> None:
        self.core, self.action, self.on_conflict, self.resumed = core, action, on_conflict, resumed

    def walk(self) -> Flow[Action]:
        action = self.action
        if action.reversal is Reversal.NONE:
            return (yield from self._end(Status.IRREVERSIBLE, residue=(f"{action.operation} cannot be undone",)))
        try:
            op = self.core.rebuild(action)
            api = self.core.api(op, action.account)
            if contains_mask([action.args, action.before, action.receipt]):
                raise SealError(
                    f"action {action.id} holds a sealed secret and its key is not here: set AGENTREIN_SEAL_KEY"
                )
            present: str | None = yield Step(op.account, (api,))
            if present != action.account:
                raise WrongAccount(action.id, action.account, present)
        except Exception as error:
            return (yield from self._stuck(_said(error)))
        if not op.overrides("undo"):
            return (yield from self._end(Status.IRREVERSIBLE, residue=(f"{op.name} defines no undo",)))
        try:
            return (yield from self._tries(op, api))
        finally:
            op.release()

    def _tries(self, op: Operation, api: Any) -> Flow[Action]:
        error = ""
        throttles = 0
        tried = 0
        while tried < self.core.attempts:
            try:
                return (yield from self._try(op, api))
            except Conflict as conflict:
                details = "; ".join([str(conflict), *conflict.details])
                return (yield from self._end(Status.CONFLICT, error=details))
            except LostRace:
                raise
            except Throttled as wait:
                throttles += 1
                error = _said(wait)
                if throttles > THROTTLES:
                    break
                yield Sleep(wait.retry_after)
                continue
            except Exception as raised:
                error = _said(raised)
            tried += 1
            if tried < self.core.attempts:
                yield Sleep(self.core.backoff * 2 ** (tried - 1))
        return (yield from self._stuck(f"tried {max(tried, throttles)} times: {error}"))

    def _try(self, op: Operation, api: Any) -> Flow[Action]:
        action = self.action
        state = Comparison.untold()
        if op.observes:
            seen: Json = jsonable((yield Step(op.observe, (api, action))))
            state = compare(seen, before=jsonable(op.as_before(action)), after=action.after)
            if state.already_undone:
                return (yield from self._already(op))
        elif self.resumed and not op.repeatable:
            return (
                yield from self._stuck(
                    f"a worker died while it undid this, and {op.name} has no `observe` to tell how far it came: "
                    "look, then settle it by hand"
                )
            )
        attached: list[str] = list((yield Step(op.attached, (api, action))))
        force = self.on_conflict == "force"
        if attached and not force:
            raise Conflict("others have since built on it", attached)
        kept: tuple[str, ...] = ()
        if state.taken and not force:
            kept = tuple(f"kept {name}, which somebody changed since" for name in state.taken)
            if not (op.partial and state.free):
                return (yield from self._conflict(kept, state))
            action = action.with_(undo_fields=state.free)
        returned = yield Step(op.undo, (api, action), effect=True)
        return (yield from self._look_back(op, api, _undone(returned), kept))

    def _look_back(self, op: Operation, api: Any, undone: Undone, kept: tuple[str, ...]) -> Flow[Action]:
        residue = tuple(undone.residue)
        if undone.unfinished:
            return (yield from self._stuck(undone.unfinished, residue=residue))
        if kept:
            return (yield from self._conflict((*kept, *residue), None))
        exact = self.action.reversal is Reversal.EXACT
        if not op.observes:
            unseen = ("not read back: the operation has no `observe`",) if exact else ()
            return (yield from self._end(Status.COMPENSATED, residue=(*residue, *unseen)))
        seen: Json = jsonable((yield Step(op.observe, (api, self.action))))
        equal = seen == jsonable(op.as_before(self.action))
        if exact and equal:
            outcome = Status.COMPENSATED if residue else Status.RESTORED
            return (yield from self._end(outcome, residue=residue))
        if exact:
            raise AgentReinError("it was undone, but reads back different from what was before")
        return (yield from self._end(Status.COMPENSATED, residue=residue))

    def _already(self, op: Operation) -> Flow[Action]:
        exact = self.action.reversal is Reversal.EXACT
        how = () if exact or self.resumed else ("it was already as before",)
        return (yield from self._end(Status.RESTORED if exact else Status.COMPENSATED, residue=how))

    def _conflict(self, kept: tuple[str, ...], state: Comparison | None) -> Flow[Action]:
        if self.on_conflict == "skip":
            return (yield from self._end(Status.COMPENSATED, residue=kept))
        why = state.why if state is not None else "the rest was restored"
        return (yield from self._end(Status.CONFLICT, residue=kept, error=why))

    def _stuck(self, error: str, residue: tuple[str, ...] = ()) -> Flow[Action]:
        return (yield from self._end(Status.STUCK, residue=residue, error=error))

    def _end(self, outcome: Status, *, residue: tuple[str, ...] = (), error: str | None = None) -> Flow[Action]:
        undo: Undo = replace(self.action.undo, outcome=str(outcome), residue=residue, error=error)
        ended: Action = yield Step(lambda: self.core.journal.move(self.action, outcome, undo=undo))
        return ended


def wait_for_approval(core: Core, action: Action, why: str, cause: str | None = None) -> Flow[Action]:
    """Leave an undo that reaches further than putting things back to a person."""
    error = f"{AWAITING_APPROVAL}: {why}"
    if action.status is Status.STUCK and action.undo.error == error:
        return action
    undo = replace(action.undo, cause=cause or action.undo.cause, error=error)
    claimed: Action = yield Step(
        lambda: core.journal.move(action, Status.COMPENSATING, hold=core.lease, undo=undo)
    )
    stuck: Action = yield Step(
        lambda: core.journal.move(claimed, Status.STUCK, undo=replace(undo, outcome=str(Status.STUCK)))
    )
    return stuck


def _undone(returned: Any) -> Undone:
    if isinstance(returned, Undone):
        return returned
    if isinstance(returned, str):
        return Undone((returned,))
    if isinstance(returned, list | tuple) and all(isinstance(item, str) for item in returned):
        return Undone(tuple(returned))
    return Undone()


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
