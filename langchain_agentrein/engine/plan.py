"""What a rollback would do, found out without touching anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_agentrein.action import Action, Json, Reversal, Status
from langchain_agentrein.engine.compare import Comparison, compare
from langchain_agentrein.engine.core import Core, sealed, unkept
from langchain_agentrein.engine.foresee import Foresight
from langchain_agentrein.engine.holding import falls
from langchain_agentrein.engine.scope import Progress, Scope
from langchain_agentrein.engine.undoing import UNSURE, needs_approval, said, unsure
from langchain_agentrein.engine.walk import checked, stack, touched
from langchain_agentrein.errors import WrongAccount
from langchain_agentrein.flow import Flow, Step
from langchain_agentrein.journal import jsonable
from langchain_agentrein.journal.codec import contains_mask
from langchain_agentrein.operation import Operation
from langchain_agentrein.report import PlanLine, RollbackPlan


def plan(core: Core, scope: Scope) -> Flow[RollbackPlan]:
    """Look at every action of the stack: can it be undone, by whom, and what stands in the way.

    Raises:
        ConfigError: An action that was named is not there.
    """
    yield from checked(core, scope)
    held: list[Action] = yield Step(core.journal.on_hold, (scope.session_ids,))
    lines = yield from _dropped(core, held, scope)
    ahead, progress = Foresight(), Progress()
    for action in (yield from stack(core, scope)):
        lines.append((yield from _line(core, action, ahead, progress)))
    return RollbackPlan(scope.session_ids, tuple(lines))


def _dropped(core: Core, held: list[Action], scope: Scope) -> Flow[list[PlanLine]]:
    kept_up_to = None
    if held and scope.to is not None:
        kept_up_to = (yield Step(core.journal.get, (scope.to,))).created_at
    return [
        PlanLine(action, "drop", action.reversal, details=("it is held, and was never done",))
        for action in reversed(held)
        if falls(action, scope, kept_up_to)
    ]


def _line(core: Core, action: Action, ahead: Foresight, progress: Progress) -> Flow[PlanLine]:
    touches = touched(core, action)
    if progress.stopped or (progress.blocked & touches):
        why = "an undo above it cannot be done" if progress.stopped else "it waits for an undo above it"
        return PlanLine(action, "waits", action.reversal, details=(why,))
    line: PlanLine
    if action.status is Status.IN_DOUBT:
        why = (action.error or {}).get("unsettled") or "it may have happened"
        line = PlanLine(action, "settle", action.reversal, details=(why,))
    elif action.reversal is Reversal.NONE:
        why = unkept(action) or "nothing undoes it"
        line = PlanLine(action, "irreversible", action.reversal, details=(why,))
    elif not action.salt:
        line = PlanLine(
            action, "irreversible", action.reversal, details=("what its undo needs was forgotten",)
        )
    else:
        line = yield from _rebuilt(core, action, ahead)
    if line.verdict == "cannot":
        progress.stopped = core.on_stuck == "stop"
    if line.verdict in ("cannot", "settle") and action.reversal is not Reversal.NONE:
        progress.blocked |= touches
    return line


def _rebuilt(core: Core, action: Action, ahead: Foresight) -> Flow[PlanLine]:
    try:
        op = core.rebuild(action)
    except Exception as error:  # noqa: BLE001 - whatever it is, a person reads it
        return PlanLine(action, "cannot", action.reversal, details=(said(error),))
    if not op.overrides("undo"):
        return PlanLine(action, "irreversible", action.reversal, details=(f"{op.name} defines no undo",))
    try:
        api = core.api(op, action.account)
        if contains_mask([action.before, action.receipt]):
            raise sealed(action)
        present: str | None = yield Step(op.account, (api,))
        if present != action.account:
            raise WrongAccount(action.id, action.account, present)
        return (yield from _looked_at(core, op, api, action, ahead))
    except Exception as error:  # noqa: BLE001
        return PlanLine(action, "cannot", action.reversal, details=(said(error),))
    finally:
        op.release()


def _looked_at(core: Core, op: Operation, api: Any, action: Action, ahead: Foresight) -> Flow[PlanLine]:
    """In the order in which the undo itself will look."""
    assessment = op.undo_assessment()
    verdict, details = "undo", []
    force = core.on_conflict == "force"
    if op.observes:
        state = yield from _compared(op, api, action, ahead)
        if state.already_undone:
            return PlanLine(action, "already undone", action.reversal)
        in_the_way = state.taken if op.partial and state.free else (*state.taken, *state.foreign)
        if in_the_way and not force:
            details.append(state.why)
            verdict = "undo" if op.partial and state.free else "conflict"
        partly = bool(in_the_way and verdict == "undo" and not force)
    elif (action.status is Status.COMPENSATING or unsure(action)) and not op.repeatable:
        raise RuntimeError(f"{UNSURE}, and nobody can tell")
    else:
        partly = False
    attached: list[str] = list((yield Step(op.attached, (api, action))))
    if attached and not force and not (op.touches() & ahead.touches):
        verdict = "conflict"
        details += attached
    elif attached:
        # It may well be what a newer action made, and will have been undone by then.
        details += [f"unless that is undone by then: {one}" for one in attached]
    why_ask = needs_approval(op, assessment) if action.undo.approved_by is None else None
    if verdict == "undo" and why_ask:
        verdict, details = "ask", [why_ask, *details]
    elif partly:
        verdict = "conflict"
    if verdict == "undo":
        ahead.undone(jsonable(op.as_before(action)) if op.observes else None, op.touches())
    return PlanLine(
        action, verdict, action.reversal, assessment.undo_risk, assessment.undo_effects, tuple(details)
    )


def _compared(op: Operation, api: Any, action: Action, ahead: Foresight) -> Flow[Comparison]:
    before: Json = jsonable(op.as_before(action))
    now: Json = jsonable((yield Step(op.observe, (api, action))))
    fields = before if isinstance(before, Mapping) else {}
    state = compare(now, before=before, after=action.after, seen=action.seen)
    if not (state.already_undone or state.taken or state.foreign):
        return state  # it stands as the action left it: no newer action has touched it
    return compare(ahead.seen(now, fields), before=before, after=action.after, seen=action.seen)
