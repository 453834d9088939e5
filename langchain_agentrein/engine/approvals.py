"""Verdicts: of the policy, and of a person whose yes is bound to one call, its arguments and a time."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from langchain_agentrein.action import Action, Approval, Json, Status
from langchain_agentrein.engine.core import Call, Core, Decision, Verdict
from langchain_agentrein.errors import (
    ActionDenied,
    ApprovalRequired,
    ConfigError,
    SealError,
    UnknownOperation,
)
from langchain_agentrein.flow import Flow, Sleep, Step
from langchain_agentrein.journal.codec import Hidden, contains_mask
from langchain_agentrein.operation import Assessment, Operation


def permitted(
    core: Core, op: Operation, action: Action, call: Call, assessment: Assessment, verdict: Verdict
) -> Generator[Step | Sleep, Any, tuple[Operation, Action]]:
    """Let it pass, or refuse it; with a verdict journaled before anybody is asked.

    Args:
        action: A draft without id, or the record of this call, proposed or approved already.
    Returns:
        The operation that may run, as a person may have edited it, and its action.
    Raises:
        ActionDenied: A rule or a person said no.
        ApprovalRequired: Nobody can be asked here.
    """
    if action.status is Status.EXECUTING:  # goes on after an interrupt of its own
        return as_approved(core, op, action), action
    if action.status is Status.APPROVED:
        return as_approved(core, op, action), action
    asked = action.id != ""
    if verdict.decision == "allow" and not asked:
        return op, action
    if verdict.decision == "deny":
        denied = yield from refuse(core, action, call, verdict)
        raise ActionDenied(f"{op.name} is denied: {verdict.reason}", action_id=denied.id)
    if not asked:
        action = yield from propose(core, action, call, verdict)
    if call.ask is None:
        # Outside a graph each call is a new one, for which no earlier approval counts.
        how = (
            f"approve action {action.id} with `agentrein approve {action.id} --by NAME` and call again, or"
            if call.key
            else "allow it with an ApprovalRule, or run it in an agent and"
        )
        raise ApprovalRequired(
            f"{op.name} needs approval ({verdict.reason or 'by its risk'}), and nobody can be asked here: "
            f"{how} use the middleware, which asks",
            action_id=action.id,
        )
    decision: Decision = yield Step(call.ask, (action, assessment))
    action = yield from decide(core, action, decision)
    if action.status is Status.EXPIRED:
        raise too_late(action)
    if action.status is not Status.APPROVED:
        raise denial(action)
    return as_approved(core, op, action), action


def as_approved(core: Core, op: Operation, action: Action) -> Operation:
    """The operation with exactly the arguments that were approved.

    Raises:
        ApprovalRequired: The approval is for other ones.
    """
    if action.approved_args is not None:
        # What no key could seal was masked in the record; the call itself brings it again.
        op = op.replaced(unhidden(action.approved_args, op.args))
    approval = action.approval
    bound = approval.digest if approval is not None and action.status is Status.APPROVED else action.digest
    if not (bound == action.digest == core.journal.digest(action.salt, op.name, op.args)):
        raise ApprovalRequired(
            f"the approval of action {action.id} is for other arguments", action_id=action.id
        )
    return op


def unhidden(approved: Json, presented: Json) -> Json:
    """Recorded arguments, and where a secret could not be kept, what the call presents there."""
    if isinstance(approved, Hidden):
        return presented
    if isinstance(approved, dict):
        known = presented if isinstance(presented, dict) else {}
        return {name: unhidden(item, known.get(name)) for name, item in approved.items()}
    if isinstance(approved, list):
        same_length = isinstance(presented, list) and len(presented) == len(approved)
        others = presented if same_length else [None] * len(approved)
        return [unhidden(item, other) for item, other in zip(approved, others, strict=True)]
    return approved


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


def propose(core: Core, action: Action, call: Call, verdict: Verdict) -> Flow[Action]:
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
    """Record what a person said of a proposed action. An approval is bound to the arguments it saw.

    Returns:
        The action: `APPROVED`, `REJECTED`, or `EXPIRED` where the answer came too late.
    Raises:
        ConfigError: The edited arguments do not fit.
        LostRace: Somebody else decided first.
    """
    now = yield from lapsed(core, action)
    if now.status is Status.EXPIRED:
        return now
    asked = action.approval or Approval("ask")
    said = replace(
        asked,
        decision=decision.kind,
        by=decision.by,
        at=datetime.now(UTC),
        reason=decision.message or asked.reason,
    )
    if decision.kind in ("reject", "respond"):
        rejected: Action = yield Step(
            lambda: core.journal.move(action, Status.REJECTED, detail=_who(decision), approval=said)
        )
        return rejected
    # The digest is the record's own: what was read back may lack a secret that nothing could seal.
    digest, payload = action.digest, {}
    if decision.kind == "edit":
        args = _fitting(core, action, decision.args)
        digest = core.journal.digest(action.salt, action.operation, args)
        payload = {"approved_args": args, "args": args}
    bound = replace(said, digest=digest)
    approved: Action = yield Step(
        lambda: core.journal.move(
            action,
            Status.APPROVED,
            columns={"digest": digest},
            detail=_who(decision),
            approval=bound,
            **payload,
        )
    )
    return approved


def _who(decision: Decision) -> dict[str, Json]:
    return {"by": decision.by} if decision.by else {}


def _fitting(core: Core, action: Action, args: Json) -> Json:
    """Edited arguments as the operation reads them, before anybody's approval is bound to them.

    Raises:
        ConfigError: They do not fit.
    """
    if contains_mask(args):
        raise ConfigError(f"the edit of action {action.id} lacks a secret that the journal could not keep")
    try:
        return core.rebuild(action.with_(args=args)).args
    except (UnknownOperation, SealError):
        return args  # the process that runs it will check
    except (ValidationError, TypeError, ValueError) as error:
        raise ConfigError(f"the edited arguments do not fit {action.operation}: {error}") from error


def lapsed(core: Core, action: Action) -> Flow[Action]:
    """Let a question or an approval expire whose time is over."""
    approval = action.approval
    if approval is None or approval.expires_at is None or approval.expires_at > datetime.now(UTC):
        return action
    expired: Action = yield Step(lambda: core.journal.move(action, Status.EXPIRED))
    return expired


def too_late(action: Action) -> ApprovalRequired:
    """Why a call does not run whose question expired: asked anew at once, a late answer would count for it."""
    return ApprovalRequired(
        f"the time to answer about action {action.id} was over: call again to ask again", action_id=action.id
    )


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
