"""What a rollback would do, found out without touching anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_agentrein.action import Action, Json, Reversal, Status
from langchain_agentrein.engine.compare import compare
from langchain_agentrein.engine.core import Core
from langchain_agentrein.engine.foresee import Foresight
from langchain_agentrein.engine.walk import Scope, needs_approval, stack
from langchain_agentrein.errors import WrongAccount
from langchain_agentrein.flow import Flow, Step
from langchain_agentrein.journal.codec import contains_mask, jsonable
from langchain_agentrein.operation import Operation
from langchain_agentrein.report import PlanLine, RollbackPlan


def plan(core: Core, scope: Scope) -> Flow[RollbackPlan]:
    """Look at every action of the stack: can it be undone, by whom, and what stands in the way.

    Raises:
        ConfigError: An action that was named is not there.
    """
    lines, ahead = [], Foresight()
    for action in (yield from stack(core, scope)):
        lines.append((yield from _line(core, action, ahead)))
    return RollbackPlan(scope.session_ids, tuple(lines))


def _line(core: Core, action: Action, ahead: Foresight) -> Flow[PlanLine]:
    if action.status in (Status.IN_DOUBT, Status.EXECUTING):
        why = (action.error or {}).get("unsettled") or "it may have happened"
        return PlanLine(action, "settle", action.reversal, details=(why,))
    if action.reversal is Reversal.NONE:
        return PlanLine(action, "irreversible", action.reversal, details=("nothing undoes it",))
    try:
        op = core.rebuild(action)
        api = core.api(op, action.account)
        present: str | None = yield Step(op.account, (api,))
        if present != action.account:
            raise WrongAccount(action.id, action.account, present)
    except Exception as error:
        return PlanLine(action, "cannot", action.reversal, details=(f"{type(error).__name__}: {error}",))
    if contains_mask([action.args, action.before, action.receipt]):
        return PlanLine(action, "cannot", action.reversal, details=("its seal key is not here",))
    if not op.overrides("undo"):
        return PlanLine(action, "irreversible", action.reversal, details=(f"{op.name} defines no undo",))
    return (yield from _looked_at(op, api, action, ahead))


def _looked_at(op: Operation, api: Any, action: Action, ahead: Foresight) -> Flow[PlanLine]:
    assessment = op.undo_assessment()
    why_ask = needs_approval(op, assessment) if action.undo.approved_by is None else None
    verdict, details = ("ask", [why_ask]) if why_ask else ("undo", [])
    try:
        if op.observes:
            before: Json = jsonable(op.as_before(action))
            now: Json = jsonable((yield Step(op.observe, (api, action))))
            fields = before if isinstance(before, Mapping) else {}
            state = compare(ahead.seen(now, fields), before=before, after=action.after)
            if state.already_undone:
                return PlanLine(action, "already undone", action.reversal)
            if state.taken:
                verdict, details = "conflict", [*details, state.why]
        attached: list[str] = list((yield Step(op.attached, (api, action))))
        if attached and not (op.touches() & ahead.touches):
            verdict, details = "conflict", [*details, *attached]
        elif attached:
            # It may well be what a newer action made, and will have been undone by then.
            details = [*details, *(f"unless that is undone by then: {one}" for one in attached)]
    except Exception as error:
        verdict, details = "cannot", [f"{type(error).__name__}: {error}"]
    if verdict == "undo":
        ahead.undone(jsonable(op.as_before(action)) if op.observes else None, op.touches())
    return PlanLine(
        action, verdict, action.reversal, assessment.undo_risk, assessment.undo_effects, tuple(details)
    )
