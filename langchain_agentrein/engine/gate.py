"""The verdict before the effect: journaled first, so that it cannot change on resume."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from langchain_agentrein.action import Action, Status
from langchain_agentrein.engine.approvals import lapsed, propose, refuse
from langchain_agentrein.engine.calls import draft, kept, standing_session, verdict_on
from langchain_agentrein.engine.core import Call, Core
from langchain_agentrein.errors import LostRace
from langchain_agentrein.flow import Flow, Step
from langchain_agentrein.operation import Assessment, Operation

RACES = 10


@dataclass(frozen=True, slots=True)
class Considered:
    """A call that may not simply run.

    Attributes:
        action: Its record: proposed, denied, decided already, or expired since it was asked about.
        fresh: It was proposed just now: nobody can have answered about it yet.
    """

    action: Action
    assessment: Assessment
    fresh: bool = False


def consider(core: Core, op: Operation, api: Any, call: Call) -> Flow[Considered | None]:
    """Let the policy look at a call that is about to run; `None`: it may run.

    Raises:
        JournalError: The verdict could not be recorded.
    """
    for attempt in range(RACES):
        try:
            return (yield from _considered(core, op, api, call))
        except LostRace:
            if attempt == RACES - 1:
                raise
        finally:
            op.release()
    raise AssertionError("unreachable")


def _considered(core: Core, op: Operation, api: Any, call: Call) -> Flow[Considered | None]:
    repeated, session = yield Step(core.journal.look, (call.key, call.session.id))
    known: list[Action] = yield Step(core.journal.calls, (call.key,)) if repeated else Step(list)
    latest = known[-1] if known else None
    over = False
    if latest is not None and latest.status in (Status.PROPOSED, Status.APPROVED):
        asked = latest.status is Status.PROPOSED
        latest = yield from lapsed(core, latest)
        # Asked anew in the same breath, it would be answered by what was said too late.
        over = asked and latest.status is Status.EXPIRED
    assessment: Assessment = yield Step(op.assess, (api,))
    if latest is not None and (over or latest.status in _DECIDED):
        return Considered(latest, assessment)
    if latest is not None and latest.status in _RECORDED:
        return None  # it ran, or is running: the executor answers with what is recorded
    call = replace(call, session=(yield from standing_session(core, call.session, session)))
    account: str | None = yield Step(op.account, (api,))
    assessment = kept(core, op.args, assessment)
    action = draft(op, call, latest, assessment, account)
    verdict = verdict_on(core, call, op, action, assessment)
    if verdict.decision in ("allow", "hold"):
        return None  # the executor holds it, and answers the model
    if verdict.decision == "deny":
        return Considered((yield from refuse(core, action, call, verdict)), assessment)
    return Considered((yield from propose(core, action, call, verdict)), assessment, fresh=True)


def recall(core: Core, call_key: str) -> Flow[Considered | None]:
    """What is recorded of a call that was asked about or decided, for a process that does not know its tool."""
    known: list[Action] = yield Step(core.journal.calls, (call_key,))
    latest = known[-1] if known else None
    if latest is None or latest.status not in _DECIDED:
        return None
    if latest.status in (Status.PROPOSED, Status.APPROVED):
        latest = yield from lapsed(core, latest)
    return Considered(latest, Assessment(latest.risk, latest.reversal))


_DECIDED = frozenset({Status.PROPOSED, Status.APPROVED, Status.DENIED, Status.REJECTED})
_RECORDED = frozenset(
    set(Status) - _DECIDED - {Status.EXPIRED, Status.FAILED, Status.RESTORED, Status.COMPENSATED}
)
