"""The action: one journaled call of one operation, and the statuses it goes through."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""JSON, in which a payload may also hold `bytes`: the journal keeps those beside it, by hash."""


class Status(enum.StrEnum):
    """Where an action stands."""

    PROPOSED = enum.auto()
    """Journaled, waiting for a verdict. Nothing has happened."""
    APPROVED = enum.auto()
    """It may run, once, with these arguments. Nothing has happened."""
    DENIED = enum.auto()
    """A rule said no. Nothing happened."""
    REJECTED = enum.auto()
    """A person said no. Nothing happened."""
    EXPIRED = enum.auto()
    """Nobody decided in time, or the session ended first. Nothing happened."""
    HELD = enum.auto()
    """It waits for the session to complete, or for a person. Nothing has happened."""
    DROPPED = enum.auto()
    """It was held and let go. Nothing happened."""
    EXECUTING = enum.auto()
    """The record is durable and the effect may be under way."""
    EXECUTED = enum.auto()
    """The effect happened, and its receipt is recorded."""
    FAILED = enum.auto()
    """The effect certainly did not happen."""
    IN_DOUBT = enum.auto()
    """The effect may have happened; a probe or a person must settle it."""
    COMPENSATING = enum.auto()
    """The intent to undo is durable and the undo may be under way."""
    RESTORED = enum.auto()
    """Undone, read back, equal to what was before; nobody could have noticed."""
    COMPENSATED = enum.auto()
    """Undone in meaning; the residue is named."""
    IRREVERSIBLE = enum.auto()
    """Nothing can undo it."""
    CONFLICT = enum.auto()
    """Somebody changed what the undo would overwrite; a person decides."""
    STUCK = enum.auto()
    """The undo failed, or waits for an approval; a person's."""


_S = Status
TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    _S.PROPOSED: frozenset({_S.APPROVED, _S.DENIED, _S.REJECTED, _S.EXPIRED, _S.HELD}),
    _S.APPROVED: frozenset({_S.EXECUTING, _S.EXPIRED, _S.REJECTED}),
    _S.HELD: frozenset({_S.APPROVED, _S.DROPPED}),
    _S.EXECUTING: frozenset({_S.EXECUTED, _S.FAILED, _S.IN_DOUBT}),
    _S.IN_DOUBT: frozenset({_S.EXECUTED, _S.FAILED}),
    _S.EXECUTED: frozenset({_S.COMPENSATING}),
    _S.COMPENSATING: frozenset({_S.RESTORED, _S.COMPENSATED, _S.IRREVERSIBLE, _S.CONFLICT, _S.STUCK}),
    _S.CONFLICT: frozenset({_S.COMPENSATING}),
    _S.STUCK: frozenset({_S.COMPENSATING}),
    _S.DENIED: frozenset(),
    _S.REJECTED: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.DROPPED: frozenset(),
    _S.FAILED: frozenset(),
    _S.RESTORED: frozenset(),
    _S.COMPENSATED: frozenset(),
    _S.IRREVERSIBLE: frozenset(),
}
"""Every legal step. The journal refuses any other."""

REFUSED = frozenset({_S.DENIED, _S.REJECTED, _S.EXPIRED, _S.DROPPED})
"""Ended without an effect, by a verdict."""
UNDONE = frozenset({_S.RESTORED, _S.COMPENSATED, _S.IRREVERSIBLE})
"""Ended after an undo, or because there is none."""
TO_UNDO = frozenset({_S.EXECUTED, _S.IN_DOUBT, _S.COMPENSATING, _S.CONFLICT, _S.STUCK})
"""Its effect happened, or may have, and is not undone."""
WAITING = frozenset({_S.PROPOSED, _S.APPROVED, _S.HELD})
"""Nothing has happened yet, and something still may."""


class SessionStatus(enum.StrEnum):
    """Where a session stands."""

    OPEN = enum.auto()
    """It runs, waits at an interrupt, or died; it can go on."""
    SUPERSEDED = enum.auto()
    """A newer message came while it was open; it can still be rolled back."""
    ROLLING_BACK = enum.auto()
    """It failed or was called back: no new actions, an undo is due or under way."""
    COMPLETED = enum.auto()
    """It ended well. A person may still roll it back."""
    ROLLED_BACK = enum.auto()
    """Everything that can be undone is undone."""
    STUCK = enum.auto()
    """A rollback left something that a person must settle."""
    KEPT = enum.auto()
    """It failed, and its effects were kept on purpose."""


