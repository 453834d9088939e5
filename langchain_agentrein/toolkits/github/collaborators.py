"""Who may do what in a repository: collaborators, and those who are invited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk, UndoEffect
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.github.hub import Hub, hub_of
from langchain_agentrein.toolkits.github.operation import GitHubOperation

Login = Annotated[str, Field(min_length=1, pattern=r"^[\w-]+$", description="The person's login.")]
ROLES = {"read": "pull", "write": "push"}
"""GitHub grants `pull` and `push`, and calls them otherwise when it tells them."""


class _Access(GitHubOperation):
    """Gives access, or takes it.

    before: {"access": str | None, "member": bool, "assigned": [issue number]}; after: {"access": str | None}: what the
    person was given or offered. An invitation that is accepted meanwhile is the same access.
    """

    risk, reversal, repeatable = Risk.HIGH, Reversal.COMPENSATING, True
    undo_effects = frozenset({UndoEffect.REACHES_PEOPLE})
    scopes = ("administration: write",)

    user: Login

    def wanted(self) -> str | None:
        """The access that the call leaves."""
        raise NotImplementedError

    def look(self, hub: Hub) -> dict[str, Any]:
        """{"access": str | None, "member": bool, "invitation": int | None}"""
        for one in hub.pages(self.at("collaborators"), affiliation="direct"):
            if one["login"].casefold() == self.user.casefold():
                role = one["role_name"]
                return {"access": ROLES.get(role, role), "member": True, "invitation": None}
        for one in hub.pages(self.at("invitations")):
            if (one["invitee"] or {}).get("login", "").casefold() == self.user.casefold():
                role = one["permissions"]
                return {"access": ROLES.get(role, role), "member": False, "invitation": one["id"]}
        return {"access": None, "member": False, "invitation": None}

    def give(self, hub: Hub, access: str) -> int | None:
        """Grant it, or invite; the invitation's id, if it takes one."""
        path = self.at("collaborators", quote(self.user))
        invited = hub.send("PUT", path, {"permission": access})
        return int(invited["id"]) if invited else None

    def take(self, hub: Hub, there: Mapping[str, Any]) -> None:
        """Withdraw the invitation, or the access."""
        if there["member"]:
            hub.send("DELETE", self.at("collaborators", quote(self.user)))
        elif there["invitation"] is not None:
            hub.send("DELETE", self.at("invitations", there["invitation"]))

    def snapshot(self, api: Any) -> Json:
        there = self.look(hub_of(api))
        return {"access": there["access"], "member": there["member"]}

    def _told(self, invitation: int | None = None) -> Json:
        """receipt: {"user": str, "access": str | None, "invitation": int | None}"""
        return {"user": self.user, "access": self.wanted(), "invitation": invitation}

    def observe(self, api: Any, action: Action) -> Json:
        return {"access": self.look(hub_of(api))["access"]}

    def as_before(self, action: Action) -> Json:
        return {"access": action.before["access"]}

    def expect(self, action: Action) -> Json:
        return {"access": self.wanted()}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        there = self.look(hub)
        if there["access"] == self.wanted():
            return Happened(self._told(there["invitation"]), after={"access": there["access"]})
        if there["access"] == action.before["access"]:
            return NotHappened()
        return Unknown(f"{self.user} has another access than before, and than this call would have given")


class AddCollaborator(_Access):
    """Give a person access to a repository, or another access than before. Who is new is invited, by mail.

    The undo withdraws the invitation, or the access, or gives back what the person had.
    """

    name = "github.collaborators.add"

    permission: Literal["pull", "triage", "push", "maintain", "admin"] = Field(
        default="push", description="What the person may do; in a user's own repository always push."
    )

    def wanted(self) -> str:
        return self.permission

    def snapshot(self, api: Any) -> Json:
        hub = hub_of(api)
        if self.permission != "push" and hub.get(self.at())["owner"]["type"] == "User":
            raise NotDone(f"{self.repo} belongs to a user: its collaborators may push, no more and no less")
        there = self.look(hub)
        if there["access"] == self.permission:
            raise NotDone(f"{self.user} has {self.permission} there already, or is invited to it")
        if there["invitation"] is not None:
            raise NotDone(f"{self.user} is invited to {there['access']} already; withdraw that first")
        return {"access": there["access"], "member": there["member"]}

    def do(self, api: Any, action: Action) -> Json:
        return self._told(self.give(hub_of(api), self.permission))

    def undo(self, api: Any, action: Action) -> Sequence[str]:
        hub = hub_of(api)
        if action.before["access"] is not None:
            self.give(hub, action.before["access"])
            return [f"{self.user} had {self.permission} for a while, and may have been told"]
        there = self.look(hub)
        self.take(hub, there)
        if there["member"]:
            return [f"{self.user} had accepted, and could {self.permission} for a while", *_lost(self.user)]
        return [f"{self.user} was told of the invitation"]


class RemoveCollaborator(_Access):
    """Take a person's access to a repository, or the invitation to it.

    The undo invites the person again; until that is accepted there is no access, and what GitHub removed along with it
    (assignments, stars, forks of a private repository) does not come back.
    """

    name = "github.collaborators.remove"

    def wanted(self) -> None:
        return None

    def snapshot(self, api: Any) -> Json:
        before: dict[str, Any] = super().snapshot(api)
        if before["access"] is None:
            raise NotDone(f"{self.user} has no access of their own to {self.repo}, and no invitation")
        return before

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        self.take(hub, self.look(hub))
        return self._told()

    def undo(self, api: Any, action: Action) -> Sequence[str]:
        invited = self.give(hub_of(api), action.before["access"])
        lost = _lost(self.user) if action.before["member"] else ()
        if invited is None:
            return [f"{self.user} had no access for a while", *lost]
        return [f"{self.user} is invited again, and has no access until that is accepted", *lost]


def _lost(user: str) -> Sequence[str]:
    """Source: docs.github.com/en/rest/collaborators/collaborators, "Remove a repository collaborator"."""
    return (f"what {user} was assigned, starred or had forked there, if anything, GitHub removed as well",)
