"""One call, over interrupt and resume, retry, replay and a second worker: what came of it so far."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from langchain_agentrein.action import REFUSED, Action, Json, Reversal, SessionRecord, SessionStatus, Status
from langchain_agentrein.engine.approvals import denial, lapsed, too_late, unhidden
from langchain_agentrein.engine.core import Call, Core, Performed, Verdict
from langchain_agentrein.engine.lease import is_abandoned
from langchain_agentrein.engine.reconcile import reconcile, reconcile_paused
from langchain_agentrein.errors import CallConflict, ConfigError, InDoubt, SessionFrozen
from langchain_agentrein.flow import Flow, Sleep, Step
from langchain_agentrein.operation import Assessment, Operation

CLOSED = frozenset(
    set(SessionStatus) - {SessionStatus.OPEN, SessionStatus.SUPERSEDED, SessionStatus.ROLLING_BACK}
)
UNFINISHED = frozenset({Status.PROPOSED, Status.APPROVED, Status.EXECUTING})
"""A row that this call goes on with."""
POLL = 0.05


def earlier_of(core: Core, op: Operation, api: Any, call: Call) -> Flow[Performed | Action | None]:
    """What came of this call before: a result to return, a row to go on with or to follow, or nothing.

    Raises:
        Refused: It was decided against, is being undone, or comes with other arguments.
        InDoubt: It may have happened, or is still under way elsewhere.
    """
    if not call.key:
        return None
    waited = 0.0
    while True:
        known: list[Action] = yield Step(core.journal.calls, (call.key,))
        if not known:
            return None
        latest = known[-1]
        if (
            latest.status is Status.EXECUTING
            and not latest.paused
            and not is_abandoned(latest, core.journal.worker)
        ):
            if waited > core.lease:
                raise InDoubt(
                    f"action {latest.id} is still under way elsewhere ({latest.held_by})", action_id=latest.id
                )
            yield Sleep(POLL)
            waited += POLL
            continue
        if latest.status is Status.IN_DOUBT or latest.status is Status.EXECUTING:
            settle = reconcile_paused if latest.paused else reconcile
            latest = yield from settle(core, latest, op=op, api=api)
        if latest.status in (Status.PROPOSED, Status.APPROVED):
            asked = latest.status is Status.PROPOSED and call.ask is not None
            latest = yield from lapsed(core, latest)
            if asked and latest.status is Status.EXPIRED:
                raise too_late(latest)
        return _follow(core, op, latest)


def _follow(core: Core, op: Operation, latest: Action) -> Performed | Action:
    status = latest.status
    if latest.on_hold or status in (Status.EXECUTED, Status.IRREVERSIBLE):
        _same_arguments(core, op, latest)
        return Performed(latest, replayed=True)
    if status is Status.IN_DOUBT and latest.result is not None:
        _same_arguments(core, op, latest)
        return Performed(latest, replayed=True)
    if status is Status.IN_DOUBT:
        raise InDoubt(
            f"action {latest.id} ({latest.operation}) may have happened already, and nothing here can tell: "
            f"look, then settle it with `agentrein approve {latest.id}` (it happened) or "
            f"`agentrein reject {latest.id}` (it did not)",
            action_id=latest.id,
        )
    if status in (Status.COMPENSATING, Status.CONFLICT, Status.STUCK):
        raise SessionFrozen(f"action {latest.id} is being undone ({status})", action_id=latest.id)
    if status in REFUSED and status is not Status.EXPIRED and not dropped_with_session(latest):
        raise denial(latest)
    if status in UNFINISHED:
        _same_arguments(core, op, latest)
    return latest


def dropped_with_session(action: Action) -> bool:
    """Whether it was held and let go because its session failed or was rolled back: no person said no to it."""
    said = action.approval is not None and action.approval.decision == "drop"
    return action.status is Status.DROPPED and not said


def _same_arguments(core: Core, op: Operation, known: Action) -> None:
    """The call must be the recorded one: with its arguments as proposed, or as a person edited them."""
    presented = op.args
    if core.journal.digest(known.salt, op.name, presented) == known.digest:
        return
    edited = known.approved_args is not None and known.operation == op.name
    if edited and unhidden(known.proposed_args, presented) == presented:
        return
    call = f"tool call {known.tool_call_id}" if known.tool_call_id else "this call"
    raise CallConflict(
        f"{call} was recorded as {known.operation} (action {known.id}) and now comes "
        f"as {op.name} with other arguments: a fork or an edit changed it. Make it a new call, or roll "
        f"action {known.id} back first",
        action_id=known.id,
    )


def open_session(core: Core, own: SessionRecord) -> Flow[SessionRecord]:
    """The session to record in: the call's own or, where that is closed, a child of it."""
    known: SessionRecord | None = yield Step(core.journal.standing, (own.id,))
    return (yield from standing_session(core, own, known))


def standing_session(core: Core, own: SessionRecord, known: SessionRecord | None) -> Flow[SessionRecord]:
    """Like `open_session`, where the journal's record of the call's own was just read.

    Raises:
        ConfigError: It is another tenant's.
    """
    if known is not None and own.tenant is not None and known.tenant not in (None, own.tenant):
        raise ConfigError(f"session {own.id} is not tenant {own.tenant!r}'s: nothing was done")
    session, n = own, 0
    while known is not None and known.status in CLOSED:
        n += 1
        session = replace(own, id=f"{own.id}~{n}", parent_id=own.id)
        known = yield Step(core.journal.standing, (session.id,))
    return session if known is None else replace(known, goal=own.goal)


def draft(
    op: Operation, call: Call, earlier: Action | None, assessment: Assessment, account: str | None
) -> Action:
    """The action as it would be recorded, before anything decided about it.

    Args:
        assessment: As `kept` of its arguments leaves it.
    """
    return Action(
        id="",
        session_id=call.session.id,
        thread_id=call.thread_id,
        tool_call_id=call.tool_call_id,
        message_id=call.message_id,
        call_key=call.key,
        generation=earlier.generation + 1 if earlier is not None else 1,
        operation=op.name,
        operation_version=op.version,
        source=op.source(),
        connector=op.connector,
        account=account,
        tenant=call.session.tenant,
        status=Status.PROPOSED,
        args=op.args,
        risk=assessment.risk,
        reversal=assessment.reversal,
        intent=call.intent,
        metadata=call.metadata,
        parent_id=earlier.id if earlier is not None else None,
    )


def kept(core: Core, value: Json, assessment: Assessment) -> Assessment:
    """Without a key to seal it, a secret is not kept, and what is not kept cannot be put back."""
    if assessment.reversal is Reversal.NONE or not core.journal.vault.loses(value):
        return assessment
    return replace(
        assessment,
        reversal=Reversal.NONE,
        summary=f"{assessment.summary} It cannot be undone: it holds a secret, and no seal key is set.".strip(),
    )


def verdict_on(core: Core, call: Call, op: Operation, action: Action, assessment: Assessment) -> Verdict:
    """What the policy says, or stricter where somebody else insists on a person, or it cannot be held."""
    verdict = core.decide(action, assessment)
    if verdict.decision == "hold":
        secret = "it holds a secret, and no seal key is set" if core.journal.vault.loses(action.args) else ""
        if why := op.tied or secret:
            return Verdict("ask", f"{verdict.reason}, but it cannot be held: {why}")
        if call.insist:
            return Verdict("hold", call.insist)
    return Verdict("ask", call.insist) if verdict.decision == "allow" and call.insist else verdict