class Risk(enum.IntEnum):
    """How much harm an action can do; ordered, so that rules can compare."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    def __str__(self) -> str:
        return self.name.lower()


class Reversal(enum.StrEnum):
    """What an undo can promise."""

    EXACT = enum.auto()
    """It reads back equal, and nobody could have noticed."""
    COMPENSATING = enum.auto()
    """Undone in meaning; something stays, and is named."""
    NONE = enum.auto()
    """Nothing undoes it."""


class UndoEffect(enum.StrEnum):
    """What an undo itself does to the world, beyond putting things back."""

    REACHES_PEOPLE = "reaches people"
    MOVES_MONEY = "moves money"
    PUBLISHES = "publishes"
    TRIGGERS_AUTOMATION = "triggers automation"
    COSTS_FEE = "costs a fee"


@dataclass(frozen=True, slots=True)
class Intent:
    """Why the agent did it."""

    text: str = ""
    """The reasoning, or else the text, of the AI message that made the call."""
    source: str = ""
    """`reasoning`, `text`, `rationale`, `developer`, or empty."""
    goal: str = ""
    """What the session is for."""
    drift: float | None = None
    """How far the action strays from the goal, 0 to 1; `None` where nothing measures it."""
    model: str = ""
    """The model that made the call."""
    run_id: str | None = None
    """The tracing run of the call, so that a timeline can link to it."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A decision about one action, bound to its arguments."""

    decision: str
    """`allow`, `ask`, `deny`, `hold`, then what was said: `approve`, `edit`, `reject`, `respond`; `release`, `drop`."""
    by: str | None = None
    at: datetime | None = None
    reason: str | None = None
    """Which rule asked, or what the person wrote."""
    digest: str | None = None
    """The digest of the operation's name and the arguments that were approved."""
    expires_at: datetime | None = None
    release_after: float | None = None
    """Of what is held: seconds after its session completed; `None`: only a person releases it."""


@dataclass(frozen=True, slots=True)
class Undo:
    """How the undo went."""

    outcome: str | None = None
    """The final `Status` value, or `None` while it is under way."""
    residue: tuple[str, ...] = ()
    """What the undo could not take back, one sentence each."""
    attempts: int = 0
    error: str | None = None
    cause: str | None = None
    """Why it was undone, as one plain sentence."""
    approved_by: str | None = None
    """Who approved an undo that reaches further than putting things back."""


@dataclass(frozen=True, slots=True)
class Action:
    """One journaled call of one operation: the record that flows through everything."""

    id: str
    session_id: str
    operation: str
    operation_version: int
    status: Status
    args: Json
    """As executed; before that, as they would be."""
    source: str | None = None
    """The module that defines the operation, so that a fresh process finds it again."""
    risk: Risk = Risk.MEDIUM
    reversal: Reversal = Reversal.NONE
    thread_id: str | None = None
    tool_call_id: str | None = None
    message_id: str | None = None
    call_key: str = ""
    """Who called: a digest over root thread, namespace, message and tool call."""
    generation: int = 1
    """Counts the reruns of one call, after a failure or an undo."""
    seq: int | None = None
    """The order of the effects in the session, stamped when it starts executing."""
    connector: str = ""
    account: str | None = None
    tenant: str | None = None
    metadata: Json = None
    proposed_args: Json = None
    approved_args: Json = None
    intent: Intent = field(default_factory=Intent)
    before: Json = None
    """What `snapshot` returned."""
    receipt: Json = None
    """What `do` returned, as JSON."""
    result: Json = None
    """What the model was shown."""
    after: Json = None
    """What `observe` returned right after."""
    seen: bool = False
    """Whether it was looked at right after; else `after` says nothing, not even that nothing was there."""
    error: Json = None
    """`{"type": str, "message": str}` of the failure."""
    approval: Approval | None = None
    undo: Undo = field(default_factory=Undo)
    undo_until: datetime | None = None
    parent_id: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    undone_at: datetime | None = None
    held_by: str | None = None
    held_until: datetime | None = None
    fence: int = 0
    """Counts the claims; a worker that lost its lease is refused by it."""
    paused: bool = False
    """The tool interrupted its own run to ask something; it runs again from the top when resumed."""
    salt: str = ""
    digest: str = ""
    """Salted digest of the operation's name and `args`: what an approval is bound to."""
    undo_fields: tuple[str, ...] | None = None
    """During an undo after a conflict: the observed fields that may be restored; `None`: all."""
    undo_forced: bool = False
    """During an undo: a person said that what others changed since may be overwritten."""

    @property
    def key(self) -> str:
        """The idempotency key for the vendor: this call, in this generation."""
        return f"{self.id}-g{self.generation}"

    @property
    def on_hold(self) -> bool:
        """Whether it was held and did not run yet; its release may have been recorded, and not begun."""
        released = self.approval is not None and self.approval.decision == "release"
        return self.status is Status.HELD or (self.status is Status.APPROVED and released)

    def with_(self, **changes: Any) -> Action:
        """A copy with `changes`."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One session as the journal has it."""

    id: str
    goal: str = ""
    status: SessionStatus = SessionStatus.OPEN
    thread_id: str | None = None
    tenant: str | None = None
    agent_id: str | None = None
    parent_id: str | None = None
    """The closed session into which a call was replayed."""
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    failure: Json = None
    """Why it failed: `{"type": str, "message": str, "action_id": str | None}`."""
    reason: str | None = None
    """Why it was rolled back, in the words of whoever asked."""
    by: str | None = None
    """Who asked for the rollback."""
    scope: Json = None
    """While it is rolled back: `{"to", "only", "was", "asking"}`, so that any process can finish it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One link of a session's chain: something that came to pass, in order."""

    session_id: str
    n: int
    """Its place in the chain, from 1."""
    at: datetime
    event: str
    """`action` for a transition; `session` for the session's own; `note`, `erased`."""
    action_id: str | None = None
    from_status: str | None = None
    to_status: str | None = None
    worker: str | None = None
    detail: Json = None
    """Facts that are not payload: `by`, `outcome`, `attempt`, `cause`."""
