"""Released: what was held is done at last, with everything that is promised of any other action."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from langchain_agentrein.action import Action, Approval, Json, Reversal, SessionRecord, SessionStatus, Status
from langchain_agentrein.engine.approvals import as_approved
from langchain_agentrein.engine.calls import kept
from langchain_agentrein.engine.core import Call, Core
from langchain_agentrein.engine.effect import effect, told
from langchain_agentrein.engine.freezing import expire
from langchain_agentrein.engine.holding import due_at, leave_to_a_person
from langchain_agentrein.engine.perform import keep_apart, let_go, loses
from langchain_agentrein.engine.scope import Scope
from langchain_agentrein.errors import (
    ApprovalRequired,
    ConfigError,
    JournalError,
    LostRace,
    NotDone,
    PayloadTooLarge,
    SessionFrozen,
    Throttled,
    TransitionError,
)
from langchain_agentrein.flow import Flow, Step, run
from langchain_agentrein.operation import Operation

RUNNING = frozenset({SessionStatus.OPEN, SessionStatus.SUPERSEDED})


def complete(core: Core, session_id: str) -> Flow[None]:
    """End a session well: what was asked and not answered lapses, and what is held and due is done.

    A release that fails is on its record, and ends nothing. What a superseded session holds is left to a person: a
    newer message may have changed their mind.
    """
    known: SessionRecord | None = yield Step(core.journal.standing, (session_id,))
    while known is not None and known.status in RUNNING:
        was = known.status
        if was is SessionStatus.SUPERSEDED:
            yield from leave_to_a_person(core, session_id)
        done = yield Step(
            lambda now=was: core.journal.set_session(session_id, SessionStatus.COMPLETED, expect=[now])
        )
        if done:
            held = yield from expire(core, Scope((session_id,)))
            if not held:
                return
        known = yield Step(core.journal.standing, (session_id,))
    if known is not None and known.status is SessionStatus.COMPLETED:
        yield from release_due(core, [session_id])


def release_due(core: Core, session_ids: Collection[str] | None = None) -> Flow[list[Action]]:
    """Do what is held and due, in the order of the calls; one that fails does not hold the others back.

    Args:
        session_ids: Only theirs; `None`: of all sessions.
    Returns:
        What was due, as it is now: done, failed, in doubt, or still held, with an `error` that says why.
    """
    held: list[Action] = yield Step(core.journal.on_hold, (session_ids,))
    if not held:
        return []
    owners = {action.session_id for action in held}
    found: list[SessionRecord] = yield Step(lambda: core.journal.sessions(ids=owners))
    sessions = {session.id: session for session in found}
    released = []
    for action in held:
        due = due_at(action, sessions.get(action.session_id))
        if due is not None and due <= datetime.now(UTC):
            released.append((yield from release(core, action)))
    return released


def release(core: Core, action: Action, *, by: str | None = None) -> Flow[Action]:
    """Do what was held, at most once, whoever else does the same.

    Args:
        by: Who says so; `None`: its session has completed, and its time has come.
    Returns:
        The action: executed, failed, or in doubt; under way elsewhere; or still held, with an `error` that says why.
    Raises:
        TransitionError: It is not held.
        JournalError: It could not be recorded.
    """
    if not action.on_hold:
        raise TransitionError(action.id, str(action.status), "released", "it is not held")
    while True:
        now = yield from _tried(core, action, by)
        if not now.on_hold or now.status is action.status:
            return now
        action = now  # another worker has claimed it, and not begun: whoever begins first does it


def _tried(core: Core, action: Action, by: str | None) -> Flow[Action]:
    try:
        op = core.rebuild(_whole(action))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is said, and nothing has happened
        return (yield from _stays(core, action, error))
    if not op.is_async:
        # In one thread from the look to the receipt, as a call of it runs.
        released: Action = yield Step(run, (_released(core, op, action, by),), effect=True)
        return released
    try:
        yield Step(_on_a_loop)
    except ConfigError:
        why = f"{op.name} is async: complete the session with `async with`, or use arelease, or arecover"
        return (yield from _stays(core, action, ConfigError(why)))
    return (yield from _released(core, op, action, by))


async def _on_a_loop() -> None:
    """A step that only an event loop can do."""


def _whole(action: Action) -> Action:
    if not action.salt:
        raise ConfigError("its arguments were forgotten: drop it")
    return action


def _released(core: Core, op: Operation, action: Action, by: str | None) -> Flow[Action]:
    try:
        before, reversal, refusal, api = None, action.reversal, None, None
        try:
            api, before, reversal = yield from _looked(core, op, action, by)
        except JournalError:
            raise
        except Throttled as error:
            return (yield from _stays(core, action, error))
        except NotDone as error:
            refusal = error
        except Exception as error:  # noqa: BLE001 - it is said, and nothing has happened
            return (yield from _stays(core, action, error))
        try:
            started = yield from _begun(core, op, action, by, before, reversal)
        except (ConfigError, PayloadTooLarge) as error:
            return (yield from _stays(core, action, error))
        except (LostRace, SessionFrozen):
            now: Action = yield Step(core.journal.get, (action.id,))
            return now
        return (yield from _done(core, op, api, started, refusal))
    finally:
        let_go(op)


def _looked(core: Core, op: Operation, action: Action, by: str | None) -> Flow[tuple[Any, Json, Reversal]]:
    """The client, the snapshot, and what an undo can still promise.

    Raises:
        Exception: It cannot be done now; nothing has happened.
    """
    if core.journal.digest(action.salt, op.name, op.args) != action.digest:
        raise ApprovalRequired("its arguments read differently than when it was held")
    api = core.api(op, action.account)
    yield Step(keep_apart, (core, op, api))
    assessment = yield Step(op.assess, (api,))
    account: str | None = yield Step(op.account, (api,))
    if account != action.account:
        raise ConfigError(f"it was held for {action.account!r}, and these credentials are {account!r}")
    before: Json = yield Step(op.snapshot, (api,))
    reversal = kept(core, op.args, assessment).reversal
    if loses(core, op, before):
        reversal = Reversal.NONE
    if by is None and reversal is Reversal.NONE and action.reversal is not Reversal.NONE:
        raise ApprovalRequired("nothing could undo it now, unlike when it was held: a person must release it")
    return api, before, reversal


def _begun(
    core: Core, op: Operation, action: Action, by: str | None, before: Json, reversal: Reversal
) -> Flow[Action]:
    """Make its release durable, then its beginning. After this the effect may begin.

    Raises:
        LostRace: Another worker was first.
        SessionFrozen: Its session is failing, or was rolled back.
    """
    if action.status is Status.HELD:
        how = action.approval or Approval("hold")
        said = replace(how, decision="release", by=by, at=datetime.now(UTC), digest=action.digest)
        facts = {"released": True, **({"by": by} if by else {})}
        held = action
        action = yield Step(
            lambda: core.journal.move(
                held, Status.APPROVED, detail=facts, released=True, approval=said, error=None
            )
        )
    as_approved(core, op, action)
    approved = action
    started: Action = yield Step(
        lambda: core.journal.move(
            approved,
            Status.EXECUTING,
            hold=core.lease,
            columns={"reversal": str(reversal)},
            released=True,
            before=before,
        )
    )
    return started


def _done(core: Core, op: Operation, api: Any, started: Action, refusal: NotDone | None) -> Flow[Action]:
    """The effect, and how it ended; whatever it raises is on the record."""
    if refusal is not None:
        failed: Action = yield Step(lambda: core.journal.move(started, Status.FAILED, error=told(refusal)))
        return failed
    session = SessionRecord(started.session_id, thread_id=started.thread_id, tenant=started.tenant)
    call = Call(session, started.call_key, started.thread_id, started.tool_call_id)
    try:
        return (yield from effect(core, op, api, call, started)).action
    except Exception as error:  # noqa: BLE001 - its record says what it means: not done, or in doubt
        if isinstance(error, JournalError):
            raise
    ended: Action = yield Step(core.journal.get, (started.id,))
    return ended


def _stays(core: Core, action: Action, error: BaseException) -> Flow[Action]:
    """Say why it stays held, once."""
    why = told(error)
    if action.error == why:
        return action
    try:
        noted: Action = yield Step(lambda: core.journal.note(action, "not released", error=why))
    except LostRace:
        noted = yield Step(core.journal.get, (action.id,))
    return noted
