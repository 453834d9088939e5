"""Asking a person about a wrapped SDK's call: an interrupt in a graph, else waiting until somebody has answered."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from langchain_core.runnables import RunnableConfig

from langchain_agentrein.action import Action, Status
from langchain_agentrein.calling import BINDING, Prepared
from langchain_agentrein.engine import Decision, Performed
from langchain_agentrein.errors import ApprovalTimeout, LostRace, Refused
from langchain_agentrein.flow import run
from langchain_agentrein.operation import Assessment, Operation
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.sdk import UnknownCall

Approver: TypeAlias = Callable[[Action], "Decision | bool"]
POLL = 0.2
"""Seconds between two looks at a question that waits."""


def paused_or_waited(
    rein: AgentRein,
    prepared: Prepared,
    api: Any,
    config: RunnableConfig,
    *,
    wait: float,
    approver: Approver | None,
) -> Performed:
    """Do it; where a person must decide, ask the way that is possible where the call is made."""
    from langchain_agentrein.graphs.ask import has_checkpointer

    if prepared.where.in_graph and has_checkpointer(config):
        return _Pausing(rein, prepared, api, config).perform()
    return _Waiting(rein, prepared, api, wait, approver).perform()


class _Waiting:
    """A call outside a graph, or in one that cannot pause: its question waits in the journal."""

    def __init__(
        self, rein: AgentRein, prepared: Prepared, api: Any, wait: float, approver: Approver | None
    ) -> None:
        self.rein, self.prepared, self.api = rein, prepared, api
        self.wait, self.approver = wait, approver

    def perform(self) -> Performed:
        call = replace(self.prepared.call, ask=self._ask)
        return run(self.rein.perform(self.prepared.op, self.api, call))

    def _ask(self, action: Action, assessment: Assessment) -> Decision:
        """What the function says, or a wait until somebody has decided.

        Raises:
            LostRace: Somebody has: whoever runs the call looks again at what the record says.
            ApprovalTimeout: Nobody did in time.
        """
        try:
            if self.approver is not None:
                return _decision(self.approver(action), self.approver)
            raise self._answered(action.id)
        except LostRace:
            raise
        except BaseException:
            self._lapse(action.id)  # nobody waits for the answer any more: one that comes late must not count
            raise

    def _answered(self, action_id: str) -> LostRace:
        begun = time.monotonic()
        while (action := self.rein.journal.get(action_id)).status is Status.PROPOSED:
            left = self.wait - (time.monotonic() - begun)
            expires = action.approval.expires_at if action.approval is not None else None
            if expires is not None:
                left = min(left, (expires - datetime.now(UTC)).total_seconds())
            if left > 0:
                time.sleep(min(POLL, left))
            elif self._lapse(action_id):
                raise self._unanswered(action_id, f"nobody answered within {self.wait:g} seconds")
        if action.status is Status.EXPIRED:
            raise self._unanswered(action_id, "the question lapsed, as its session ended or was rolled back")
        return LostRace(action_id, "proposed", "approved", "somebody decided about it")

    def _lapse(self, action_id: str) -> bool:
        """Let a question expire that still waits; whether it did."""
        action = self.rein.journal.get(action_id)
        if action.status is not Status.PROPOSED:
            return False
        try:
            self.rein.journal.move(action, Status.EXPIRED)
        except LostRace:
            return False
        return True

    def _unanswered(self, action_id: str, why: str) -> ApprovalTimeout:
        op = self.prepared.op
        what = op.name
        if isinstance(op, UnknownCall):
            close = f"; the nearest is {op.nearest}" if op.nearest else ""
            what = f"{op.method}, which no operation covers{close},"
        return ApprovalTimeout(
            f"{what} needs approval, and {why}: action {action_id} has expired, nothing was done. Call again, and "
            "answer while it waits, with rein.approve(ID, by=...) or `agentrein approve ID --by NAME`",
            action_id=action_id,
        )


class _Pausing:
    """A call inside a graph that can pause: its question is an interrupt of the task."""

    def __init__(self, rein: AgentRein, prepared: Prepared, api: Any, config: RunnableConfig) -> None:
        self.rein, self.prepared, self.api, self.config = rein, prepared, api, config
        self.asked = False

    def perform(self) -> Performed:
        call = replace(self.prepared.call, ask=self._ask)
        try:
            performed = run(self.rein.perform(self.prepared.op, self.api, call))
        except Refused as refusal:
            if refusal.action_id is not None:
                self._skip(self.rein.journal.get(refusal.action_id), now=True)
            raise
        self._skip(performed.action, now=not performed.replayed)
        return performed

    def _ask(self, action: Action, assessment: Assessment) -> Decision:
        from langchain_agentrein.graphs.ask import about_call, approver_of, ask_all, decision_of

        self.asked = True
        op = self.prepared.op
        question = about_call(
            action, assessment, self.rein.journal.redactor, tool=op.tool_name(), check=_check(op)
        )
        [answer] = ask_all([question])
        runtime, binding = (self.config.get("configurable") or {}).get("__pregel_runtime"), BINDING.get()
        own = binding.approver if binding is not None else None
        return decision_of(answer, action, approver_of(self.config, runtime, own))

    def _skip(self, action: Action, *, now: bool) -> None:
        """Take the answer to this call's question, where it was decided without it: before, or from outside.

        LangGraph hands out a task's answers in the order in which it asks. What is left would be the next question's.

        Args:
            now: It was decided since the task last paused, so that what resumed the task was meant for it.
        """
        decided = action.approval is not None and action.approval.decision != "deny"
        answers = getattr(self.prepared.where.scratchpad, "resume", None)
        if self.asked or not decided or not (answers or now):
            return
        from langgraph.types import interrupt

        with contextlib.suppress(*self.prepared.call.pauses):
            interrupt({"type": "decided", "action_id": action.id})


def _check(op: Operation) -> Callable[[dict[str, Any]], None]:
    def check(args: dict[str, Any]) -> None:
        op.replaced(args)

    return check


def _decision(answer: Decision | bool, approver: Approver) -> Decision:
    if isinstance(answer, Decision):
        return answer
    name = getattr(approver, "__qualname__", type(approver).__name__)
    return Decision("approve" if answer is True else "reject", by=f"approver {name}")


__all__ = ["Approver", "paused_or_waited"]
