"""Issues that move to another repository."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.operation import Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.github.hub import hub_of
from langchain_agentrein.toolkits.github.issues import Number
from langchain_agentrein.toolkits.github.operation import GitHubOperation

MOVE = """mutation($issue: ID!, $to: ID!) {
  transferIssue(input: {issueId: $issue, repositoryId: $to}) { issue { number url } }
}"""


class TransferIssue(GitHubOperation):
    """Move an issue to another repository of the same owner. It gets another number, and loses what that repository
    does not have: labels, milestone. Nothing undoes it: moved back, it would have a third number.
    """

    name, risk, reversal = "github.issues.transfer", Risk.CRITICAL, Reversal.NONE

    number: Number
    to: str = Field(
        description="The repository that it moves to, as owner/name.", pattern=r"^[\w.-]+/[\w.-]+$"
    )

    def touches(self) -> frozenset[str]:
        """Both repositories."""
        return super().touches() | {f"github:{self.to.lower()}"}

    def snapshot(self, api: Any) -> Json:
        """{"id": str, "to": str, "title": str, "labels": [str], "milestone": str | None}"""
        hub = hub_of(api)
        issue = hub.get(self.at("issues", self.number))
        return {
            "id": issue["node_id"],
            "to": hub.get(f"/repos/{self.to}")["node_id"],
            "title": issue["title"],
            "labels": sorted(label["name"] for label in issue["labels"]),
            "milestone": (issue["milestone"] or {}).get("title"),
        }

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"repo": str, "number": int, "url": str}"""
        told = hub_of(api).query(MOVE, {"issue": action.before["id"], "to": action.before["to"]})
        issue = told["transferIssue"]["issue"]
        return {"repo": self.to, "number": issue["number"], "url": issue["url"]}

    def probe(self, api: Any, action: Action) -> Probed:
        """GitHub answers for a moved issue with the one that it became."""
        hub = hub_of(api)
        hub.wait_for(action)
        there = hub.find(self.at("issues", self.number))
        if there is None:
            return Unknown(f"#{self.number} is gone from {self.repo}: moved, or deleted")
        repo = "/".join(there["repository_url"].split("/")[-2:])
        if repo.lower() == self.repo.lower():
            return NotHappened()
        return Happened({"repo": repo, "number": there["number"], "url": there["html_url"]})
