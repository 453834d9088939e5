"""Settling what a crash, a timeout or a lost reply left open."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from langchain_agentrein.action import TO_UNDO, Action, Json, SessionStatus, Status
from langchain_agentrein.engine.core import Core, remembered
from langchain_agentrein.errors import JournalError, LostRace
from langchain_agentrein.flow import Flow, Step
from langchain_agentrein.journal import jsonable
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
    rebuilt: Operation | None = None
    try:
        if op is None:
            op = rebuilt = core.rebuild(action)
            api = core.api(op, action.account)
        answer = yield from _asked(op, api, action)
        return (yield from _settled(core, op, api, action, answer, fresh=fresh))
    except LostRace:
        current: Action = yield Step(core.journal.get, (action.id,))
        return current
    except JournalError:
        raise
    except Exception as error:  # noqa: BLE001 - whoever cannot ask does not know
        return (yield from _left(core, action, f"{type(error).__name__}: {error}"))
    finally:
        if rebuilt is not None:
            rebuilt.release()


def reconcile_paused(core: Core, action: Action, *, op: Operation, api: Any) -> Flow[Action]:
    """Find out whether a tool that interrupted its own run had its effect before: then it does not run again.

    Returns:
        The action: still paused where nothing happened yet, or where it has no probe that could tell.
    """
    if not op.overrides("probe"):
        return action
    answer = yield from _asked(op, api, action)
    if isinstance(answer, NotHappened):
        return action
    try:
        if isinstance(answer, Unknown):
            action = yield Step(lambda: core.journal.move(action, Status.IN_DOUBT))
        return (yield from _settled(core, op, api, action, answer, fresh=True))
    except LostRace:
        current: Action = yield Step(core.journal.get, (action.id,))
        return current


def _asked(op: Operation, api: Any, action: Action) -> Flow[Probed]:
    try:
        account: str | None = yield Step(op.account, (api,))
        if account != action.account:
            return Unknown(f"done as {action.account!r}, these credentials are {account!r}")
        answer: Probed | object = yield Step(op.probe, (api, action))
    except Exception as error:  # noqa: BLE001 - an unreachable server says nothing
        return Unknown(f"the probe failed: {type(error).__name__}: {error}")
    if not isinstance(answer, Happened | NotHappened | Unknown):
        return Unknown(f"the probe answered {answer!r}, which is neither Happened, NotHappened nor Unknown")
    return answer


def _settled(
    core: Core, op: Operation, api: Any, action: Action, answer: Probed, *, fresh: bool
) -> Flow[Action]:
    settled: Action
    if isinstance(answer, NotHappened):
        settled = yield Step(lambda: core.journal.move(action, Status.FAILED, detail={"settled": "probe"}))
        return settled
    if isinstance(answer, Unknown):
        return (yield from _left(core, action, answer.why))
    known = action.with_(receipt=jsonable(answer.receipt))
    facts: dict[str, Json] = {
        "receipt": known.receipt,
        "result": remembered(core, jsonable(op.result(known.receipt))),
    }
    facts |= yield from _left_behind(op, api, known, answer.after, fresh=fresh)
    settled = yield Step(
        lambda: core.journal.move(action, Status.EXECUTED, detail={"settled": "probe"}, **facts)
    )
    return settled


def _left_behind(
    op: Operation, api: Any, action: Action, after: Json, *, fresh: bool
) -> Flow[dict[str, Json]]:
    """`{"after": ...}`, as far as anybody can tell."""
    after = after if after is not None else op.expect(action)
    if after is not None:
        return {"after": jsonable(after)}
    if not (fresh and op.observes):
        return {}
    try:
        return {"after": jsonable((yield Step(op.observe, (api, action))))}
    except Exception:  # noqa: BLE001 - it happened all the same
        return {}


def _left(core: Core, action: Action, why: str) -> Flow[Action]:
    """Say why it stays in doubt, once."""
    error = {**(action.error or {}), "unsettled": why}
    if action.error == error:
        return action
    try:
        noted: Action = yield Step(lambda: core.journal.note(action, "in doubt", error=error))
        return noted
    except LostRace:
        current: Action = yield Step(core.journal.get, (action.id,))
        return current


def settle(core: Core, action: Action, *, happened: bool, by: str | None) -> Flow[Action]:
    """Record a person's word on an action in doubt.

    Raises:
        TransitionError: It is not in doubt.
    """
    facts: dict[str, Json] = {}
    if happened:
        try:
            op = core.rebuild(action)
            facts = yield from _left_behind(op, None, action, None, fresh=False)
        except Exception:  # noqa: BLE001 - their word counts without it
            facts = {}
    to = Status.EXECUTED if happened else Status.FAILED
    detail = {"settled": "person", "by": by}
    settled: Action = yield Step(lambda: core.journal.move(action, to, detail=detail, **facts))
    return settled


def leave_undone(core: Core, action: Action, *, by: str) -> Flow[Action]:
    """Record that a person wants an effect left as it is now; it stays where it stands.

    Raises:
        LostRace: It moved on since `action` was read.
    """
    noted: Action = yield Step(lambda: core.journal.note(action, "left as it is", detail={"by": by}))
    return noted


def settle_by_hand(core: Core, action: Action, *, by: str, note: str | None) -> Flow[Action]:
    """Record that a person has done what an undo left: undone it themselves, or seen that it is, or let it be.

    Returns:
        The action, compensated; its session is rolled back where nothing else is left of it.
    Raises:
        LostRace: Somebody is undoing it.
    """
    told = f"settled by hand by {by}" + (f": {note}" if note else "")
    undo = replace(action.undo, error=None, outcome=str(Status.COMPENSATED), residue=(told,))
    detail = {"settled": "person", "by": by}
    claimed: Action = yield Step(
        lambda: core.journal.move(action, Status.COMPENSATING, hold=core.lease, detail=detail)
    )
    settled: Action = yield Step(lambda: core.journal.move(claimed, Status.COMPENSATED, undo=undo))
    left: list[Action] = yield Step(
        lambda: core.journal.actions([action.session_id], statuses=TO_UNDO, payloads=False)
    )
    if not left:
        yield Step(
            lambda: core.journal.set_session(
                action.session_id, SessionStatus.ROLLED_BACK, expect=[SessionStatus.STUCK], by=by
            )
        )
    return settled


def approve_undo(core: Core, action: Action, *, by: str) -> Flow[Action]:
    """Record that a person approved a far-reaching undo; the next rollback does it.

    Raises:
        LostRace: It moved on since `action` was read.
    """
    undo = replace(action.undo, approved_by=by)
    noted: Action = yield Step(
        lambda: core.journal.note(action, "undo approved", detail={"by": by}, undo=undo)
    )
    return noted
