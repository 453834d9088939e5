"""What the GitHub operations share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Happened, NotHappened, Operation, Probed, Unknown
from langchain_agentrein.toolkits.github.hub import Hub, hub_of


class GitHubOperation(Operation):
    """Something done to one repository. Hooks are given a `Hub`, or the client that one is made of."""

    repo: str = Field(description="The repository, as owner/name.", pattern=r"^[\w.-]+/[\w.-]+$")

    scopes: ClassVar[tuple[str, ...]] = ("issues: write",)
    """What a fine-grained token must be allowed, to do it and to undo it."""
    classic: ClassVar[tuple[str, ...]] = ("repo",)
    """The scopes of a classic token, to do it and to undo it."""

    def account(self, api: Any) -> str:
        return hub_of(api).account()

    def touches(self) -> frozenset[str]:
        """The repository as a whole: what was created has no number yet when this is asked."""
        return frozenset({f"github:{self.repo.lower()}"})

    def at(self, *parts: str | int) -> str:
        """A path below the repository."""
        return "/".join((f"/repos/{self.repo}", *map(str, parts)))

    def result(self, receipt: Json) -> str:
        return json.dumps(receipt, ensure_ascii=False, separators=(",", ":"))


class Reading(GitHubOperation):
    """Something read; it is neither journaled nor asked about."""

    read_only, reversal = True, Reversal.EXACT
    scopes = ("issues: read",)


class Patch(GitHubOperation):
    """Sets fields of something that is there. The undo sets those back that it set, and no others.

    before: {"was": {field: value}, "raw"?: {field: value}, ...}, of the fields that the call may change: as people see
    them and, where that differs, as they are put back; after: {field: value}.
    """

    partial, repeatable = True, True

    settable: ClassVar[tuple[str, ...]] = ()
    """The fields that can be set, as arguments are named."""

    def read(self, hub: Hub) -> dict[str, Json]:
        """Every settable field as it is, and what `told` reads.

        Raises:
            Gone: It is not there.
        """
        raise NotImplementedError

    def write(self, hub: Hub, values: Mapping[str, Json]) -> Any:
        """Set some of the fields; returns what `told` reads."""
        raise NotImplementedError

    def told(self, there: Any) -> Json:
        """The receipt."""
        raise NotImplementedError

    def stays(self, hub: Hub, action: Action, back: Mapping[str, Json]) -> Sequence[str]:
        """The residue, once the fields in `back` are set back."""
        return ()

    def beside(self, hub: Hub, action: Action) -> dict[str, Json]:
        """What else the call made, and its undo takes back, as fields to observe."""
        return {}

    def beside_before(self, action: Action) -> dict[str, Json]:
        """The same as it was before."""
        return {}

    def given(self) -> dict[str, Json]:
        """The fields that this call sets."""
        return {name: getattr(self, name) for name in self.settable if name in self.model_fields_set}

    def watched(self) -> Sequence[str]:
        """The fields that setting those may change."""
        return tuple(self.given())

    def snapshot(self, api: Any) -> Json:
        if not self.given():
            raise NotDone(f"nothing to change was given; it can set {', '.join(self.settable)}")
        present = self.read(hub_of(api))
        return {"was": {name: present[name] for name in self.watched()}}

    def do(self, api: Any, action: Action) -> Json:
        return self.told(self.write(hub_of(api), self.given()))

    def observe(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        present = self.read(hub)
        return {**{name: present[name] for name in action.before["was"]}, **self.beside(hub, action)}

    def as_before(self, action: Action) -> Json:
        return {**action.before["was"], **self.beside_before(action)}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        present = self.read(hub)
        now = {name: present[name] for name in action.before["was"]}
        if all(present[name] == value for name, value in self.given().items()):
            return Happened(self.told(present), after={**now, **self.beside(hub, action)})
        if now == action.before["was"]:
            return NotHappened()
        return Unknown("it is neither as it was before nor as the call would leave it")

    def undo(self, api: Any, action: Action) -> Sequence[str]:
        hub, was = hub_of(api), {**action.before["was"], **action.before.get("raw", {})}
        back = {
            name: value
            for name, value in was.items()
            if action.undo_fields is None or name in action.undo_fields
        }
        if back:
            self.write(hub, back)
        return self.stays(hub, action, back)
