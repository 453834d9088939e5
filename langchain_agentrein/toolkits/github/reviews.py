"""Reviews of pull requests.

A submitted review is not deleted: an approval and a request for changes can be dismissed, a plain comment cannot.
Source: docs.github.com/en/rest/pulls/reviews, "Dismiss a review" and "Delete a pending review".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from langchain_agentrein.action import Action, Json, Reversal, Risk, UndoEffect
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Assessment, Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.github.hub import Hub, hub_of, marker, unmarked
from langchain_agentrein.toolkits.github.issues import NOTIFIED
from langchain_agentrein.toolkits.github.merging import Sha
from langchain_agentrein.toolkits.github.operation import GitHubOperation
from langchain_agentrein.toolkits.github.pulls import SCOPES, PullNumber

STATES: Final = {
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
    "COMMENT": "COMMENTED",
    "PENDING": "PENDING",
}
DISMISSED: Final = "DISMISSED"
Side = Annotated[
    Literal["LEFT", "RIGHT"], Field(description="LEFT: the line as it was; RIGHT: as it would be.")
]


class LineComment(BaseModel):
    """A comment on a line of the change."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(min_length=1, description="The file.")
    line: int = Field(ge=1, description="The line; it must be part of the change.")
    side: Side = "RIGHT"
    body: str = Field(min_length=1, description="Markdown.")


def receipt(review: Mapping[str, Any]) -> dict[str, Json]:
    """{"id": int, "url": str, "state": str}"""
    return {"id": review["id"], "url": review["html_url"], "state": review["state"]}


class CreateReview(GitHubOperation):
    """Review a pull request: approve it, request changes, or comment; PENDING submits nothing yet. An approval may let
    it be merged, and has high risk.

    The undo dismisses an approval and a request for changes, and deletes a pending review. Neither is possible for a
    comment: its comments on lines are deleted, and its text stays; one without such comments cannot be undone.
    """

    name, risk, reversal, repeatable = "github.reviews.create", Risk.MEDIUM, Reversal.COMPENSATING, True
    undo_effects = frozenset({UndoEffect.REACHES_PEOPLE})
    scopes = SCOPES

    number: PullNumber
    event: Literal["APPROVE", "REQUEST_CHANGES", "COMMENT", "PENDING"] = Field(description="The verdict.")
    sha: Sha = Field(
        description="The commit that was looked at; refused if the pull request's head is another."
    )
    body: str = Field(default="", description="Markdown; needed, except to approve.")
    comments: list[LineComment] = Field(default_factory=list, description="On lines of the change.")

    def assess(self, api: Any) -> Assessment:
        bare = self.event == "COMMENT" and not self.comments
        return replace(
            self.undo_assessment(),
            risk=Risk.HIGH if self.event == "APPROVE" else self.risk,
            reversal=Reversal.NONE if bare else self.reversal,
        )

    def undo_assessment(self) -> Assessment:
        told = self.event in ("APPROVE", "REQUEST_CHANGES")
        return replace(self.usual(), undo_effects=self.undo_effects if told else frozenset())

    def snapshot(self, api: Any) -> Json:
        """{"by": str}: whose pull request it is; for whoever reads the record"""
        pull = hub_of(api).get(self.at("pulls", self.number))
        if pull["head"]["sha"] != self.sha:
            raise NotDone(f"the head of #{self.number} is {pull['head']['sha']} by now: look at it again")
        return {"by": pull["user"]["login"]}

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        given: dict[str, Json] = {"commit_id": self.sha, "body": hub.marked(self.body, action)}
        if self.event != "PENDING":
            given["event"] = self.event
        if self.comments:
            given["comments"] = [one.model_dump() for one in self.comments]
        return receipt(hub.send("POST", self.at("pulls", self.number, "reviews"), given))

    def _where(self, action: Action, *parts: str) -> str:
        return self.at("pulls", self.number, "reviews", action.receipt["id"], *parts)

    def _lines(self, hub: Hub, action: Action) -> list[dict[str, Any]]:
        return list(hub.pages(self._where(action, "comments")))

    def observe(self, api: Any, action: Action) -> Json:
        """{"state": str, "lines": [[path, body]]}, or `None` once it is gone"""
        hub = hub_of(api)
        there = hub.find(self._where(action))
        if there is None:
            return None
        lines = sorted([one["path"], one["body"]] for one in self._lines(hub, action))
        return {"state": there["state"], "lines": lines}

    def as_before(self, action: Action) -> Json:
        if self.event == "PENDING":
            return None
        return {"state": DISMISSED if self.event != "COMMENT" else STATES[self.event], "lines": []}

    def expect(self, action: Action) -> Json:
        return {
            "state": STATES[self.event],
            "lines": sorted([one.path, one.body] for one in self.comments),
        }

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        if not hub.markers:
            return Unknown("without markers a review of ours cannot be told from another")
        hub.wait_for(action)
        for review in hub.pages(self.at("pulls", self.number, "reviews")):
            if marker(action) in (review["body"] or ""):
                return Happened(receipt(review), after=self.expect(action))
        return NotHappened()

    def attached(self, api: Any, action: Action) -> Sequence[str]:
        """Answers to its comments, and reactions to them."""
        hub = hub_of(api)
        if hub.find(self._where(action)) is None:
            return ()
        mine = {one["id"]: one for one in self._lines(hub, action)}
        if not mine:
            return ()
        every = hub.pages(self.at("pulls", self.number, "comments"))
        answers = [one for one in every if one.get("in_reply_to_id") in mine]
        reactions = [
            (one["html_url"], count)
            for one in mine.values()
            if (count := (one.get("reactions") or {}).get("total_count"))
        ]
        return [
            *(f"{one['user']['login']} answered: {one['html_url']}" for one in answers),
            *(f"{count} reaction(s) to {url}" for url, count in reactions),
        ]

    def undo(self, api: Any, action: Action) -> Sequence[str]:
        hub = hub_of(api)
        pull = hub.get(self.at("pulls", self.number))
        there = hub.find(self._where(action))
        residue = [f"the history of #{self.number} shows the review; {NOTIFIED}"]
        if pull["merged"]:
            residue.append(f"#{self.number} has been merged meanwhile, as {pull['merge_commit_sha']}")
        if there is None:
            return residue
        if there["state"] == "PENDING":
            hub.send("DELETE", self._where(action))
            return [f"a review of #{self.number} was pending for a while; nobody else saw it"]
        for one in self._lines(hub, action):
            hub.send("DELETE", self.at("pulls", "comments", one["id"]))
        if self.event == "COMMENT":
            return [*residue, "its text stays: GitHub neither deletes nor dismisses a review that comments"]
        if there["state"] != DISMISSED:
            message = f"An automated run was rolled back. ({action.id})"
            hub.send("PUT", self._where(action, "dismissals"), {"message": message, "event": "DISMISS"})
        return residue


def told(review: Mapping[str, Any]) -> dict[str, Json]:
    """A review in a list."""
    return {
        **receipt(review),
        "by": (review["user"] or {}).get("login"),
        "at": review.get("submitted_at"),
        "sha": review["commit_id"],
        "body": unmarked(review["body"]),
    }
