"""What a rollback would do, and what it did: every line says what happened and what stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from langchain_agentrein.action import REFUSED, UNDONE, Action, Reversal, Risk, Status, UndoEffect


@dataclass(frozen=True, slots=True)
class PlanLine:
    """What the rollback would do about one action."""

    action: Action
    verdict: str
    """`undo`, `ask`, `conflict`, `already undone`, `irreversible`, `settle`, `cannot`, `waits`, `drop`."""
    reversal: Reversal
    undo_risk: Risk = Risk.LOW
    undo_effects: frozenset[UndoEffect] = field(default_factory=frozenset)
    details: tuple[str, ...] = ()
    """What stands in the way, or will stay, one sentence each."""


@dataclass(frozen=True, slots=True)
class RollbackPlan:
    """What a rollback would do, newest effect first; nothing was touched to find out."""

    session_ids: tuple[str, ...]
    lines: tuple[PlanLine, ...] = ()

    def __iter__(self) -> Iterator[PlanLine]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def asks(self) -> tuple[PlanLine, ...]:
        """The lines whose undo needs a person's approval."""
        return tuple(line for line in self.lines if line.verdict == "ask")

    @property
    def counts(self) -> dict[str, int]:
        """How many lines there are of each verdict."""
        return dict(Counter(line.verdict for line in self.lines))

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON."""
        return {
            "session_ids": list(self.session_ids),
            "counts": self.counts,
            "lines": [
                {
                    "action_id": line.action.id,
                    "seq": line.action.seq,
                    "operation": line.action.operation,
                    "verdict": line.verdict,
                    "reversal": str(line.reversal),
                    "undo_risk": str(line.undo_risk),
                    "undo_effects": sorted(str(effect) for effect in line.undo_effects),
                    "details": list(line.details),
                }
                for line in self.lines
            ],
        }

    def __str__(self) -> str:
        if not self.lines:
            return "nothing to undo"
        rows = [
            f"  {line.action.seq or '-':>4}  {line.verdict:<14}  {line.action.operation}"
            + "".join(f"\n{'':24}{detail}" for detail in line.details)
            for line in self.lines
        ]
        return "\n".join([f"{len(self.lines)} action(s), newest first:", *rows])


_SETTLED = REFUSED | UNDONE | {Status.FAILED}


@dataclass(frozen=True, slots=True)
class ReportLine:
    """What became of one action."""

    action_id: str
    operation: str
    outcome: str
    """The action's status after the walk: `restored`, `compensated`, `conflict`, `stuck`, `dropped`, ..."""
    seq: int | None = None
    residue: tuple[str, ...] = ()
    error: str | None = None
    cause: str | None = None
    released: bool = False
    """It had been held, and its time had come: `executed`, `failed`, `in_doubt`, or `held` still."""

    @property
    def settled(self) -> bool:
        """Whether nothing of it is left for a person."""
        return self.outcome in _SETTLED or (self.released and self.outcome == Status.EXECUTED)

    @classmethod
    def of_released(cls, action: Action) -> ReportLine:
        """The line for what was held and due."""
        why = None if action.status is Status.EXECUTED else (action.error or {}).get("message")
        return cls(action.id, action.operation, str(action.status), action.seq, error=why, released=True)

    @classmethod
    def of(cls, action: Action) -> ReportLine:
        """The line for an action as it stands now."""
        return cls(
            action.id,
            action.operation,
            str(action.status),
            action.seq,
            action.undo.residue,
            action.undo.error,
            action.undo.cause,
        )


@dataclass(frozen=True, slots=True)
class RollbackReport:
    """What a rollback did, in the order in which it did it."""

    session_ids: tuple[str, ...]
    lines: tuple[ReportLine, ...] = ()

    def __iter__(self) -> Iterator[ReportLine]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def counts(self) -> dict[str, int]:
        """How many actions ended each way."""
        return dict(Counter(line.outcome for line in self.lines))

    @property
    def complete(self) -> bool:
        """Whether nothing is left for a person: everything that can be undone is."""
        return not self.unsettled

    @property
    def unsettled(self) -> tuple[ReportLine, ...]:
        """What a person must still settle."""
        return tuple(line for line in self.lines if not line.settled)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "session_ids": list(self.session_ids),
            "complete": self.complete,
            "counts": self.counts,
            "lines": [asdict(line) for line in self.lines],
        }

    def __str__(self) -> str:
        if not self.lines:
            return "nothing had to be undone"
        rows = []
        for line in self.lines:
            rows.append(f"  {line.seq or '-':>4}  {line.outcome:<13}  {line.operation}")
            rows += [f"{'':23}stays: {residue}" for residue in line.residue]
            if line.error:
                rows.append(f"{'':23}{line.error}")
        summary = ", ".join(f"{count} {outcome}" for outcome, count in self.counts.items())
        return "\n".join([summary, *rows])
