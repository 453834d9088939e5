"""A person's word, outside a graph: the part of `AgentRein` that takes decisions."""

from __future__ import annotations

from typing import Literal

from langchain_agentrein import engine
from langchain_agentrein.action import Action, Json, Status
from langchain_agentrein.engine import Core, Decision
from langchain_agentrein.errors import ConfigError, TransitionError
from langchain_agentrein.flow import Flow, adriven, driven
from langchain_agentrein.reading import Reading


class Deciding(Reading):
    """Approving and rejecting; releasing and dropping what is held; settling what an undo left."""

    core: Core

    def _approve(self, action_id: str, *, by: str, args: Json = None) -> Flow[Action]:
        """A person's yes: the action may run; its far-reaching undo may run; or, in doubt, it did happen.

        Args:
            action_id: The id, or a beginning of it that no other shares.
            args: Run with these arguments instead.
        Raises:
            TransitionError: It waits for nobody.
        """
        action = yield from self._action(action_id)
        if action.status is Status.PROPOSED:
            kind: Literal["approve", "edit"] = "approve" if args is None else "edit"
            decided = yield from engine.decide(self.core, action, Decision(kind, by=by, args=args))
            if decided.status is Status.EXPIRED:
                raise TransitionError(
                    action.id, "expired", "approved", "the time to answer was over: call again"
                )
            return decided
        if action.status is Status.IN_DOUBT:
            return (yield from engine.settle(self.core, action, happened=True, by=by))
        if action.status in (Status.STUCK, Status.EXECUTED):
            return (yield from engine.approve_undo(self.core, action, by=by))
        raise TransitionError(action.id, str(action.status), "approved", _waits_for(action))

    approve = driven(_approve)
    aapprove = adriven(_approve)

    def _reject(self, action_id: str, *, by: str, reason: str | None = None) -> Flow[Action]:
        """A person's no: the action may not run; or, in doubt, it did not happen.

        Raises:
            TransitionError: It waits for nobody.
        """
        action = yield from self._action(action_id)
        if action.status is Status.PROPOSED:
            return (yield from engine.decide(self.core, action, Decision("reject", by=by, message=reason)))
        if action.status is Status.IN_DOUBT:
            return (yield from engine.settle(self.core, action, happened=False, by=by))
        raise TransitionError(action.id, str(action.status), "rejected", _waits_for(action))

    reject = driven(_reject)
    areject = adriven(_reject)

    def _settle(self, action_id: str, *, by: str, note: str | None = None) -> Flow[Action]:
        """A person has seen to what an undo left: undone it by hand, found it undone, or lets it be.

        Args:
            action_id: The id, or a beginning of it that no other shares.
            note: What they did, for the record.
        Returns:
            The action, `compensated`, with their word as its residue.
        Raises:
            TransitionError: It is neither stuck nor in conflict.
        """
        action = yield from self._action(action_id)
        if action.status not in (Status.STUCK, Status.CONFLICT):
            raise TransitionError(action.id, str(action.status), "settled", "no undo has left it to a person")
        return (yield from engine.settle_by_hand(self.core, action, by=by, note=note))

    settle = driven(_settle)
    asettle = adriven(_settle)

    def _release(self, action_id: str, *, by: str) -> Flow[Action]:
        """Do what is held now, because a person says so; its session may still be open.

        Args:
            action_id: The id, or a beginning of it that no other shares.
        Returns:
            The action: executed, failed, in doubt, or under way in another process that was asked, too.
        Raises:
            TransitionError: It is not held.
            ConfigError: It cannot be done from here, and stays held.
        """
        action = yield from engine.release(self.core, (yield from self._action(action_id)), by=by)
        if action.on_hold:
            why = (action.error or {}).get("message", "its session is being rolled back")
            raise ConfigError(f"action {action.id} stays held: {why}")
        return action

    release = driven(_release)
    arelease = adriven(_release)

    def _drop(self, action_id: str, *, by: str, reason: str | None = None) -> Flow[Action]:
        """Let go of what is held, because a person says so: it is never done.

        Raises:
            TransitionError: It is not held.
        """
        return (yield from engine.drop(self.core, (yield from self._action(action_id)), by=by, reason=reason))

    drop = driven(_drop)
    adrop = adriven(_drop)


def _waits_for(action: Action) -> str:
    return "it waits to be released, or dropped" if action.on_hold else "it waits for nobody"
