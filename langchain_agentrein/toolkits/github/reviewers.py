"""Who is asked to review a pull request.

GitHub takes a request off by itself once that person has reviewed: there is nothing to withdraw then. Source:
docs.github.com/en/rest/pulls/review-requests, "Get all requested reviewers for a pull request".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.github.hub import Hub, hub_of
from langchain_agentrein.toolkits.github.issues import NOTIFIED, Names
from langchain_agentrein.toolkits.github.operation import GitHubOperation
from langchain_agentrein.toolkits.github.pulls import SCOPES, PullNumber

TEAM = "team "
"""Stands before a team's slug, where people and teams are told together."""


class RequestReviewers(GitHubOperation):
    """Ask people or teams to review a pull request. The undo withdraws those requests that this made, and no others;
    whoever was asked has been notified.
    """

    name, risk, reversal = "github.pulls.request_reviewers", Risk.LOW, Reversal.COMPENSATING
    partial, repeatable = True, True
    scopes = SCOPES

    number: PullNumber
    reviewers: Names = Field(default_factory=list, description="Logins; not the author's.")
    teams: Names = Field(default_factory=list, description="Slugs of the organization's teams.")

    def snapshot(self, api: Any) -> Json:
        """{"asked": {"login" | "team slug": bool}}: of those whom it asks, who was asked already"""
        if not (self.reviewers or self.teams):
            raise NotDone("nobody was named: give reviewers or teams")
        asked = self._asked(hub_of(api))
        if all(asked.values()):
            raise NotDone(f"they are all asked to review #{self.number} already")
        return {"asked": asked}

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"number": int, "asked": [those that were not asked before]}"""
        path = self.at("pulls", self.number, "requested_reviewers")
        hub_of(api).send("POST", path, {"reviewers": self.reviewers, "team_reviewers": self.teams})
        return self._told(action)

    def _told(self, action: Action) -> Json:
        return {"number": self.number, "asked": self._new(action)}

    def _new(self, action: Action) -> list[str]:
        return [name for name, asked in action.before["asked"].items() if not asked]

    def _asked(self, hub: Hub) -> dict[str, bool]:
        """Of those whom the call names, who is asked now."""
        pull: Mapping[str, Any] = hub.get(self.at("pulls", self.number))
        there = {one["login"].casefold() for one in pull["requested_reviewers"]}
        there |= {f"{TEAM}{one['slug']}".casefold() for one in pull["requested_teams"]}
        names = [*self.reviewers, *(f"{TEAM}{slug}" for slug in self.teams)]
        return {name: name.casefold() in there for name in names}

    def observe(self, api: Any, action: Action) -> Json:
        return self._asked(hub_of(api))

    def as_before(self, action: Action) -> Json:
        return action.before["asked"]

    def expect(self, action: Action) -> Json:
        return dict.fromkeys(action.before["asked"], True)

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        now = self._asked(hub)
        if all(now.values()):
            return Happened(self._told(action), after=now)
        if now == action.before["asked"]:
            return NotHappened()
        return Unknown("some of them are asked, and some are not")

    def undo(self, api: Any, action: Action) -> str:
        hub = hub_of(api)
        now = self._asked(hub)
        back = [
            name
            for name in self._new(action)
            if now[name] and (action.undo_fields is None or name in action.undo_fields)
        ]
        if back:
            body = {
                "reviewers": [name for name in back if not name.startswith(TEAM)],
                "team_reviewers": [name.removeprefix(TEAM) for name in back if name.startswith(TEAM)],
            }
            hub.send("DELETE", self.at("pulls", self.number, "requested_reviewers"), body)
        return f"the history of #{self.number} shows both changes; {NOTIFIED}"
