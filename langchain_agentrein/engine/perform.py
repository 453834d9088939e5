"""Forward: journal first, then the effect, then what reverses it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from langchain_agentrein.action import REFUSED, Action, Approval, Json, Reversal, SessionRecord, SessionStatus, Status
from langchain_agentrein.engine.core import Call, Core, Decision, Performed, Reported, Verdict
from langchain_agentrein.engine.lease import is_abandoned
from langchain_agentrein.engine.reconcile import reconcile
from langchain_agentrein.errors import (
    ActionDenied,
    ApprovalRequired,
    CallConflict,
    ConfigError,
    InDoubt,
    JournalUnavailable,
    LostRace,
    SessionFrozen,
    Throttled,
)
from langchain_agentrein.flow import Flow, Sleep, Step
from langchain_agentrein.journal.codec import jsonable
from langchain_agentrein.operation import Assessment, Operation

CLOSED = frozenset(set(SessionStatus) - {SessionStatus.OPEN, SessionStatus.SUPERSEDED, SessionStatus.ROLLING_BACK})
UNFINISHED = frozenset({Status.PROPOSED, Status.APPROVED, Status.EXECUTING})
THROTTLE_TRIES = 5
RECORD_TRIES = 5
RACES = 10
POLL = 0.05


def perform(core: Core, op: Operation, api: Any, call: Call) -> Flow[Performed]:
    """Do one action at most once.

    Raises:
        Refused: It may not run; nothing ran.
        JournalError: It could not be recorded; nothing ran.
        InDoubt: An earlier try may have had its effect, and nobody can tell.
        Exception: Whatever `do` raised; the record says whether the effect happened.
    """
    for attempt in range(RACES):
        try:
            return (yield from _once(core, op, api, call))
        except LostRace:
            # Another worker took the same call first: look again at what it did.
            if attempt == RACES - 1:
                raise
        finally:
            op.release()
    raise AssertionError("unreachable")


def _once(core: Core, op: Operation, api: Any, call: Call) -> Flow[Performed]:
    earlier = yield from _earlier(core, op, api, call)
    if isinstance(earlier, Performed):
        return earlier
    if earlier is not None and earlier.approved_args is not None:
        op = op.replaced(earlier.approved_args)
    waiting = earlier if earlier is not None and earlier.status in UNFINISHED else None
    if waiting is None:
        call = replace(call, session=(yield from open_session(core, call)))
    yield Step(_apart, (core, op, api))
    assessment: Assessment = yield Step(op.assess, (api,))
    account: str | None = yield Step(op.account, (api,))
    fresh = draft(core, op, call, earlier, assessment, account)
    action = waiting if waiting is not None else fresh
    assessment, verdict = judged(core, fresh, assessment)
    op, action = yield from _permitted(core, op, action, call, assessment, verdict)

    before: Json = yield Step(op.snapshot, (api,))
    try:
        lost = core.journal.vault.loses(before)
    except TypeError as error:
        raise ConfigError(f"the snapshot of {op.name} cannot be journaled: {error}; return JSON") from error
    if lost and action.status is Status.PROPOSED:
        lossy = _kept(core, before, assessment)
        verdict = core.decide(fresh.with_(reversal=lossy.reversal), lossy)
        action = action.with_(reversal=lossy.reversal)
        op, action = yield from _permitted(core, op, action, call, lossy, verdict)
    action = yield from _start(core, action, call, before, verdict)
    return (yield from _effect(core, op, api, call, action))


def _earlier(core: Core, op: Operation, api: Any, call: Call) -> Flow[Performed | Action | None]:
    """What came of this call before: a result to return, a row to go on with or to follow, or nothing."""
    if not call.key:
        return None
    waited = 0.0
    while True:
        known: list[Action] = yield Step(core.journal.calls, (call.key,))
        if not known:
            return None
        latest = known[-1]
        if latest.status is Status.EXECUTING and not latest.paused and not is_abandoned(latest, core.journal.worker):
            if waited > core.lease:
                raise InDoubt(f"action {latest.id} is still under way elsewhere ({latest.held_by})", action_id=latest.id)
            yield Sleep(POLL)
            waited += POLL
            continue
        if latest.status is Status.IN_DOUBT or (latest.status is Status.EXECUTING and not latest.paused):
            latest = yield from reconcile(core, latest, op=op, api=api)
        return _follow(core, op, latest)


def _follow(core: Core, op: Operation, latest: Action) -> Performed | Action:
    status = latest.status
    if status in (Status.EXECUTED, Status.IRREVERSIBLE):
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
    if status in REFUSED and status is not Status.EXPIRED:
        raise denial(latest)
    if status is Status.HELD:
        raise ApprovalRequired(f"action {latest.id} is held", action_id=latest.id)
    if status in (Status.PROPOSED, Status.APPROVED, Status.EXECUTING):
        _same_arguments(core, op, latest)
    return latest


def denial(action: Action) -> ActionDenied:
    """Why a call that was decided against does not run."""
    approval = action.approval
    reason = approval.reason if approval is not None else None
    response = reason if approval is not None and approval.decision == "respond" else None
    return ActionDenied(
        f"{action.operation} was {action.status}" + (f": {reason}" if reason else "") + ". It did not run.",
        action_id=action.id,
        response=response,
    )


def _same_arguments(core: Core, op: Operation, known: Action) -> None:
    """The call must be the recorded one: with its arguments as proposed, or as a person edited them."""
    presented = op.args
    if core.journal.digest(known.salt, op.name, presented) == known.digest:
        return
    if known.approved_args is not None and known.proposed_args == presented and known.operation == op.name:
        return
    raise CallConflict(
        f"tool call {known.tool_call_id} was recorded as {known.operation} (action {known.id}) and now comes "
        f"as {op.name} with other arguments: a fork or an edit changed it. Make it a new call, or roll "
        f"action {known.id} back first",
        action_id=known.id,
    )


def _apart(core: Core, op: Operation, api: Any) -> None:
    """An operation that keeps a file locked while the journal writes must not keep the journal's."""
    if core.journal.store.file in op.locks(api):
        raise ConfigError(
            f"{op.name} acts on {core.journal.store.file}, where the journal lives: a SQLite file has one writer. "
            "Keep the journal in a file of its own"
        )


