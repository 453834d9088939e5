"""Settling what a crash, a timeout or a lost reply left open."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from langchain_agentrein.action import Action, Status
from langchain_agentrein.engine.core import Core
from langchain_agentrein.errors import AgentReinError, LostRace
from langchain_agentrein.flow import Flow, Step
from langchain_agentrein.journal.codec import jsonable
from langchain_agentrein.operation import Happened, NotHappened, Operation, Probed, Unknown


def reconcile(
    core: Core, action: Action, *, op: Operation | None = None, api: Any = None, fresh: bool = False
) -> Flow[Action]:
    """Find out whether an effect happened, and record the answer. An unknown stays in doubt.

    Args:
        action: `EXECUTING` under a worker that is gone, or `IN_DOUBT`.
        op: The live operation, if the caller has it; else it is rebuilt from the record.
        fresh: The effect was tried just now, by this worker: what is observed is what it left behind.
    Returns:
        The action, now `EXECUTED`, `FAILED` or `IN_DOUBT`.
    """
    if action.status is Status.EXECUTING:
        dead = {"type": "WorkerLost", "message": f"{action.held_by} was gone while it was under way"}
        try:
            action = yield Step(lambda: core.journal.move(action, Status.IN_DOUBT, error=dead))
        except LostRace:
            action = yield Step(core.journal.get, (action.id,))
            if action.status is not Status.IN_DOUBT:
                return action
    if op is None:
        try:
            op = core.rebuild(action)
            api = core.api(op, action.account)
        except AgentReinError as error:
            return (yield from _left(core, action, str(error)))
    answer = yield from _probed(core, op, api, action)
    try:
        return (yield from _settled(core, op, api, action, answer, fresh=fresh))
    except LostRace:
        current: Action = yield Step(core.journal.get, (action.id,))
        return current


def _probed(core: Core, op: Operation, api: Any, action: Action) -> Flow[Probed]:
    try:
        account: str | None = yield Step(op.account, (api,))
        if account != action.account:
            return Unknown(f"done as {action.account!r}, these credentials are {account!r}")
        answer: Probed = yield Step(op.probe, (api, action))
        return answer
    except Exception as error:
        return Unknown(f"the probe failed: {type(error).__name__}: {error}")


def _settled(
    core: Core, op: Operation, api: Any, action: Action, answer: Probed, *, fresh: bool
) -> Flow[Action]:
    settled: Action
    match answer:
        case NotHappened():
            settled = yield Step(
                lambda: core.journal.move(action, Status.FAILED, detail={"settled": "probe"})
            )
            return settled
        case Happened(receipt=receipt, after=after):
            known = action.with_(receipt=jsonable(receipt))
            after = after if after is not None else op.expect(known)
            if after is None and fresh and op.observes:
                try:
                    after = yield Step(op.observe, (api, known))
                except Exception:
                    after = None
            settled = yield Step(
                lambda: core.journal.move(
                    action,
                    Status.EXECUTED,
                    detail={"settled": "probe"},
                    receipt=known.receipt,
                    after=jsonable(after),
                    result=jsonable(op.result(known.receipt)),
                )
            )
            return settled
        case Unknown(why=why):
            return (yield from _left(core, action, why))


def _left(core: Core, action: Action, why: str) -> Flow[Action]:
    """Say why it stays in doubt, once."""
    error = {**(action.error or {}), "unsettled": why}
    if action.error == error:
        return action
    noted: Action = yield Step(lambda: core.journal.note(action, "in doubt", error=error))
    return noted


def settle(core: Core, action: Action, *, happened: bool, by: str | None) -> Flow[Action]:
    """Record a person's word on an action in doubt.

    Raises:
        TransitionError: It is not in doubt.
    """
    to = Status.EXECUTED if happened else Status.FAILED
    settled: Action = yield Step(lambda: core.journal.move(action, to, detail={"settled": "person", "by": by}))
    return settled


def approve_undo(core: Core, action: Action, *, by: str) -> Flow[Action]:
    """Record that a person approved a far-reaching undo; the next rollback does it."""
    undo = replace(action.undo, approved_by=by)
    noted: Action = yield Step(lambda: core.journal.note(action, "undo approved", detail={"by": by}, undo=undo))
    return noted
