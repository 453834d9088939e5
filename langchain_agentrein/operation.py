"""What a connector declares: one operation, how it is done, and how it is undone.

The reverse stands beside the forward. An operation is rebuilt anywhere from its name, its version
and its JSON arguments, so nothing that an undo needs may live in a closure:

    class Retitle(Operation):
        \"\"\"Change an issue's title.\"\"\"

        name, risk, reversal = "tracker.issues.retitle", Risk.MEDIUM, Reversal.EXACT
        number: int
        title: str

        def snapshot(self, api): return {"title": api.get(self.number).title}
        def do(self, api, action): return {"number": api.retitle(self.number, self.title)}
        def observe(self, api, action): return {"title": api.get(self.number).title}
        def undo(self, api, action): api.retitle(self.number, action.before["title"])
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from langchain_agentrein.action import Action, Json, Reversal, Risk, UndoEffect
from langchain_agentrein.errors import ConfigError, NotDone
from langchain_agentrein.origin import importable
from langchain_agentrein.registry import REGISTRY


@dataclass(frozen=True, slots=True)
class Happened:
    """A probe's answer: the effect is there.

    Attributes:
        receipt: What `do` would have returned.
        after: What `observe` would have returned right after, where the probe can tell. Without it, an undo
            that comes later cannot tell the action's own traces from what others changed since, and asks.
    """

    receipt: Json = None
    after: Json = None


@dataclass(frozen=True, slots=True)
class NotHappened:
    """A probe's answer: the effect is not there, and will not come. Only a strongly consistent read may say so."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A probe's answer: this reader cannot tell. It goes to a person, never to a second try.

    Attributes:
        why: What stood in the way.
    """

    why: str = ""


Probed = Happened | NotHappened | Unknown


@dataclass(frozen=True, slots=True)
class Undone:
    """What an `undo` may return to be precise about it.

    Attributes:
        residue: What could not be taken back, one sentence each.
        unfinished: Set, it says what a person must still do, and the action stays `stuck`.
        left: Fields that it could not put back. The residue must say why.
    """

    residue: Sequence[str] = ()
    unfinished: str | None = None
    left: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a call could do, seen before it runs.

    Attributes:
        summary: One sentence for the person who decides: how many rows, whom it reaches.
        undo_effects: What its undo would do to the world.
    """

    risk: Risk
    reversal: Reversal
    summary: str = ""
    undo_risk: Risk = Risk.LOW
    undo_effects: frozenset[UndoEffect] = field(default_factory=frozenset)
    declared: bool = True
    """Without, nothing is known of the tool, and the policy's `unknown` decides."""


