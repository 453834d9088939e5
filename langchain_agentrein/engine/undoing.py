"""One try of one undo: look, undo, look again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from langchain_agentrein.action import Action, Reversal, Risk, Status
from langchain_agentrein.engine.compare import Comparison, compare
from langchain_agentrein.engine.core import Core, OnConflict, sealed
from langchain_agentrein.errors import AgentReinError, Conflict, LostRace, WrongAccount
from langchain_agentrein.flow import Flow, Step
from langchain_agentrein.journal import jsonable
from langchain_agentrein.journal.codec import contains_mask
from langchain_agentrein.operation import Assessment, Operation, Undone

AWAITING_APPROVAL = "awaiting approval"
UNSURE = "its undo may have happened"
"""How the error of an undo begins that may have happened; only a person lets it be tried again."""
BROKE_OFF = "it is as before, after a try that broke off"
"""How the residue begins of an undo that was found done, and that could not tell what stays."""
LOOK = "look; if it did not, `agentrein approve` has the next rollback try it again"


@dataclass(frozen=True, slots=True)
class Ended:
    """How an undo ended.

    Attributes:
        unsure: It may have happened before, and nobody can tell.
    """

    outcome: Status
    residue: tuple[str, ...] = ()
    error: str | None = None
    unsure: bool = False


def unsure(action: Action) -> bool:
    """Whether a stuck undo may have happened, and no person has let it be tried again since."""
    told = (action.undo.error or "").startswith(UNSURE)
    return action.status is Status.STUCK and told and action.undo.approved_by is None


def said(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {error}"


def needs_approval(op: Operation, assessment: Assessment) -> str | None:
    """Why the undo of an operation needs a person's approval, or `None`."""
    if assessment.undo_effects:
        return "its undo " + ", ".join(sorted(str(effect) for effect in assessment.undo_effects))
    if assessment.undo_risk >= Risk.HIGH:
        return f"its undo has {assessment.undo_risk} risk"
    return None


