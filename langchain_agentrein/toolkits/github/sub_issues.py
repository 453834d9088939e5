"""Issues below issues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.github.hub import Hub, hub_of
from langchain_agentrein.toolkits.github.issues import Number
from langchain_agentrein.toolkits.github.operation import GitHubOperation


class _Nesting(GitHubOperation):
    """Puts an issue below another, or takes it out; the undo does the other.

    before: {"parent": str | None, "id": int, "order": [id]}: the sub-issue's parent as owner/name#number, what GitHub
    knows it by, and the parent's sub-issues in their order; after: {"parent": str | None}
    """

    risk, reversal, repeatable = Risk.MEDIUM, Reversal.COMPENSATING, True

    number: Number
    child: int = Field(ge=1, description="The number of the issue below it, in the same repository.")

    @property
    def here(self) -> str:
        """The issue above."""
        return f"{self.repo.lower()}#{self.number}"

    def parent(self, hub: Hub) -> str | None:
        """Which issue the child is below, if any."""
        found = hub.find(self.at("issues", self.child, "parent"))
        if found is None:
            hub.get(self.at("issues", self.child))  # without a parent, or not there at all
            return None
        return f"{'/'.join(found['repository_url'].split('/')[-2:]).lower()}#{found['number']}"

    def put(self, hub: Hub, identity: int) -> None:
        """Put it below."""
        hub.send("POST", self.at("issues", self.number, "sub_issues"), {"sub_issue_id": identity})

    def take(self, hub: Hub, identity: int) -> None:
        """Take it out."""
        hub.send("DELETE", self.at("issues", self.number, "sub_issue"), {"sub_issue_id": identity})

    def wanted(self) -> str | None:
        """The parent that the call leaves."""
        raise NotImplementedError

    def order(self, hub: Hub) -> list[int]:
        """The ids of what is below, in its order."""
        return [one["id"] for one in hub.pages(self.at("issues", self.number, "sub_issues"))]

    def snapshot(self, api: Any) -> Json:
        hub = hub_of(api)
        identity = hub.get(self.at("issues", self.child))["id"]
        return {"parent": self.parent(hub), "id": identity, "order": self.order(hub)}

    def _told(self) -> Json:
        """receipt: {"number": int, "child": int, "below": bool}"""
        return {"number": self.number, "child": self.child, "below": self.wanted() is not None}

    def observe(self, api: Any, action: Action) -> Json:
        return {"parent": self.parent(hub_of(api))}

    def as_before(self, action: Action) -> Json:
        return {"parent": action.before["parent"]}

    def expect(self, action: Action) -> Json:
        return {"parent": self.wanted()}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        now = self.parent(hub)
        if now == self.wanted():
            return Happened(self._told(), after=self.expect(action))
        return NotHappened() if now == action.before["parent"] else Unknown(f"it is below {now} by now")

    def _history(self) -> str:
        return f"the histories of #{self.number} and #{self.child} show both changes"


class AddSubIssue(_Nesting):
    """Put an issue below another, as its sub-issue. The undo takes it out again."""

    name = "github.sub_issues.add"

    def wanted(self) -> str:
        return self.here

    def snapshot(self, api: Any) -> Json:
        before: dict[str, Any] = super().snapshot(api)
        if before["parent"] is not None:
            raise NotDone(f"#{self.child} is below {before['parent']} already")
        return before

    def do(self, api: Any, action: Action) -> Json:
        self.put(hub_of(api), action.before["id"])
        return self._told()

    def undo(self, api: Any, action: Action) -> str:
        self.take(hub_of(api), action.before["id"])
        return self._history()


class RemoveSubIssue(_Nesting):
    """Take a sub-issue out from below an issue. The undo puts it back, where it was among the others."""

    name = "github.sub_issues.remove"

    def wanted(self) -> None:
        return None

    def snapshot(self, api: Any) -> Json:
        before: dict[str, Any] = super().snapshot(api)
        if before["parent"] != self.here:
            raise NotDone(f"#{self.child} is not below #{self.number}")
        return before

    def do(self, api: Any, action: Action) -> Json:
        self.take(hub_of(api), action.before["id"])
        return self._told()

    def observe(self, api: Any, action: Action) -> Json:
        """{"parent": str | None, "place": bool}: whether it stands among the others as it did"""
        hub = hub_of(api)
        order, now = action.before["order"], self.order(hub)
        kept = [one for one in now if one in order]
        place = action.before["id"] in now and kept == [one for one in order if one in now]
        return {"parent": self.parent(hub), "place": place}

    def as_before(self, action: Action) -> Json:
        return {"parent": action.before["parent"], "place": True}

    def expect(self, action: Action) -> Json:
        return {"parent": None, "place": False}

    def undo(self, api: Any, action: Action) -> Sequence[str]:
        hub = hub_of(api)
        if self.parent(hub) is None:
            self.put(hub, action.before["id"])
        place = self._place(action.before, self.order(hub))
        if place is not None:
            path = self.at("issues", self.number, "sub_issues", "priority")
            hub.send("PATCH", path, {"sub_issue_id": action.before["id"], **place})
        return [self._history()]

    def _place(self, before: Mapping[str, Any], now: Sequence[int]) -> dict[str, Json] | None:
        """Behind what it stood behind, or before what came next; `None`: it need not be moved."""
        order, identity = before["order"], before["id"]
        at, stand = order.index(identity), [one for one in now if one != identity]
        for one in reversed(order[:at]):
            if one in stand:
                return {"after_id": one}
        return next(({"before_id": one} for one in order[at + 1 :] if one in stand), None)
