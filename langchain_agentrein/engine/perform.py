"""Forward: journal first, then the effect, then what reverses it."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

from langchain_agentrein.action import Action, Json, Reversal, Status
from langchain_agentrein.engine.approvals import permitted
from langchain_agentrein.engine.calls import UNFINISHED, draft, earlier_of, kept, standing_session, verdict_on
from langchain_agentrein.engine.core import Call, Core, Performed, Verdict
from langchain_agentrein.engine.effect import effect
from langchain_agentrein.engine.holding import hold
from langchain_agentrein.errors import ConfigError, LostRace
from langchain_agentrein.flow import Flow, Step
from langchain_agentrein.operation import Operation

RACES = 10


def perform(core: Core, op: Operation, api: Any, call: Call) -> Flow[Performed]:
    """Do one action at most once.

    Raises:
        Refused: It may not run; nothing ran.
        JournalError: It could not be recorded; nothing ran.
        InDoubt: An earlier try may have had its effect, and nobody can tell.
        Exception: Whatever `do` raised; the record says whether the effect happened.
    Returns:
        What came of it; an action that is held was not done yet.
    """
    for attempt in range(RACES):
        opening = _Opening(core, op, api, call)
        try:
            try:
                begun = yield from opening.begin()
            except LostRace:
                # Another worker took the same call first: look again at what it did. Only here,
                # where nothing has happened yet: after the effect there is no second time.
                if attempt == RACES - 1:
                    raise
                continue
            if isinstance(begun, Performed):
                return begun
            return (yield from effect(core, opening.op, api, opening.call, begun))
        finally:
            opening.release()
    raise AssertionError("unreachable")


class _Opening:
    """Everything before the effect.

    Attributes:
        op: The operation that will run: the call's own, or as a person edited it.
        call: The call, in the session that will hold it.
    """

    def __init__(self, core: Core, op: Operation, api: Any, call: Call) -> None:
        self.core, self.op, self.api, self.call = core, op, api, call
        self._used = [op]

    def begin(self) -> Flow[Performed | Action]:
        """Get to a durable record, after which the effect may start; or to the answer of an earlier call."""
        core, api = self.core, self.api
        repeated, known = yield Step(core.journal.look, (self.call.key, self.call.session.id))
        earlier = (yield from earlier_of(core, self.op, api, self.call)) if repeated else None
        if isinstance(earlier, Performed):
            return earlier
        waiting = earlier if earlier is not None and earlier.status in UNFINISHED else None
        if waiting is None:
            session = yield from standing_session(core, self.call.session, known)
            self.call = replace(self.call, session=session)
        yield Step(keep_apart, (core, self.op, self.api))
        assessment = yield Step(self.op.assess, (api,))
        account: str | None = yield Step(self.op.account, (api,))
        assessment = kept(core, self.op.args, assessment)
        fresh = draft(self.op, self.call, earlier, assessment, account)
        action = waiting if waiting is not None else fresh
        verdict = verdict_on(core, self.call, self.op, fresh, assessment)
        if verdict.decision == "hold" and waiting is None:
            return Performed((yield from hold(core, fresh, self.call, verdict)), replayed=True)
        while True:
            op, action = yield from permitted(core, self.op, action, self.call, assessment, verdict)
            self._use(op)
            before: Json = yield Step(op.snapshot, (api,))
            if (
                not loses(core, op, before)
                or action.reversal is Reversal.NONE
                or action.status is Status.EXECUTING
            ):
                return (yield from self._record(action, before, verdict))
            # The snapshot holds a secret that cannot be kept: what looked reversible is not. Decide again.
            assessment = kept(core, before, assessment)
            fresh = fresh.with_(reversal=Reversal.NONE)
            verdict = verdict_on(core, self.call, op, fresh, assessment)
            action = yield from self._irreversible(action, fresh, verdict)
            op.release()

    def release(self) -> None:
        """Let go of what the snapshots opened."""
        for op in self._used:
            let_go(op)

    def _use(self, op: Operation) -> None:
        if op is not self.op:
            self._used.append(op)
        self.op = op

    def _irreversible(self, action: Action, fresh: Action, verdict: Verdict) -> Flow[Action]:
        """The action as one that nothing undoes; an approval that was given for the other is void."""
        if action.status is Status.APPROVED and verdict.decision != "allow":
            yield Step(self.core.journal.move, (action, Status.EXPIRED))
            return fresh.with_(generation=action.generation + 1, parent_id=action.id)
        return action.with_(reversal=Reversal.NONE)

    def _record(self, action: Action, before: Json, verdict: Verdict) -> Flow[Action]:
        """Make the record durable. After this the effect may begin."""
        core, journal = self.core, self.core.journal
        started: Action
        if action.status is Status.EXECUTING:
            started = yield Step(lambda: journal.pause(action, False, hold=core.lease))
            return started
        if action.status is Status.APPROVED:
            columns = {"reversal": str(action.reversal)}
            started = yield Step(
                lambda: journal.move(
                    action, Status.EXECUTING, hold=core.lease, columns=columns, before=before
                )
            )
            return started
        rule = {"rule": journal.redactor.text(verdict.reason)} if verdict.reason else None
        allowed = action.with_(status=Status.EXECUTING, before=before)
        started = yield Step(lambda: journal.begin(allowed, self.call.session, hold=core.lease, detail=rule))
        return started


def keep_apart(core: Core, op: Operation, api: Any) -> None:
    """An operation that keeps a file locked while the journal writes must not keep the journal's.

    Raises:
        ConfigError: It would.
    """
    locks = op.locks(api)
    if locks and (file := core.journal.store.file) in locks:
        raise ConfigError(
            f"{op.name} acts on {file}, where the journal lives: a SQLite file has one writer. "
            "Keep the journal in a file of its own"
        )


def loses(core: Core, op: Operation, before: Json) -> bool:
    """Whether a snapshot holds a secret that no key here can seal.

    Raises:
        ConfigError: It is no JSON.
    """
    try:
        return core.journal.vault.loses(before)
    except TypeError as error:
        raise ConfigError(f"the snapshot of {op.name} cannot be journaled: {error}; return JSON") from error


def let_go(op: Operation) -> None:
    """Close what the operation's snapshot opened."""
    try:
        op.release()
    except Exception as error:  # noqa: BLE001 - a failing clean-up must not look like a failing call
        warnings.warn(f"{op.name} could not let go of what it held: {error}", ResourceWarning, stacklevel=2)


__all__ = ["keep_apart", "let_go", "loses", "perform"]