class Operation(BaseModel):
    """One kind of action. The annotated fields are the tool's schema; the docstring is what the model reads.

    Every hook may be `def` or `async def`. `api` is the connector's client. A snapshot, a receipt and an
    observation are JSON that may hold `bytes`; they outlive the process, the release and the machine.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    name: ClassVar[str] = ""
    """`connector.resource.verb`, unique; the tool's name is this with underscores."""
    version: ClassVar[int] = 1
    """Raise it when arguments, snapshot or receipt change their shape or a default its value."""
    undoes: ClassVar[frozenset[int]] = frozenset()
    """Older versions whose journal entries this class still undoes."""
    risk: ClassVar[Risk] = Risk.MEDIUM
    reversal: ClassVar[Reversal] = Reversal.NONE
    undo_risk: ClassVar[Risk] = Risk.LOW
    undo_effects: ClassVar[frozenset[UndoEffect]] = frozenset()
    """What the undo itself does to the world; anything here is asked for before a rollback does it."""
    read_only: ClassVar[bool] = False
    """It changes nothing: not journaled, never gated."""
    partial: ClassVar[bool] = False
    """After a conflict `undo` can restore just `action.undo_fields`."""
    repeatable: ClassVar[bool] = False
    """`undo` may run again after a crash in its middle, without doing harm."""
    needs_client: ClassVar[bool] = True
    """It acts through a connector's client; without, `api` is `None`."""
    tied: ClassVar[str] = ""
    """Why its calls cannot be held and done later; empty: they can."""

    @classmethod
    def usual(cls) -> Assessment:
        """What its calls can do, as far as the class tells."""
        return Assessment(cls.risk, cls.reversal, "", cls.undo_risk, cls.undo_effects)

    def assess(self, api: Any) -> Assessment:
        """What this call could do, for the rules and for the person who decides. Touches nothing."""
        return self.usual()

    def undo_assessment(self) -> Assessment:
        """What its undo would do to the world, from the arguments alone."""
        return self.usual()

    def account(self, api: Any) -> str | None:
        """Whose credentials `api` carries, as a stable name without secrets; `None`: there are none."""
        return None

    def snapshot(self, api: Any) -> Json:
        """What is there before, as far as the undo needs it. Durable before `do` begins.

        An operation on a transactional store may open its transaction here and commit it in `do`.
        """
        return None

    def do(self, api: Any, action: Action) -> Any:
        """The effect. `action.key` is the idempotency key or marker.

        Returns:
            The receipt: JSON that names what was made.
        Raises:
            NotDone: It certainly did not happen. Anything else leaves the action in doubt.
        """
        raise NotImplementedError

    def observe(self, api: Any, action: Action) -> Json:
        """The state that this action changed, as it is now, in the shape of `snapshot`.

        A mapping is compared field by field. `None` means that the thing does not exist.
        """
        return None

    def as_before(self, action: Action) -> Json:
        """The observation that means "already undone", from `action.before`; `None`: the thing is not there."""
        return action.before

    def expect(self, action: Action) -> Json:
        """What `observe` would have returned right after, worked out from the record alone.

        Asked when the process died before it could look. `None`: it cannot be worked out, and an
        undo will then leave the decision to a person.
        """
        return None

    def probe(self, api: Any, action: Action) -> Probed:
        """Whether an effect in doubt happened."""
        return Unknown(f"{self.name} has no probe")

    def attached(self, api: Any, action: Action) -> Sequence[str]:
        """What others have since attached to what this action created, one sentence each; any is a conflict."""
        return ()

    def undo(self, api: Any, action: Action) -> Undone | Sequence[str] | str | None:
        """Take the effect back, knowing `action.before`, `.receipt`, `.after`, `.undo_fields`.

        After an error it is tried again: raise only where nothing was undone, pass `action.key` on to
        the vendor, or define `observe`, which is asked first.

        Returns:
            The residue, if anything stays.
        Raises:
            Conflict: Somebody changed what would be overwritten.
        """
        raise NotImplementedError

    def receipt(self, value: Any) -> Json:
        """What is journaled of what `do` returned."""
        return value

    def result(self, receipt: Json) -> Any:
        """What the model is shown of a receipt."""
        return receipt

    def shown(self, value: Any) -> Any:
        """What the caller is given of what `do` returned, when it ran just now."""
        return self.result(self.receipt(value))

    def undo_until(self, action: Action) -> datetime | None:
        """When the vendor's limit for undoing it ends (UTC), if there is one."""
        return None

    def fate(self, error: BaseException) -> type[NotDone] | None:
        """How an error of `do` is read: `NotDone` or `Throttled`, or `None` for "it may have happened"."""
        return type(error) if isinstance(error, NotDone) else None

    def touches(self) -> frozenset[str]:
        """Names of what it acts on; an undo that waits holds back earlier undos that share one."""
        return frozenset({self.connector})

    def locks(self, api: Any) -> Sequence[Path]:
        """Files, resolved, that it keeps locked from `snapshot` to `do`; the journal cannot be one of them."""
        return ()

    def release(self) -> None:
        """Let go of what `snapshot` opened. Always called, last."""

    @property
    def connector(self) -> str:
        """The first part of the name, under which clients are looked up."""
        return self.name.partition(".")[0]

    @property
    def args(self) -> dict[str, Json]:
        """The arguments as JSON, those that were given; `from_args` takes them back."""
        dumped: dict[str, Json] = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return dumped

    @classmethod
    def from_args(cls, args: Mapping[str, Json]) -> Self:
        """Rebuild the operation from its journaled arguments."""
        return cls.model_validate(dict(args))

    def replaced(self, args: Mapping[str, Json]) -> Self:
        """The same call with other arguments, as a person edited them."""
        return self.from_args(args)

    @classmethod
    def source(cls) -> str:
        """The module that defines it, so that a fresh process finds it again."""
        return importable(cls.__module__)

    @classmethod
    def tool_name(cls) -> str:
        """The name under which a model calls it."""
        return cls.name.replace(".", "_")

    @classmethod
    def overrides(cls, hook: str) -> bool:
        """Whether the operation defines `hook` itself."""
        return getattr(cls, hook) is not getattr(Operation, hook)

    @property
    def observes(self) -> bool:
        """Whether `observe` can tell the present state."""
        return self.overrides("observe")

    @property
    def is_async(self) -> bool:
        """Whether any hook must be awaited."""
        return any(
            inspect.iscoroutinefunction(getattr(self, hook))
            for hook in ("assess", "account", "snapshot", "do", "observe", "probe", "attached", "undo")
        )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for taken in cls.model_fields:
            if hasattr(Operation, taken):
                raise ConfigError(
                    f"{cls.__name__} has an argument {taken!r}, which every operation has already, as "
                    f"`Operation.{taken}`: give the argument another name"
                )
        if "name" in cls.__dict__ and cls.name:
            REGISTRY.add(cls)