def judged(core: Core, action: Action, assessment: Assessment) -> tuple[Assessment, Verdict]:
    """What the policy says of a drafted action, and the assessment that it was given."""
    kept = _kept(core, action.args, assessment)
    return kept, core.decide(action, kept)


def draft(
    core: Core, op: Operation, call: Call, earlier: Action | None, assessment: Assessment, account: str | None
) -> Action:
    """The action as it would be recorded, before anything decided about it."""
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
        proposed_args=None,
        risk=assessment.risk,
        reversal=_kept(core, op.args, assessment).reversal,
        intent=call.intent,
        metadata=call.metadata,
        parent_id=earlier.id if earlier is not None else None,
    )


def open_session(core: Core, call: Call) -> Flow[SessionRecord]:
    """The session to record in: the call's own or, where that is closed, a child of it."""
    session, n = call.session, 0
    while True:
        known: SessionRecord | None = yield Step(core.journal.session, (session.id,))
        if known is None or known.status not in CLOSED:
            return known or session
        n += 1
        session = replace(call.session, id=f"{call.session.id}~{n}", parent_id=call.session.id)


def _kept(core: Core, value: Json, assessment: Assessment) -> Assessment:
    """Without a key to seal it, a secret is not kept, and what is not kept cannot be put back."""
    if assessment.reversal is Reversal.NONE or not core.journal.vault.loses(value):
        return assessment
    return Assessment(
        assessment.risk,
        Reversal.NONE,
        f"{assessment.summary} It cannot be undone: it holds a secret, and no seal key is set.".strip(),
        assessment.undo_risk,
        assessment.undo_effects,
    )


def _permitted(
    core: Core, op: Operation, action: Action, call: Call, assessment: Assessment, verdict: Verdict
) -> Generator[Step | Sleep, Any, tuple[Operation, Action]]:
    """Let it pass, or refuse it; with a verdict journaled before anybody is asked."""
    if action.status is Status.EXECUTING:  # goes on after an interrupt of its own
        return op, action
    if action.status is Status.APPROVED:
        return op, (yield from _unexpired(core, action))
    asked = action.id != ""
    if verdict.decision == "allow" and not asked:
        return op, action
    if verdict.decision == "deny":
        denied = yield from refuse(core, action, call, verdict)
        raise ActionDenied(f"{op.name} is denied: {verdict.reason}", action_id=denied.id)
    if not asked:
        action = yield from propose(core, action, call, verdict)
    if call.ask is None:
        raise ApprovalRequired(
            f"{op.name} needs approval ({verdict.reason or 'by its risk'}), and nobody can be asked here: "
            f"approve action {action.id} with `agentrein approve {action.id} --by NAME` and call again, "
            "or use the middleware, which asks",
            action_id=action.id,
        )
    decision: Decision = yield Step(call.ask, (action, assessment))
    action = yield from decide(core, action, decision)
    if action.status is not Status.APPROVED:
        raise denial(action)
    if action.approved_args is not None:
        op = op.replaced(action.approved_args)
    return op, action


