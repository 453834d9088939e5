"""What every flow of the engine works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from langchain_agentrein.action import Action, Intent, Json, SessionRecord
from langchain_agentrein.engine.lease import Keeper
from langchain_agentrein.errors import SealError
from langchain_agentrein.journal.codec import contains_mask, contains_masked
from langchain_agentrein.journal.redaction import REDACTED
from langchain_agentrein.operation import Assessment, Operation
from langchain_agentrein.registry import REGISTRY

if TYPE_CHECKING:
    from langchain_agentrein.journal import Journal

OnConflict: TypeAlias = Literal["ask", "skip", "force"]
OnStuck: TypeAlias = Literal["stop", "continue"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy says of a call.

    Attributes:
        reason: Which rule, or which default.
        release_after: With `hold`: seconds after the session completed; `None`: only a person releases it.
    """

    decision: Literal["allow", "ask", "deny", "hold"]
    reason: str = ""
    release_after: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person says of a call.

    Attributes:
        args: With `edit`: the arguments to run with instead.
        message: With `reject` and `respond`: what the model is told.
    """

    kind: Literal["approve", "edit", "reject", "respond"]
    by: str | None = None
    args: Json = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls, from where, and why.

    Attributes:
        key: Identifies the call over resume, retry and replay; empty: each call is new.
        pauses: Exceptions by which a tool interrupts its own run; they are not failures.
        ask: Asks a person here and now; `None`: it cannot be asked here.
        insist: Why a person must decide even where the policy would let it pass; empty: it is the policy's.
    """

    session: SessionRecord
    key: str = ""
    thread_id: str | None = None
    tool_call_id: str | None = None
    message_id: str | None = None
    intent: Intent = field(default_factory=Intent)
    metadata: Json = None
    pauses: tuple[type[BaseException], ...] = ()
    ask: Callable[[Action, Assessment], Decision] | None = None
    insist: str = ""


class Reported(Exception):
    """An error, the `__cause__`, that a tool has turned into an answer for the model.

    Attributes:
        shown: The answer.
        record: The answer as JSON, so that the same call can be given it again.
    """

    def __init__(self, shown: Any, record: Json = None) -> None:
        super().__init__("the tool answered an error")
        self.shown, self.record = shown, record


@dataclass(frozen=True, slots=True)
class Performed:
    """What came of a call.

    Attributes:
        replayed: Nothing ran, or what ran lost its reply: the recorded result is the answer.
        shown: What the tool itself answered.
    """

    action: Action
    replayed: bool = False
    shown: Any = None


def sealed(action: Action) -> SealError:
    """Says that a record cannot be used without the key that sealed it."""
    return SealError(
        f"action {action.id} holds a sealed secret and its key is not here: set AGENTREIN_SEAL_KEY"
    )


@dataclass(frozen=True, slots=True)
class Core:
    """The engine's surroundings.

    Attributes:
        decide: The policy, asked with the draft of an action.
        client: Finds the client of a connector and account; raises `ConfigError` where there is none.
        lease: Seconds for which a worker holds an action before others may take it for dead.
        attempts: How often an undo is tried before it is stuck.
        backoff: Seconds before the second try; doubled for each further one.
        drain_timeout: Seconds that a rollback waits for actions under way.
    """

    journal: Journal
    decide: Callable[[Action, Assessment], Verdict]
    client: Callable[[str, str | None], Any]
    keeper: Keeper
    on_conflict: OnConflict = "ask"
    on_stuck: OnStuck = "stop"
    lease: float = 60.0
    attempts: int = 3
    backoff: float = 0.5
    drain_timeout: float = 60.0
    approval_ttl: float | None = None

    def api(self, op: Operation, account: str | None) -> Any:
        """The client with which to undo or probe `op`.

        Raises:
            ConfigError: Nobody provides one.
        """
        return self.client(op.connector, account) if op.needs_client else None

    def rebuild(self, action: Action) -> Operation:
        """The operation of a journaled action.

        Raises:
            UnknownOperation: Nothing installed answers to it.
            SealError: A secret in its arguments is not here.
            ValidationError: Its arguments do not fit the installed operation.
        """
        if contains_mask(action.args):
            raise sealed(action)
        cls = REGISTRY.get(action.operation, action.operation_version, action.source)
        return cls.from_args(action.args)


def unkept(action: Action) -> str | None:
    """What is to be said of an irreversible action that holds a secret which could not be kept."""
    if not contains_masked([action.args, action.before]):
        return None
    return "nothing undoes it: it held a secret, and no seal key (AGENTREIN_SEAL_KEY) was set when it ran"


def remembered(core: Core, result: Json) -> Json:
    """What a model was shown, as it is kept for the same call again: no undo needs it, so it may be redacted."""
    if core.journal.vault.has_key:
        return result
    try:
        return core.journal.redactor.mask(result)
    except TypeError:  # nested too deep: the receipt of an effect must not be lost over it
        return REDACTED
