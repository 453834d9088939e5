"""Back: the intent first, then the undo, then a look at what is there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from langchain_agentrein.action import Action, Reversal, Status
from langchain_agentrein.engine.core import Core, OnConflict, unkept
from langchain_agentrein.engine.lease import is_abandoned
from langchain_agentrein.engine.undoing import AWAITING_APPROVAL, Ended, Undoing, said, unsure
from langchain_agentrein.errors import (
    ConfigError,
    Conflict,
    JournalError,
    JournalUnavailable,
    LostRace,
    SealError,
    Throttled,
    UnknownOperation,
    WrongAccount,
)
from langchain_agentrein.flow import Flow, Sleep, Step

THROTTLES = 10
RECORD_TRIES = 5
HOPELESS = (ConfigError, SealError, UnknownOperation, WrongAccount)
"""What another try would meet again."""


def compensate(
    core: Core,
    action: Action,
    *,
    cause: str | None = None,
    on_conflict: OnConflict | None = None,
    approved_by: str | None = None,
) -> Flow[Action]:
    """Undo one action, at most once, and record how it ended.

    An undo that reaches further than putting things back, and that nobody approved, waits as stuck.

    Args:
        action: `EXECUTED`, `CONFLICT`, `STUCK`, or `COMPENSATING` under a worker that is gone.
        cause: Why, as one sentence.
        on_conflict: Overrides the core's own answer to a conflict.
        approved_by: Who approved an undo that reaches further than putting things back.
    Returns:
        The action: `RESTORED`, `COMPENSATED`, `IRREVERSIBLE`, `CONFLICT` or `STUCK`.
    Raises:
        LostRace: Somebody else is undoing it, or took it over.
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
    # What may have been undone is not undone again because somebody rolls back again: a person says so first.
    doubtful = resumed or (unsure(action) and undo.approved_by is None)
    detail = {"attempt": undo.attempts, **({"resumed": True} if resumed else {})}
    claimed: Action = yield Step(
        lambda: core.journal.move(action, Status.COMPENSATING, hold=core.lease, detail=detail, undo=undo)
    )
    with core.keeper.holding(claimed.id):
        try:
            undoing = _Claimed(core, claimed, on_conflict or core.on_conflict, doubtful)
            return (yield from _end(core, claimed, (yield from undoing.walk())))
        except LostRace:
            raise
        except GeneratorExit:  # nobody drives this flow any more: it may not wait for anything
            with suppress(JournalError):  # or the claim lapses by itself
                core.journal.release(claimed)
            raise
        except BaseException:
            with suppress(JournalError):
                yield Step(core.journal.release, (claimed,))
            raise


def _end(core: Core, action: Action, end: Ended) -> Flow[Action]:
    """Record how the undo ended. The journal may be away for a while; the undo is not done again for that."""
    undo = replace(action.undo, outcome=str(end.outcome), residue=end.residue, error=end.error)
    if end.unsure:
        undo = replace(undo, approved_by=None)  # it was for the try that came to nothing, or to something
    for attempt in range(RECORD_TRIES):
        try:
            ended: Action = yield Step(lambda: core.journal.move(action, end.outcome, undo=undo))
            return ended
        except JournalUnavailable:
            if attempt == RECORD_TRIES - 1:
                raise
        yield Sleep(core.backoff * 2**attempt)
    raise AssertionError("unreachable")


@dataclass(slots=True)
class _Claimed:
    """One claimed undo: what decides before it, and how often it is tried."""

    core: Core
    action: Action
    on_conflict: OnConflict
    resumed: bool

    def walk(self) -> Flow[Ended]:
        action = self.action
        if action.reversal is Reversal.NONE:
            return Ended(Status.IRREVERSIBLE, (unkept(action) or f"{action.operation} cannot be undone",))
        if not action.salt:
            return Ended(Status.IRREVERSIBLE, ("what its undo needs was forgotten",))
        try:
            op = self.core.rebuild(action)
        except Exception as error:  # noqa: BLE001 - whatever it is, a person reads it
            return Ended(Status.STUCK, error=said(error))
        if not op.overrides("undo"):
            return Ended(Status.IRREVERSIBLE, (f"{op.name} defines no undo",))
        try:
            return (yield from self._tries(Undoing(self.core, op, action, self.on_conflict, self.resumed)))
        finally:
            op.release()

    def _tries(self, undoing: Undoing) -> Flow[Ended]:
        error, throttles, tried = "", 0, 0
        while tried < self.core.attempts:
            try:
                return (yield from undoing.once())
            except Conflict as conflict:
                details = "; ".join([str(conflict), *conflict.details])
                if self.on_conflict == "skip":
                    return Ended(Status.COMPENSATED, (f"left as it is: {details}",))
                return Ended(Status.CONFLICT, error=details)
            except HOPELESS as hopeless:
                return Ended(Status.STUCK, error=said(hopeless))
            except undoing.Fenced:
                raise
            except Throttled as wait:
                throttles += 1
                error = said(wait)
                if throttles > THROTTLES:
                    break
                yield Sleep(wait.retry_after)
                continue
            except Exception as raised:  # noqa: BLE001 - tried again, then a person's
                error = said(raised)
            tried += 1
            if tried < self.core.attempts:
                yield Sleep(self.core.backoff * 2 ** (tried - 1))
        what = (
            "it was undone, but could not be read back" if undoing.undone is not None else "its undo failed"
        )
        return Ended(Status.STUCK, error=f"tried {max(tried, throttles)} times, {what}: {error}")


__all__ = ["AWAITING_APPROVAL", "compensate"]
