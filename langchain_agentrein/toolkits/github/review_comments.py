"""Comments on lines of a pull request's change, one by one. Those of a whole review come with it.

Source: docs.github.com/en/rest/pulls/comments; an answer is posted to the first comment of a thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import NotDone, Throttled
from langchain_agentrein.operation import Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.github.comments import (
    CommentId,
    DeleteComment,
    UpdateComment,
    receipt,
)
from langchain_agentrein.toolkits.github.hub import Hub, hub_of, marker, unmarked
from langchain_agentrein.toolkits.github.issues import NOTIFIED
from langchain_agentrein.toolkits.github.merging import Sha
from langchain_agentrein.toolkits.github.operation import GitHubOperation
from langchain_agentrein.toolkits.github.pulls import SCOPES, PullNumber
from langchain_agentrein.toolkits.github.reviews import Side


class CreateReviewComment(GitHubOperation):
    """Comment on a line of a pull request's change, or answer such a comment. The undo deletes the comment, unless it
    was answered; it may have been read.
    """

    name, risk, reversal = "github.review_comments.create", Risk.LOW, Reversal.COMPENSATING
    repeatable = True
    scopes = SCOPES

    number: PullNumber
    body: str = Field(min_length=1, description="Markdown.")
    sha: Sha | None = Field(default=None, description="The commit that was looked at.")
    path: str | None = Field(default=None, min_length=1, description="The file.")
    line: int | None = Field(default=None, ge=1, description="The line; it must be part of the change.")
    side: Side = "RIGHT"
    in_reply_to: CommentId | None = Field(
        default=None, description="The comment that it answers; then neither sha, path nor line is needed."
    )

    def snapshot(self, api: Any) -> Json:
        """{"comments": int}: how many there were; for whoever reads the record"""
        if self.in_reply_to is None and not (self.sha and self.path and self.line):
            raise NotDone("give sha, path and line, or the comment that it answers")
        return {"comments": hub_of(api).get(self.at("pulls", self.number))["review_comments"]}

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        body = {"body": hub.marked(self.body, action)}
        if self.in_reply_to is not None:
            return receipt(hub.send("POST", f"{self._all()}/{self.in_reply_to}/replies", body))
        place = {"commit_id": self.sha, "path": self.path, "line": self.line, "side": self.side}
        return receipt(hub.send("POST", self._all(), {**body, **place}))

    def _all(self) -> str:
        return self.at("pulls", self.number, "comments")

    def _there(self, hub: Hub, action: Action) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = hub.find(self.at("pulls", "comments", action.receipt["id"]))
        return found

    def observe(self, api: Any, action: Action) -> Json:
        """{"body": str}, or `None` once it is gone"""
        there = self._there(hub_of(api), action)
        return None if there is None else {"body": unmarked(there["body"])}

    def as_before(self, action: Action) -> Json:
        return None

    def expect(self, action: Action) -> Json:
        return {"body": self.body}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        if not hub.markers:
            return Unknown("without markers a comment of ours cannot be told from another")
        hub.wait_for(action)
        for comment in hub.pages(self._all()):
            if marker(action) in comment["body"]:
                return Happened(receipt(comment), after={"body": unmarked(comment["body"])})
        return NotHappened()

    def attached(self, api: Any, action: Action) -> Sequence[str]:
        """What was said in its thread after it; all of that answers the thread's first comment."""
        hub = hub_of(api)
        there = self._there(hub, action)
        if there is None:
            return ()
        root = there.get("in_reply_to_id") or there["id"]
        answers = [
            one
            for one in hub.pages(self._all())
            if one.get("in_reply_to_id") == root and one["id"] > there["id"]
        ]
        said = [f"{one['user']['login']} answered: {one['html_url']}" for one in answers]
        count = (there.get("reactions") or {}).get("total_count")
        return [*said, *([f"{count} reaction(s) to the comment"] if count else [])]

    def undo(self, api: Any, action: Action) -> str:
        hub = hub_of(api)
        if self._there(hub, action) is not None:
            hub.send("DELETE", self.at("pulls", "comments", action.receipt["id"]))
        return f"the comment was there for a while; {NOTIFIED}"


class UpdateReviewComment(UpdateComment):
    """Replace the text of a comment on a line. The undo puts the former text back; it stays marked as edited."""

    name, kind, scopes = "github.review_comments.update", "pulls", SCOPES


class DeleteReviewComment(DeleteComment):
    """Delete a comment on a line. The undo posts its text again at that line, or as an answer if it was one: with a new
    id, by another author, and people are notified.

    Where the line is no part of the change any more, it is posted on the file.
    """

    name, kind, scopes = "github.review_comments.delete", "pulls", SCOPES

    def snapshot(self, api: Any) -> Json:
        """{"number": int, "body": str, "by": str, "at": str, "place": what a new one at that place needs}"""
        comment = hub_of(api).get(self.at("pulls", "comments", self.comment_id))
        return {**self._kept(comment), "place": _place(comment)}

    def post(self, hub: Hub, action: Action) -> Mapping[str, Any]:
        place, path = action.before["place"], self.at("pulls", action.before["number"], "comments")
        body = {"body": self.text(action)}
        if "answers" in place:
            return dict(hub.send("POST", f"{path}/{place['answers']}/replies", body))
        try:
            return dict(hub.send("POST", path, {**body, **place}))
        except Throttled:
            raise
        except NotDone:  # the line is no part of the change any more
            on_the_file = {**{name: place[name] for name in ("commit_id", "path")}, "subject_type": "file"}
            return dict(hub.send("POST", path, {**body, **on_the_file}))


def _place(comment: Mapping[str, Any]) -> dict[str, Json]:
    """Where a comment is; GitHub keeps the first place of one whose line is gone since."""
    if (root := comment.get("in_reply_to_id")) is not None:
        return {"answers": root}
    place = {"commit_id": comment["original_commit_id"], "path": comment["path"]}
    line = comment.get("original_line") or comment.get("line")
    if comment.get("subject_type") == "file" or line is None:
        return {**place, "subject_type": "file"}
    return {**place, "line": line, "side": comment.get("side") or "RIGHT"}
