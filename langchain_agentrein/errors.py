"""Everything this package raises on purpose.

AgentReinError
├── ConfigError            a URL, a rule, an argument or a set-up that cannot work
│   ├── RuleError          an approval rule that names nothing, or asks for what is not there
│   └── UnboundTool        a mutating tool was called without an `AgentRein` behind it
├── JournalError           the journal could not record or read; nothing ran
│   ├── JournalUnavailable   locked, full, read-only, unreachable
│   ├── JournalVersion       written by a newer release
│   ├── PayloadTooLarge      more than the journal agreed to hold
│   └── ChainBroken          the record was changed behind our back
├── TransitionError        the action may not go from its status to that one
│   └── LostRace             somebody else holds it, or it moved on
├── Refused                the call may not run; nothing ran
│   ├── ActionDenied         a rule or a person said no
│   ├── ApprovalRequired     it needs a person's approval first
│   │   └── ApprovalTimeout    and nobody answered in time
│   ├── NotCovered           no operation says what a wrapped SDK's call does, or can say it with that argument
│   ├── SessionFrozen        its session is failing or closed
│   ├── CallConflict         the same call, with other arguments
│   └── OrphanedActions      the thread holds effects its state knows nothing of
├── NotDone                the effect certainly did not happen
│   └── Throttled            and may be tried again after `retry_after` seconds
├── InDoubt                the effect may have happened; a person must look
├── UndoError              an undo could not be done
│   ├── UnknownOperation     no installed code answers to that name and version
│   ├── WrongAccount         these credentials belong to another account
│   ├── SealError            a sealed value cannot be read without its key
│   └── Conflict             somebody changed what would be overwritten
└── SessionFailed          the session failed; `report` says what was undone
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class AgentReinError(Exception):
    """The root: catch this to catch everything this package raises on purpose."""


class ConfigError(AgentReinError, ValueError):
    """A URL, a rule, an argument or a set-up that cannot work."""


class RuleError(ConfigError):
    """An approval rule that names nothing, or asks for what is not there."""


class UnboundTool(ConfigError):
    """A mutating tool was called without an `AgentRein` behind it."""


class JournalError(AgentReinError):
    """The journal could not record or read; nothing ran."""


class JournalUnavailable(JournalError):
    """The journal is locked, full, read-only or out of reach."""


class JournalVersion(JournalError):
    """The journal was written by a newer release of this package.

    Attributes:
        found: The schema version of the journal.
        known: The newest one that this release reads.
    """

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"the journal has schema version {found}, this release knows {known}: "
            "upgrade langchain-agentrein, or use the release that wrote it"
        )
        self.found, self.known = found, known


class PayloadTooLarge(JournalError):
    """A payload is larger than the journal agreed to hold.

    Attributes:
        kind: Which payload: `args`, `before`, ...
        size: Its bytes.
        limit: The bytes allowed.
    """

    def __init__(self, kind: str, size: int, limit: int) -> None:
        super().__init__(
            f"{kind} takes {size:,} bytes, the journal holds at most {limit:,} for one payload; "
            "nothing ran. Act on less at once, or raise AgentRein(max_payload=...)"
        )
        self.kind, self.size, self.limit = kind, size, limit


class ChainBroken(JournalError):
    """The record was changed behind our back.

    Attributes:
        session_id: The session whose chain does not hold.
        problems: One sentence per broken place.
    """

    def __init__(self, session_id: str, problems: Sequence[str]) -> None:
        super().__init__(f"the record of session {session_id} was altered: " + "; ".join(problems))
        self.session_id, self.problems = session_id, list(problems)


class TransitionError(AgentReinError):
    """An action may not go from its status to that one.

    Attributes:
        action_id: The action.
        status: What it is.
        wanted: What was asked for.
    """

    def __init__(self, action_id: str, status: str, wanted: str, why: str = "") -> None:
        because = f": {why}" if why else ""
        super().__init__(f"action {action_id} is {status} and cannot become {wanted}{because}")
        self.action_id, self.status, self.wanted = action_id, status, wanted


class LostRace(TransitionError):
    """Somebody else holds the action, or it moved on."""


class Refused(AgentReinError):
    """The call may not run; nothing ran.

    Attributes:
        action_id: The journaled action, if it has a record.
    """

    def __init__(self, message: str, *, action_id: str | None = None) -> None:
        super().__init__(message)
        self.action_id = action_id


class ActionDenied(Refused):
    """A rule or a person said no.

    Attributes:
        response: What the person answered in place of the tool, if they did.
    """

    def __init__(self, message: str, *, action_id: str | None = None, response: str | None = None) -> None:
        super().__init__(message, action_id=action_id)
        self.response = response


class ApprovalRequired(Refused):
    """The call needs a person's approval first."""


