"""The effect itself, and the record of what came of it: whatever happens from here on, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_agentrein.action import Action, Json, SessionStatus, Status
from langchain_agentrein.engine.core import Call, Core, Performed, Reported, remembered
from langchain_agentrein.engine.reconcile import reconcile
from langchain_agentrein.errors import InDoubt, JournalError, JournalUnavailable, LostRace, NotDone, Throttled
from langchain_agentrein.flow import Flow, NotBegun, Sleep, Step, run
from langchain_agentrein.journal import jsonable
from langchain_agentrein.operation import Operation

THROTTLE_TRIES = 5
RECORD_TRIES = 5
RACES = 10


def effect(core: Core, op: Operation, api: Any, call: Call, action: Action) -> Flow[Performed]:
    """Run `do` once, and record how it ended.

    Args:
        action: `EXECUTING`, its record durable.
    Raises:
        InDoubt: It happened, and the journal could not take its receipt.
        Exception: Whatever `do` raised.
    """
    with core.keeper.holding(action.id):
        tries = 0
        while True:
            try:
                value: Any = yield Step(op.do, (api, action), effect=True)
                break
            except call.pauses as pause:
                yield from _paused(core, action, pause)
                raise
            except NotBegun as stop:
                yield from _noted(core, action, Status.FAILED, stop)
                raise
            except Exception as error:  # noqa: BLE001 - it is raised again, once the record says what it means
                raised = error
            except GeneratorExit as stop:  # nobody drives this flow any more: it may not wait for anything
                run(_noted(core, action, Status.IN_DOUBT, stop))
                raise
            except BaseException as stop:
                # Cancelled or interrupted in the middle: no time to look, so say what is known.
                yield from _noted(core, action, Status.IN_DOUBT, stop)
                raise
            fate = _fate(op, raised)
            tries += 1
            if fate is not None and issubclass(fate, Throttled) and tries < THROTTLE_TRIES:
                yield from _wait(core, action, getattr(raised, "retry_after", 1.0))
                continue
            settled = yield from _failed(core, op, api, action, raised, certain=fate is not None)
            if isinstance(raised, Reported):
                return Performed(settled, shown=raised.shown)
            if settled.status is not Status.EXECUTED:
                raise raised
            return Performed(settled, replayed=True)
        action = yield from _happened(core, op, api, action, value)
    return Performed(action, shown=_or(lambda: op.shown(value), action.receipt))


def _wait(core: Core, action: Action, seconds: float) -> Flow[None]:
    try:
        yield Sleep(seconds)
    except GeneratorExit as stop:
        run(_noted(core, action, Status.FAILED, stop))
        raise
    except BaseException as stop:
        yield from _noted(core, action, Status.FAILED, stop)
        raise


def _fate(op: Operation, error: BaseException) -> type[NotDone] | None:
    try:
        return op.fate(error)
    except Exception:  # noqa: BLE001 - whoever cannot read an error does not know that nothing happened
        return None


def _paused(core: Core, action: Action, pause: BaseException) -> Flow[None]:
    try:
        yield Step(lambda: core.journal.pause(action, True, hold=core.lease))
    except (JournalError, LostRace) as error:
        # Unmarked it counts as lost, and is in doubt when the run goes on: safe, and said.
        pause.add_note(f"that action {action.id} paused could not be recorded: {error}")


def _failed(
    core: Core, op: Operation, api: Any, action: Action, error: Exception, *, certain: bool
) -> Flow[Action]:
    """Record a failure for what it is; where a probe can tell, ask it at once."""
    if certain:
        return (yield from _noted(core, action, Status.FAILED, error))
    # The model was given an answer all the same: the same call gets it again, and is not tried again.
    answer = {"result": remembered(core, error.record)} if isinstance(error, Reported) else {}
    action = yield from _noted(core, action, Status.IN_DOUBT, error, **answer)
    if action.status is Status.IN_DOUBT and op.overrides("probe"):
        try:
            action = yield from reconcile(core, action, op=op, api=api, fresh=True)
        except JournalError as lost:
            error.add_note(f"what a probe found could not be recorded: {lost}")
    return action


def _noted(core: Core, action: Action, to: Status, error: BaseException, **payload: Json) -> Flow[Action]:
    """Record how an effect ended without a receipt; a journal that is away must not hide the error itself."""
    try:
        return (yield from _settled(core, action, to, error=told(error), **payload))
    except JournalError as lost:
        error.add_note(
            f"action {action.id} stays under way in the journal until `agentrein recover` settles it: {lost}"
        )
        return action


def _happened(core: Core, op: Operation, api: Any, action: Action, value: Any) -> Flow[Action]:
    """Record what the effect returned, and what it left behind. Nothing that fails here loses it."""
    receipt = jsonable(_or(lambda: op.receipt(value), value))
    action = action.with_(receipt=receipt)
    known: dict[str, Any] = {"receipt": receipt}
    result = jsonable(_or(lambda: op.result(receipt), receipt))
    if result != receipt:
        known["result"] = remembered(core, result)
    until = _or(lambda: op.undo_until(action), None)
    if until is not None:
        known["columns"] = {"undo_until": round(until.timestamp() * 1e6)}
    try:
        known |= yield from observed(op, api, action)
    except GeneratorExit:
        run(_recorded(core, action, known | _expected(op, action)))
        raise
    except BaseException:
        # Cancelled while it looked: the receipt still comes first.
        yield from _recorded(core, action, known | _expected(op, action))
        raise
    return (yield from _recorded(core, action, known))


def _recorded(core: Core, action: Action, known: dict[str, Any]) -> Flow[Action]:
    """Record that it happened; the journal may be out of reach for a while, and must not lose this."""
    stop: BaseException | None = None
    for attempt in range(RECORD_TRIES):
        try:
            recorded = yield from _settled(core, action, Status.EXECUTED, **known)
        except JournalUnavailable as error:
            away = error
        else:
            if stop is not None:
                raise stop
            return recorded
        if stop is None and attempt < RECORD_TRIES - 1:
            try:
                yield Sleep(core.backoff * 2**attempt)
            except GeneratorExit:
                raise
            except BaseException as cancelled:  # noqa: BLE001 - it is raised once the receipt is recorded
                stop = cancelled
    raise InDoubt(
        f"{action.operation} happened, but its receipt could not be recorded ({away}). "
        f"Action {action.id} stays under way in the journal until `agentrein recover` settles it",
        action_id=action.id,
    ) from away


def _settled(core: Core, action: Action, to: Status, **changes: Any) -> Flow[Action]:
    """Settle an action that this worker runs, even if it was taken for dead meanwhile."""
    now: Action = action
    for _ in range(RACES):
        try:
            moved: Action = yield Step(lambda one=now: core.journal.move(one, to, **changes))
            return moved
        except LostRace:
            now = yield Step(core.journal.get, (action.id,))
            changes["detail"] = {"late": True}
        if now.status is Status.FAILED and to is Status.EXECUTED:
            changes.pop("detail")
            return (yield from _late(core, now, changes))
        if now.status not in (Status.EXECUTING, Status.IN_DOUBT) or to is Status.IN_DOUBT:
            return now
    raise JournalUnavailable(f"action {action.id} could not be settled: others keep moving it")


def _late(core: Core, failed: Action, changes: dict[str, Any]) -> Flow[Action]:
    """The effect landed after a probe had said that it would not: record it as a further generation."""
    session = yield Step(core.journal.session, (failed.session_id,))
    for _ in range(RACES):
        known: list[Action] = yield Step(core.journal.calls, (failed.call_key,))
        again = failed.with_(
            status=Status.EXECUTING,
            generation=known[-1].generation + 1,
            parent_id=failed.id,
            proposed_args=None,
            approval=None,
            error=None,
        )
        try:
            started: Action = yield Step(
                lambda one=again: core.journal.begin(
                    one, session, hold=core.lease, detail={"late": True}, late=True
                )
            )
        except LostRace:
            continue
        moved: Action = yield Step(lambda one=started: core.journal.move(one, Status.EXECUTED, **changes))
        # If its session was rolled back meanwhile, this effect was not: a person must know.
        yield Step(_reopened, (core, failed.session_id))
        return moved
    raise JournalUnavailable(f"the late effect of action {failed.id} could not be recorded")


def _reopened(core: Core, session_id: str) -> None:
    core.journal.set_session(session_id, SessionStatus.STUCK, expect=[SessionStatus.ROLLED_BACK])


def observed(op: Operation, api: Any, action: Action) -> Flow[dict[str, Json]]:
    """`{"after": ...}`, what the action left behind; empty where nobody can tell."""
    if not op.observes:
        return {}
    try:
        seen: Json = yield Step(op.observe, (api, action))
        return {"after": jsonable(seen)}
    except Exception:  # noqa: BLE001 - the effect happened all the same
        return _expected(op, action)


def _expected(op: Operation, action: Action) -> dict[str, Json]:
    """`{"after": ...}` as the operation can work it out, where nobody could look."""
    expected = _or(lambda: op.expect(action), None)
    return {} if expected is None else {"after": jsonable(expected)}


def _or(ask: Callable[[], Any], otherwise: Any) -> Any:
    """What a hook says; the effect has happened, so a hook that fails must not cost its record."""
    try:
        return ask()
    except Exception:  # noqa: BLE001
        return otherwise


def told(error: BaseException) -> dict[str, str]:
    """An error as the journal keeps it."""
    if isinstance(error, Reported) and error.__cause__ is not None:
        error = error.__cause__
    try:
        return {"type": type(error).__name__, "message": str(error)}
    except Exception:  # noqa: BLE001 - a broken `__str__`
        return {"type": type(error).__name__, "message": ""}