class Undoing:
    """The tries of one claimed undo.

    Attributes:
        undone: What the undo returned: from then on it is only read back, never done again.
        broke: How an earlier try ended that did not come to its end, and so did not tell what stays.
    """

    class Fenced(LostRace):
        """The claim was lost before the undo began."""

    def __init__(
        self, core: Core, op: Operation, action: Action, on_conflict: OnConflict, resumed: bool
    ) -> None:
        self.core, self.op, self.action = core, op, action
        self.on_conflict, self.resumed = on_conflict, resumed
        self.undone: Undone | None = None
        self.broke = "its worker died" if resumed else None
        self._kept: tuple[str, ...] = ()
        self._fields: tuple[str, ...] | None = None

    def once(self) -> Flow[Ended]:
        """Try it.

        Raises:
            Conflict: Somebody's work stands in the way.
            WrongAccount: These are not the credentials that did it.
            Fenced: Somebody else took the claim over.
            Exception: Whatever the hooks raise.
        """
        op, action = self.op, self.action
        api = self.core.api(op, action.account)
        if contains_mask([action.args, action.before, action.receipt]):
            raise sealed(action)
        present: str | None = yield Step(op.account, (api,))
        if present != action.account:
            raise WrongAccount(action.id, action.account, present)
        if self.undone is not None:
            return (yield from self._look_back(api, self.undone))
        state = Comparison.untold()
        if op.observes:
            state = yield from self._look(api)
            if state.already_undone:
                return self._already()
        elif self.resumed and not op.repeatable:
            why = (
                f"{UNSURE} (a worker died while it undid this), and {op.name} has no `observe` to tell: "
                f"{LOOK}"
            )
            return Ended(Status.STUCK, error=why, unsure=True)
        attached: list[str] = list((yield Step(op.attached, (api, action))))
        if attached and self.on_conflict != "force":
            raise Conflict("others have since built on it", attached)
        if (ended := self._conflicts(state)) is not None:
            return ended
        if action.undo.approved_by is None and (why_ask := needs_approval(op, op.undo_assessment())):
            return Ended(Status.STUCK, error=f"{AWAITING_APPROVAL}: {why_ask}")
        if not (yield Step(self.core.journal.holds, (action,))):
            raise self.Fenced(
                action.id, str(action.status), "undone", "its lease has passed, and it was taken over"
            )
        return (yield from self._undo(api))

    def _undo(self, api: Any) -> Flow[Ended]:
        """Undo it, and look. Where nobody can look, an undo that may have happened is not tried again."""
        op = self.op
        asked = self.action.with_(undo_fields=self._fields, undo_forced=self.on_conflict == "force")
        try:
            self.undone = _undone((yield Step(op.undo, (api, asked), effect=True)))
        except Exception as error:
            self.broke = None if isinstance(error, Conflict) else said(error)
            if op.observes or op.repeatable or self._certain(error):
                raise
            why = f"{UNSURE} ({said(error)}), and {op.name} has no `observe` to tell: {LOOK}"
            return Ended(Status.STUCK, error=why, unsure=True)
        return (yield from self._look_back(api, self.undone))

    def _certain(self, error: Exception) -> bool:
        """Whether an undo that raised this certainly did nothing, so that it may be tried again."""
        try:
            return isinstance(error, AgentReinError) or self.op.fate(error) is not None
        except Exception:  # noqa: BLE001 - whoever cannot read an error does not know that nothing happened
            return False

    def _look(self, api: Any) -> Flow[Comparison]:
        op, action = self.op, self.action
        now = jsonable((yield Step(op.observe, (api, action))))
        return compare(now, before=jsonable(op.as_before(action)), after=action.after, seen=action.seen)

    def _conflicts(self, state: Comparison) -> Ended | None:
        """Whether somebody's changes stand in the way; else which fields may be restored."""
        self._kept, self._fields = (), None
        if self.on_conflict == "force" or not (state.taken or state.foreign):
            return None
        if self.op.partial and state.free:
            # What the action never changed is nobody's conflict, as long as it is left alone.
            self._fields = state.free
            self._kept = tuple(f"kept {name}, which somebody changed since" for name in state.taken)
            return None
        kept = tuple(f"kept {name}, which somebody changed since" for name in (*state.taken, *state.foreign))
        return self._conflict(kept, state.why)

    def _look_back(self, api: Any, undone: Undone) -> Flow[Ended]:
        residue = tuple(undone.residue)
        if undone.unfinished:
            return Ended(Status.STUCK, residue, undone.unfinished)
        exact = self.action.reversal is Reversal.EXACT
        if not self.op.observes:
            unseen = ("not read back: the operation has no `observe`",) if exact else ()
            return Ended(Status.COMPENSATED, (*residue, *unseen))
        state = yield from self._look(api)
        left = set(state.free) if self._kept else {*state.free, *state.taken}
        if exact and not state.already_undone and left - set(undone.left):
            raise AgentReinError("it reads back different from what was before")
        if self._kept:
            return self._conflict((*self._kept, *residue), "the rest was restored")
        exact = exact and not residue and not undone.left
        return Ended(Status.RESTORED if exact else Status.COMPENSATED, residue)

    def _already(self) -> Ended:
        if self.action.reversal is Reversal.EXACT:
            return Ended(Status.RESTORED)
        if self.broke is not None:
            return Ended(Status.COMPENSATED, (f"{BROKE_OFF} ({self.broke}): what else stays is not known",))
        return Ended(Status.COMPENSATED, ("it was already as before",))

    def _conflict(self, kept: tuple[str, ...], why: str) -> Ended:
        if self.on_conflict == "skip":
            return Ended(Status.COMPENSATED, kept)
        return Ended(Status.CONFLICT, kept, why)


def _undone(returned: Any) -> Undone:
    if isinstance(returned, Undone):
        return returned
    if isinstance(returned, str):
        return Undone((returned,))
    if isinstance(returned, list | tuple) and all(isinstance(item, str) for item in returned):
        return Undone(tuple(returned))
    return Undone()