class ApprovalTimeout(ApprovalRequired):
    """Nobody answered in time: the question has expired, and a later answer counts for nothing."""


class NotCovered(Refused):
    """A call of a wrapped SDK that would change something, and that no operation can express.

    Attributes:
        method: The SDK's method, as `Class.method`.
        nearest: The operation that comes closest, if any does.
        argument: The argument that the operation has no word for; `None`: there is no operation.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str,
        nearest: str | None = None,
        argument: str | None = None,
        action_id: str | None = None,
    ) -> None:
        super().__init__(message, action_id=action_id)
        self.method, self.nearest, self.argument = method, nearest, argument


class SessionFrozen(Refused):
    """The session is failing or closed, and takes no new actions."""


class CallConflict(Refused):
    """The same call came again with other arguments."""


class OrphanedActions(Refused):
    """The thread holds effects that its state knows nothing of.

    Attributes:
        action_ids: Those actions.
    """

    def __init__(self, thread_id: str, action_ids: Sequence[str]) -> None:
        super().__init__(
            f"thread {thread_id} has {len(action_ids)} effect(s) that its checkpoint does not know "
            f"({', '.join(action_ids)}): a crash lost the messages that made them. Look at them with "
            "`agentrein timeline`, then roll them back with `agentrein rollback`, "
            "or set on_orphans='rollback'"
        )
        self.action_ids = list(action_ids)


class NotDone(AgentReinError):
    """The effect certainly did not happen. Raise it from a tool to say so."""


class Throttled(NotDone):
    """The service asked to wait.

    Attributes:
        retry_after: Seconds to wait.
    """

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InDoubt(AgentReinError):
    """The effect may have happened; a person must look before it is tried again.

    Attributes:
        action_id: The journaled action.
    """

    def __init__(self, message: str, *, action_id: str | None = None) -> None:
        super().__init__(message)
        self.action_id = action_id


class UndoError(AgentReinError):
    """An undo could not be done."""


class UnknownOperation(UndoError):
    """No installed code answers to that name and version.

    Attributes:
        operation: Its name.
        version: Its version.
    """

    def __init__(self, operation: str, version: int, why: str = "") -> None:
        super().__init__(
            f"no installed operation answers to {operation!r} version {version}"
            + (f" ({why})" if why else "")
            + ": install the package that defines it, or name your application with "
            "`agentrein --app module:rein`"
        )
        self.operation, self.version = operation, version


class WrongAccount(UndoError):
    """These credentials belong to another account than the one that acted.

    Attributes:
        recorded: The account in the journal.
        present: The account of these credentials.
    """

    def __init__(self, action_id: str, recorded: str | None, present: str | None) -> None:
        super().__init__(
            f"action {action_id} was done as {recorded!r}, these credentials are {present!r}: "
            "undo it with the credentials that did it"
        )
        self.recorded, self.present = recorded, present


class SealError(UndoError):
    """A sealed value cannot be read, or written, without its key."""


class Conflict(UndoError):
    """Somebody changed what the undo would overwrite. Raise it from an `undo` to say so.

    Attributes:
        details: What stands in the way, one sentence each.
    """

    def __init__(self, message: str, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.details = list(details)


class SessionFailed(AgentReinError):
    """A session failed.

    Attributes:
        session_id: The session.
        report: What was undone, or `None` if nothing was walked.
        error: The original error as `{"type": str, "message": str}`.
    """

    def __init__(
        self, message: str, *, session_id: str, report: Any = None, error: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.session_id, self.report, self.error = session_id, report, error
