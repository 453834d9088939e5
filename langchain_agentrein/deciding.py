"""A person's word about one action, given outside a graph: from the CLI, a script, another process."""

from __future__ import annotations

from typing import Literal

from langchain_agentrein import engine
from langchain_agentrein.action import Action, Json, Status
from langchain_agentrein.engine import Core, Decision
from langchain_agentrein.errors import TransitionError
from langchain_agentrein.flow import Flow, adriven, driven
from langchain_agentrein.reading import Reading


class Deciding(Reading):
    """Saying yes or no to what waits for a person."""

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
        raise TransitionError(action.id, str(action.status), "approved", "it waits for nobody")

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
        raise TransitionError(action.id, str(action.status), "rejected", "it waits for nobody")

    reject = driven(_reject)
    areject = adriven(_reject)