def refuse(core: Core, action: Action, call: Call, verdict: Verdict) -> Flow[Action]:
    """Record that the policy said no."""
    refusal = Approval("deny", by="policy", at=datetime.now(UTC), reason=verdict.reason)
    denied: Action
    if action.id:
        denied = yield Step(lambda: core.journal.move(action, Status.DENIED, approval=refusal))
    else:
        refused = action.with_(status=Status.DENIED, approval=refusal)
        denied = yield Step(lambda: core.journal.begin(refused, call.session))
    return denied


def propose(core: Core, action: Action, call: Call, verdict: Verdict) -> Generator[Step | Sleep, Any, Action]:
    """Journal a call that a person must decide about, with the verdict that said so."""
    expires = None
    if core.approval_ttl is not None:
        expires = datetime.now(UTC) + timedelta(seconds=core.approval_ttl)
    asked = Approval("ask", at=datetime.now(UTC), reason=verdict.reason, expires_at=expires)
    proposed: Action = yield Step(
        lambda: core.journal.begin(
            action.with_(status=Status.PROPOSED, proposed_args=action.args, approval=asked), call.session
        )
    )
    return proposed


def decide(core: Core, action: Action, decision: Decision) -> Flow[Action]:
    """Record what a person said of a proposed action. An approval is bound to the arguments it saw."""
    asked = action.approval
    said = Approval(
        decision.kind,
        by=decision.by,
        at=datetime.now(UTC),
        reason=decision.message or (asked.reason if asked else None),
        expires_at=asked.expires_at if asked else None,
    )
    if asked and asked.expires_at is not None and asked.expires_at <= datetime.now(UTC):
        expired: Action = yield Step(lambda: core.journal.move(action, Status.EXPIRED))
        return expired
    if decision.kind in ("reject", "respond"):
        rejected: Action = yield Step(lambda: core.journal.move(action, Status.REJECTED, approval=said))
        return rejected
    args = action.args if decision.kind == "approve" else decision.args
    digest = core.journal.digest(action.salt, action.operation, args)
    bound = Approval(said.decision, said.by, said.at, said.reason, digest, said.expires_at)
    payload: dict[str, Any] = {"approval": bound}
    if decision.kind == "edit":
        payload |= {"approved_args": args, "args": args}
    approved: Action = yield Step(
        lambda: core.journal.move(
            action, Status.APPROVED, columns={"digest": digest}, detail={"by": decision.by}, **payload
        )
    )
    return approved


def _unexpired(core: Core, action: Action) -> Flow[Action]:
    approval = action.approval
    if approval is None or approval.digest != action.digest:
        raise ApprovalRequired(f"the approval of action {action.id} is for other arguments", action_id=action.id)
    if approval.expires_at is not None and approval.expires_at <= datetime.now(UTC):
        yield Step(lambda: core.journal.move(action, Status.EXPIRED))
        raise ApprovalRequired(f"the approval of action {action.id} has expired: ask again", action_id=action.id)
    return action


def _start(core: Core, action: Action, call: Call, before: Json, verdict: Verdict) -> Flow[Action]:
    """Make the record durable. After this the effect may begin."""
    if action.status is Status.EXECUTING:
        resumed: Action = yield Step(core.journal.pause, (action, False))
        return resumed
    started: Action
    if action.status is Status.APPROVED:
        started = yield Step(
            lambda: core.journal.move(action, Status.EXECUTING, hold=core.lease, before=before)
        )
        return started
    allowed = action.with_(status=Status.EXECUTING, before=before)
    started = yield Step(
        lambda: core.journal.begin(
            allowed, call.session, hold=core.lease, detail={"rule": verdict.reason} if verdict.reason else None
        )
    )
    return started


