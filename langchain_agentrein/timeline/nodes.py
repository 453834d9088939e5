"""What a timeline is made of. Every text in it is fit to be shown already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal, TypeAlias

from langchain_agentrein.action import Approval, Intent, Json, Reversal, Risk, Status, Undo
from langchain_agentrein.engine.holding import spoken
from langchain_agentrein.timeline.shown import iso

DRIFTED = 0.5
"""From this drift on, a sentence says that the agent had strayed from its goal."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that came to pass with an action."""

    at: datetime
    text: str

    def to_dict(self) -> dict[str, Json]:
        """As JSON."""
        return {"at": iso(self.at), "text": self.text}


@dataclass(frozen=True, slots=True)
class ActionNode:
    """One action: what was asked, what ran, what came of it, and how it was taken back."""

    kind: ClassVar[str] = "action"

    id: str
    session_id: str
    at: datetime | None
    """When its effect started or, where nothing ran, when it was proposed."""
    operation: str
    summary: str
    """A few words of its arguments."""
    status: Status
    risk: Risk
    reversal: Reversal
    seq: int | None
    generation: int
    account: str | None
    tool_call_id: str | None
    parent_id: str | None
    intent: Intent
    approval: Approval | None
    undo: Undo
    error: str
    """`Type: message` of the failure; empty if there is none."""
    unsettled: str
    """Why nobody can tell yet whether it happened."""
    finished_at: datetime | None
    undone_at: datetime | None
    undo_until: datetime | None
    payloads: Mapping[str, Json] = field(default_factory=dict)
    """By the name of the action's field, those that are there: `args`, `receipt`, `result`, ..."""
    history: tuple[Moment, ...] = ()
    paused: bool = False
    """Its tool waits for an answer; that is no error."""
    cause: str = ""
    """Why it was undone, in one sentence; empty if it was not."""
    because: str = ""
    """The same in a few words, where the rest of the timeline is at hand."""

    @property
    def drifted(self) -> bool:
        """Whether it strays from the session's goal."""
        return self.intent.drift is not None and self.intent.drift >= DRIFTED

    @property
    def held(self) -> str:
        """Until when it is held; empty if it is not."""
        if self.status is not Status.HELD:
            return ""
        after = self.approval.release_after if self.approval is not None else None
        if after is None:
            return "until a person releases it"
        return "until its session completes" + (f", and {spoken(after)} longer" if after else "")

    def to_dict(self) -> dict[str, Json]:
        """As JSON."""
        return {
            "kind": self.kind,
            "id": self.id,
            "session_id": self.session_id,
            "at": iso(self.at),
            "operation": self.operation,
            "summary": self.summary,
            "status": str(self.status),
            "risk": str(self.risk),
            "reversal": str(self.reversal),
            "seq": self.seq,
            "generation": self.generation,
            "account": self.account,
            "tool_call_id": self.tool_call_id,
            "parent_id": self.parent_id,
            "intent": _intent(self.intent),
            "approval": approval_dict(self.approval),
            "undo": _undo(self.undo),
            "error": self.error,
            "unsettled": self.unsettled,
            **({"held": self.held} if self.held else {}),
            "finished_at": iso(self.finished_at),
            "undone_at": iso(self.undone_at),
            "undo_until": iso(self.undo_until),
            "payloads": dict(self.payloads),
            "history": [moment.to_dict() for moment in self.history],
            "paused": self.paused,
            "cause": self.cause,
            "because": self.because,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said about one action of an interrupt."""

    action_id: str
    """Empty where the whole session is asked about."""
    decision: str
    """`approve`, `edit`, `reject`, `respond`, `expired`, `resumed`, `settled`; empty: nobody has answered."""
    by: str | None = None
    at: datetime | None = None
    reason: str | None = None

    def to_dict(self) -> dict[str, Json]:
        """As JSON."""
        return {
            "action_id": self.action_id,
            "decision": self.decision,
            "by": self.by,
            "at": iso(self.at),
            "reason": self.reason,
        }


About: TypeAlias = Literal["approval", "tool", "doubt", "rollback", "undo", "conflict"]
"""May it run; what a tool itself asks; did it happen; may all be undone; may this be; what goes first."""


@dataclass(frozen=True, slots=True)
class InterruptNode:
    """A pause in which a person is asked. It is no error."""

    kind: ClassVar[str] = "interrupt"

    id: str
    session_id: str
    at: datetime | None
    about: About
    """What is asked."""
    text: str
    answers: tuple[Answer, ...] = ()

    @property
    def open(self) -> bool:
        """Whether somebody still has to answer."""
        return any(not answer.decision for answer in self.answers)

    @property
    def answered_at(self) -> datetime | None:
        """When the last answer came."""
        times = [answer.at for answer in self.answers if answer.at is not None]
        return None if self.open or not times else max(times)

    def to_dict(self) -> dict[str, Json]:
        """As JSON."""
        return {
            "kind": self.kind,
            "id": self.id,
            "session_id": self.session_id,
            "at": iso(self.at),
            "about": self.about,
            "text": self.text,
            "open": self.open,
            "answers": [answer.to_dict() for answer in self.answers],
        }


@dataclass(frozen=True, slots=True)
class SessionNode:
    """Something that came to pass with a whole session."""

    kind: ClassVar[str] = "session"

    id: str
    session_id: str
    at: datetime | None
    event: str
    """`opened`, `failed`, `called back`, `taken over`, `continued`, `went on`, `erased`, or a status."""
    text: str
    by: str | None = None

    def to_dict(self) -> dict[str, Json]:
        """As JSON."""
        return {
            "kind": self.kind,
            "id": self.id,
            "session_id": self.session_id,
            "at": iso(self.at),
            "event": self.event,
            "text": self.text,
            "by": self.by,
        }


Node: TypeAlias = ActionNode | InterruptNode | SessionNode


@dataclass(frozen=True, slots=True)
class Edge:
    """Why one node is there, or what it did to another; read it from `source` to `target`."""

    source: str
    target: str
    kind: Literal["caused", "compensates", "waited for", "rerun of"]

    def to_dict(self) -> dict[str, Json]:
        """As JSON."""
        return {"source": self.source, "target": self.target, "kind": self.kind}


def approval_dict(approval: Approval | None) -> Json:
    """An approval as JSON."""
    if approval is None:
        return None
    return {
        "decision": approval.decision,
        "by": approval.by,
        "at": iso(approval.at),
        "reason": approval.reason,
        "expires_at": iso(approval.expires_at),
    } | ({"release_after": approval.release_after} if approval.release_after is not None else {})


def _intent(intent: Intent) -> dict[str, Any]:
    return {
        "text": intent.text,
        "source": intent.source,
        "goal": intent.goal,
        "drift": intent.drift,
        "model": intent.model,
        "run_id": intent.run_id,
    }


def _undo(undo: Undo) -> dict[str, Any]:
    return {
        "outcome": undo.outcome,
        "residue": list(undo.residue),
        "attempts": undo.attempts,
        "error": undo.error,
        "cause": undo.cause,
        "approved_by": undo.approved_by,
    }
