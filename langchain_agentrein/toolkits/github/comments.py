"""Comments on issues and pull requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk, UndoEffect
from langchain_agentrein.operation import Happened, NotHappened, Probed, Undone, Unknown
from langchain_agentrein.toolkits.github.hub import Hub, hub_of, marker, unmarked
from langchain_agentrein.toolkits.github.issues import NOTIFIED, Number
from langchain_agentrein.toolkits.github.operation import GitHubOperation, Patch

CommentId = Annotated[int, Field(ge=1, description="The comment's id.")]


def receipt(comment: Mapping[str, Any]) -> dict[str, Json]:
    """{"id": int, "url": str}"""
    return {"id": comment["id"], "url": comment["html_url"]}


class CreateComment(GitHubOperation):
    """Comment on an issue or a pull request. The undo deletes the comment; it may have been read."""

    name, risk, reversal = "github.comments.create", Risk.LOW, Reversal.COMPENSATING
    repeatable = True

    number: Number
    body: str = Field(min_length=1, description="Markdown.")

    def snapshot(self, api: Any) -> Json:
        """{"comments": int}: how many there were; for whoever reads the record"""
        return {"comments": hub_of(api).get(self.at("issues", self.number))["comments"]}

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        path = self.at("issues", self.number, "comments")
        return receipt(hub.send("POST", path, {"body": hub.marked(self.body, action)}))

    def observe(self, api: Any, action: Action) -> Json:
        """{"body": str}, or `None` once it is gone"""
        there = hub_of(api).find(self.at("issues", "comments", action.receipt["id"]))
        return None if there is None else {"body": unmarked(there["body"])}

    def as_before(self, action: Action) -> Json:
        return None

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        if not hub.markers:
            return Unknown("without markers a comment of ours cannot be told from another")
        hub.wait_for(action)
        for comment in hub.pages(self.at("issues", self.number, "comments")):
            if marker(action) in comment["body"]:
                return Happened(receipt(comment), after={"body": unmarked(comment["body"])})
        return NotHappened()

    def attached(self, api: Any, action: Action) -> Sequence[str]:
        there = hub_of(api).find(self.at("issues", "comments", action.receipt["id"]))
        count = ((there or {}).get("reactions") or {}).get("total_count")
        return [f"{count} reaction(s) to the comment"] if count else ()

    def undo(self, api: Any, action: Action) -> str:
        hub, path = hub_of(api), self.at("issues", "comments", action.receipt["id"])
        if hub.find(path) is not None:
            hub.send("DELETE", path)
        return f"the comment was there for a while; {NOTIFIED}"


class UpdateComment(Patch):
    """Replace the text of a comment. The undo puts the former text back; the comment stays marked as edited."""

    name, risk, reversal = "github.comments.update", Risk.MEDIUM, Reversal.COMPENSATING
    settable = ("body",)

    kind: ClassVar[str] = "issues"
    """Whose comments: the API keeps those on issues and those on lines apart."""
    comment_id: CommentId
    body: str = Field(min_length=1, description="Markdown; replaces the whole comment.")

    def read(self, hub: Hub) -> dict[str, Json]:
        comment = hub.get(self.at(self.kind, "comments", self.comment_id))
        return {**receipt(comment), "body": comment["body"]}

    def write(self, hub: Hub, values: Mapping[str, Json]) -> Any:
        return receipt(hub.send("PATCH", self.at(self.kind, "comments", self.comment_id), values))

    def told(self, there: Any) -> Json:
        return {name: there[name] for name in ("id", "url")}

    def expect(self, action: Action) -> Json:
        return {"body": self.body}

    def stays(self, hub: Hub, action: Action, back: Mapping[str, Json]) -> Sequence[str]:
        return ("the comment is marked as edited, and its edits can be read",)


class DeleteComment(GitHubOperation):
    """Delete a comment. The undo posts its text again: with a new id, by another author, and people are notified."""

    name, risk, reversal = "github.comments.delete", Risk.HIGH, Reversal.COMPENSATING
    undo_effects = frozenset({UndoEffect.REACHES_PEOPLE})
    repeatable = True

    kind: ClassVar[str] = "issues"
    comment_id: CommentId

    def snapshot(self, api: Any) -> Json:
        """{"number": int, "body": str, "by": str, "at": str}"""
        return self._kept(hub_of(api).get(self.at(self.kind, "comments", self.comment_id)))

    def _kept(self, comment: Mapping[str, Any]) -> dict[str, Json]:
        of = comment["issue_url" if self.kind == "issues" else "pull_request_url"]
        return {
            "number": int(of.rpartition("/")[2]),
            "body": comment["body"],
            "by": comment["user"]["login"],
            "at": comment["created_at"],
        }

    def do(self, api: Any, action: Action) -> Json:
        hub_of(api).send("DELETE", self.at(self.kind, "comments", self.comment_id))
        return {"id": self.comment_id, "number": action.before["number"]}

    def observe(self, api: Any, action: Action) -> Json:
        """{"there": bool}: as it was, or posted again"""
        hub = hub_of(api)
        there = hub.find(self.at(self.kind, "comments", self.comment_id)) is not None
        return {"there": there or self._again(hub, action) is not None}

    def as_before(self, action: Action) -> Json:
        return {"there": True}

    def expect(self, action: Action) -> Json:
        return {"there": False}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        if hub.find(self.at(self.kind, "comments", self.comment_id)) is not None:
            return NotHappened()
        return Happened({"id": self.comment_id, "number": action.before["number"]})

    def undo(self, api: Any, action: Action) -> Undone:
        again = self.post(hub_of(api), action)
        return Undone(
            (
                f"posted again as {again['html_url']}, by {again['user']['login']}; the reactions to it are gone",
                f"#{action.before['number']}'s watchers may have been notified again",
            )
        )

    def post(self, hub: Hub, action: Action) -> Mapping[str, Any]:
        """Post it again."""
        path = self.at("issues", action.before["number"], "comments")
        return dict(hub.send("POST", path, {"body": self.text(action)}))

    def _again(self, hub: Hub, action: Action) -> dict[str, Any] | None:
        path = self.at(self.kind, action.before["number"], "comments")
        return next((one for one in hub.pages(path) if one["body"] == self.text(action)), None)

    def text(self, action: Action) -> str:
        """The same each time, so that a second try finds the first. Names are not mentions: nobody is called."""
        before = action.before
        whose = f"Written by `{before['by']}` at {before['at']}"
        note = f"{whose}; deleted by an automated run, and put back. ({action.id})"
        return f"{unmarked(before['body'])}\n\n*{note}*"
