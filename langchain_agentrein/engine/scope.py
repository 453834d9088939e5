"""What a rollback is about, and what a walk has met so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from langchain_agentrein.action import Json, SessionRecord, SessionStatus


@dataclass(frozen=True, slots=True)
class Scope:
    """What a rollback is about.

    Attributes:
        to: An action's id: undo what came after it, and keep it and what came before.
        only: Just these actions.
    """

    session_ids: tuple[str, ...]
    to: str | None = None
    only: frozenset[str] | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing of the sessions is left out."""
        return self.to is None and self.only is None

    def stored(self, was: SessionStatus, *, asking: bool) -> dict[str, Json]:
        """The scope as a session keeps it, so that any process can finish the walk."""
        only = sorted(self.only) if self.only is not None else None
        sessions = list(self.session_ids)
        return {"sessions": sessions, "to": self.to, "only": only, "was": str(was), "asking": asking}

    @classmethod
    def of(cls, session: SessionRecord) -> Scope:
        """The scope of a rollback that a session is in."""
        kept = session.scope or {}
        only = kept.get("only")
        sessions = tuple(kept.get("sessions") or [session.id])
        return cls(sessions, kept.get("to"), frozenset(only) if only is not None else None)


@dataclass(slots=True)
class Progress:
    """What a walk has met so far; small, so that it can be checkpointed.

    Attributes:
        blocked: What undone-later undos act on: earlier ones that share it must wait.
        stopped: Set once an undo is stuck and `on_stuck="stop"`.
    """

    blocked: set[str] = field(default_factory=set)
    stopped: bool = False