def _effect(core: Core, op: Operation, api: Any, call: Call, action: Action) -> Flow[Performed]:
    with core.keeper.holding(action.id):
        tries = 0
        while True:
            try:
                value: Any = yield Step(op.do, (api, action), effect=True)
                break
            except call.pauses:
                yield Step(core.journal.pause, (action, True))
                raise
            except Exception as error:
                fate = op.fate(error)
                tries += 1
                if fate is not None and issubclass(fate, Throttled) and tries < THROTTLE_TRIES:
                    yield Sleep(getattr(error, "retry_after", 1.0))
                    continue
                settled = yield from _failed(core, op, api, action, error, certain=fate is not None)
                if isinstance(error, Reported):
                    return Performed(settled, shown=error.shown)
                if settled.status is not Status.EXECUTED:
                    raise
                return Performed(settled, replayed=True)
            except BaseException as error:
                # Cancelled or interrupted in the middle: no time to look, so say what is known.
                yield from _move(core, action, Status.IN_DOUBT, error=told(error))
                raise
        receipt = jsonable(op.receipt(value))
        action = action.with_(receipt=receipt)
        after = yield from observed(op, api, action)
        action = yield from _record(core, op, action, receipt, after)
    return Performed(action, shown=op.shown(value))


def _failed(
    core: Core, op: Operation, api: Any, action: Action, error: Exception, *, certain: bool
) -> Flow[Action]:
    """Record a failure for what it is; where a probe can tell, ask it at once."""
    if certain:
        return (yield from _move(core, action, Status.FAILED, error=told(error)))
    action = yield from _move(core, action, Status.IN_DOUBT, error=told(error))
    if op.overrides("probe"):
        action = yield from reconcile(core, action, op=op, api=api, fresh=True)
    return action


def _record(core: Core, op: Operation, action: Action, receipt: Json, after: Json) -> Flow[Action]:
    """Record that it happened; the journal may be out of reach for a while, and must not lose this."""
    known: dict[str, Any] = {"receipt": receipt, "after": after}
    result = jsonable(op.result(receipt))
    if result != receipt:
        known["result"] = result
    until = op.undo_until(action)
    columns = {"undo_until": round(until.timestamp() * 1e6)} if until is not None else None
    for attempt in range(RECORD_TRIES):
        try:
            return (yield from _move(core, action, Status.EXECUTED, columns=columns, **known))
        except JournalUnavailable as error:
            if attempt == RECORD_TRIES - 1:
                raise InDoubt(
                    f"{action.operation} happened, but its receipt could not be recorded ({error}). "
                    f"Action {action.id} stays under way in the journal until `agentrein recover` settles it",
                    action_id=action.id,
                ) from error
            yield Sleep(core.backoff * 2**attempt)
        except TypeError:
            known = {name: jsonable(value) if name != "receipt" else repr(value) for name, value in known.items()}
    raise AssertionError("unreachable")


def _move(core: Core, action: Action, to: Status, **changes: Any) -> Flow[Action]:
    """Settle an action that this worker runs, even if it was taken for dead meanwhile."""
    try:
        moved: Action = yield Step(lambda: core.journal.move(action, to, **changes))
        return moved
    except LostRace:
        now: Action = yield Step(core.journal.get, (action.id,))
        if now.status in (Status.EXECUTING, Status.IN_DOUBT) and to in (Status.EXECUTED, Status.FAILED):
            moved = yield Step(lambda: core.journal.move(now, to, detail={"late": True}, **changes))
            return moved
        if now.status is Status.FAILED and to is Status.EXECUTED:
            return (yield from _late(core, now, changes))
        return now


def _late(core: Core, failed: Action, changes: dict[str, Any]) -> Flow[Action]:
    """The effect landed after a probe had said that it would not: record it as a further generation."""
    session = yield Step(core.journal.session, (failed.session_id,))
    again = failed.with_(
        status=Status.EXECUTING,
        generation=failed.generation + 1,
        parent_id=failed.id,
        proposed_args=None,
        approval=None,
        error=None,
    )
    started: Action = yield Step(
        lambda: core.journal.begin(again, session, hold=core.lease, detail={"late": True})
    )
    moved: Action = yield Step(lambda: core.journal.move(started, Status.EXECUTED, **changes))
    return moved


def observed(op: Operation, api: Any, action: Action) -> Flow[Json]:
    """What the action left behind; a failing look must not fail the call."""
    if not op.observes:
        return None
    try:
        seen: Json = yield Step(op.observe, (api, action))
        return jsonable(seen)
    except Exception:
        return op.expect(action)


def told(error: BaseException) -> dict[str, str]:
    """An error as the journal keeps it."""
    if isinstance(error, Reported) and error.__cause__ is not None:
        error = error.__cause__
    return {"type": type(error).__name__, "message": str(error)}


__all__ = ["decide", "draft", "judged", "observed", "open_session", "perform", "propose", "refuse", "told"]
