"""Issues: opened, changed, locked, deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.github.definitions import defined, definitions, forget, undefined
from langchain_agentrein.toolkits.github.hub import Hub, hub_of, marker, unmarked
from langchain_agentrein.toolkits.github.operation import GitHubOperation, Patch

Names = Annotated[list[str], AfterValidator(lambda names: sorted(set(names)))]
Title = Annotated[str, Field(min_length=1, max_length=256, description="The title, in one line.")]
Number = Annotated[int, Field(ge=1, description="The issue's number.")]
NOTIFIED = "whoever watches it may have been notified"


def fields(issue: Mapping[str, Any]) -> dict[str, Json]:
    """An issue as people see and change it."""
    milestone = issue.get("milestone")
    reason = issue.get("state_reason")
    return {
        "title": issue["title"],
        "body": unmarked(issue.get("body")),
        "state": issue["state"],
        "state_reason": None if reason == "reopened" else reason,
        "labels": sorted(label["name"] for label in issue["labels"]),
        "assignees": sorted(user["login"] for user in issue["assignees"]),
        "milestone": None if milestone is None else milestone["number"],
    }


def receipt(issue: Mapping[str, Any]) -> dict[str, Json]:
    """{"number": int, "url": str, "id": str}; `id` is what GraphQL knows it by"""
    return {"number": issue["number"], "url": issue["html_url"], "id": issue["node_id"]}


class CreateIssue(GitHubOperation):
    """Open an issue.

    An issue cannot be unmade: its undo closes it as not planned, and says why in a comment. Not once others have
    commented on it, changed it or reacted to it.
    """

    name, risk, reversal = "github.issues.create", Risk.LOW, Reversal.COMPENSATING
    repeatable = True

    title: Title
    body: str = Field(default="", description="Markdown.")
    labels: Names = Field(default_factory=list, description="Names; one that is unknown is created.")
    assignees: Names = Field(default_factory=list, description="Logins.")
    milestone: int | None = Field(default=None, description="The milestone's number.")

    def snapshot(self, api: Any) -> Json:
        """{"made": [the labels that are created along with it]}"""
        hub = hub_of(api)
        hub.get(self.at())
        return {"made": undefined(hub, self.repo, self.labels)}

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        given: dict[str, Json] = {
            "title": self.title,
            "body": hub.marked(self.body, action),
            "labels": self.labels,
        }
        if self.assignees:
            given["assignees"] = self.assignees
        if self.milestone is not None:
            given["milestone"] = self.milestone
        return receipt(hub.send("POST", self.at("issues"), given))

    def observe(self, api: Any, action: Action) -> Json:
        """The issue, and {"label NAME": bool} of the labels that came along"""
        hub = hub_of(api)
        issue = hub.find(self.at("issues", action.receipt["number"]))
        if issue is None:
            return self.as_before(action)
        return {**fields(issue), **defined(hub, self.repo, action.before["made"])}

    def as_before(self, action: Action) -> Json:
        """Closed as not planned; one that somebody deleted counts as that."""
        closed = {"state": "closed", "state_reason": "not_planned"}
        return {**(action.after or {}), **closed, **definitions(action.before["made"], False)}

    def expect(self, action: Action) -> Json:
        return {
            **definitions(action.before["made"], True),
            "title": self.title,
            "body": self.body,
            "state": "open",
            "state_reason": None,
            "labels": self.labels,
            "assignees": self.assignees,
            "milestone": self.milestone,
        }

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        if not hub.markers:
            return Unknown("without markers an issue of ours cannot be told from another")
        hub.wait_for(action)
        for issue in hub.since(action, self.at("issues"), state="all", sort="created", direction="desc"):
            if marker(action) in (issue["body"] or ""):
                untouched = issue["created_at"] == issue["updated_at"]
                told = {**fields(issue), **definitions(action.before["made"], True)}
                return Happened(receipt(issue), after=told if untouched else self.expect(action))
        return NotHappened()

    def attached(self, api: Any, action: Action) -> Sequence[str]:
        hub, number = hub_of(api), action.receipt["number"]
        issue = hub.find(self.at("issues", number))
        if issue is None or issue["state"] == "closed":
            return ()
        comments = [one for one in hub.pages(self.at("issues", number, "comments")) if not why(action, one)]
        said = [f"{one['user']['login']} commented: {one['html_url']}" for one in comments]
        if count := (issue.get("reactions") or {}).get("total_count"):
            said.append(f"{count} reaction(s) to #{number}")
        if count := (issue.get("sub_issues_summary") or {}).get("total"):
            said.append(f"{count} sub-issue(s) of #{number}")
        return said

    def undo(self, api: Any, action: Action) -> Sequence[str]:
        hub, number = hub_of(api), action.receipt["number"]
        at = self.at("issues", number)
        if not any(why(action, one) for one in hub.pages(f"{at}/comments")):
            hub.send("POST", f"{at}/comments", {"body": _because(action)})
        hub.send("PATCH", at, {"state": "closed", "state_reason": "not_planned"})
        kept = forget(hub, self.repo, action.before["made"], but=number)
        return [f"#{number} stays, closed as not planned; {NOTIFIED}", *kept]


def _because(action: Action) -> str:
    return f"Opened by an automated run that was rolled back; closed for that reason. ({action.id})"


def why(action: Action, comment: Mapping[str, Any]) -> bool:
    """Whether a comment is the one by which an undo says why."""
    return bool(comment["body"] == _because(action))


class UpdateIssue(Patch):
    """Change an issue: only the fields that are given. Closing and reopening is setting its state.

    The undo sets back what this set; the issue's history shows both.
    """

    name, risk, reversal = "github.issues.update", Risk.MEDIUM, Reversal.COMPENSATING
    settable = ("title", "body", "state", "state_reason", "labels", "assignees", "milestone")

    number: Number
    title: Title | None = Field(default=None, description="The new title.")
    body: str | None = Field(default=None, description="Markdown; replaces the whole body.")
    state: Literal["open", "closed"] | None = Field(default=None, description="Closes or reopens it.")
    state_reason: Literal["completed", "not_planned", "duplicate"] | None = Field(
        default=None, description="Why it is closed."
    )
    labels: Names | None = Field(default=None, description="Replaces all of its labels.")
    assignees: Names | None = Field(default=None, description="Logins; replaces all of its assignees.")
    milestone: int | None = Field(default=None, description="The milestone's number; null takes it off.")

    def given(self) -> dict[str, Json]:
        """Of the fields only a milestone, and why it is closed, can be taken away."""
        given = super().given()
        return {
            name: value
            for name, value in given.items()
            if value is not None or name in ("milestone", "state_reason")
        }

    def watched(self) -> Sequence[str]:
        given = self.given()
        return tuple({**given, **({"state_reason": None} if "state" in given else {})})

    def snapshot(self, api: Any) -> Json:
        """{"was": ..., "raw"?: {"body": with its marker}, "made"?: [the labels that it creates]}"""
        before: dict[str, Json] = super().snapshot(api)
        hub = hub_of(api)
        if self.labels:
            before["made"] = undefined(hub, self.repo, self.labels)
        if "body" in before["was"]:
            before["raw"] = {"body": hub.get(self.at("issues", self.number))["body"]}
        return before

    def read(self, hub: Hub) -> dict[str, Json]:
        issue = hub.get(self.at("issues", self.number))
        return {**receipt(issue), **fields(issue)}

    def write(self, hub: Hub, values: Mapping[str, Json]) -> Any:
        issue = hub.send("PATCH", self.at("issues", self.number), values)
        return {**receipt(issue), **fields(issue)}

    def told(self, there: Any) -> Json:
        return {
            **{name: there[name] for name in ("number", "url", "id")},
            **{name: there[name] for name in self.given()},
        }

    def beside(self, hub: Hub, action: Action) -> dict[str, Json]:
        return {**defined(hub, self.repo, action.before.get("made") or ())}

    def beside_before(self, action: Action) -> dict[str, Json]:
        return {**definitions(action.before.get("made") or (), False)}

    def stays(self, hub: Hub, action: Action, back: Mapping[str, Json]) -> Sequence[str]:
        kept = forget(hub, self.repo, action.before.get("made") or ())
        return [f"the history of #{self.number} shows both changes; {NOTIFIED}", *kept]


class _Locking(GitHubOperation):
    """Locks, or unlocks; the undo does the other."""

    risk, reversal, repeatable = Risk.MEDIUM, Reversal.COMPENSATING, True

    number: Number

    def _look(self, api: Any) -> dict[str, Json]:
        issue = hub_of(api).get(self.at("issues", self.number))
        return {"locked": issue["locked"], "reason": issue.get("active_lock_reason")}

    def _lock(self, api: Any, state: Mapping[str, Json]) -> None:
        path = self.at("issues", self.number, "lock")
        reason = {"lock_reason": state["reason"]} if state["reason"] else {}
        if state["locked"]:
            hub_of(api).send("PUT", path, reason)
        else:
            hub_of(api).send("DELETE", path)

    def wanted(self) -> dict[str, Json]:
        """The state that the call asks for."""
        raise NotImplementedError

    def snapshot(self, api: Any) -> Json:
        there = self._look(api)
        if there["locked"] == self.wanted()["locked"]:
            raise NotDone(f"#{self.number} is {'locked' if there['locked'] else 'not locked'} already")
        return there

    def do(self, api: Any, action: Action) -> Json:
        self._lock(api, self.wanted())
        return self._told()

    def _told(self) -> Json:
        """receipt: {"number": int, "locked": bool}"""
        return {"number": self.number, "locked": self.wanted()["locked"]}

    def observe(self, api: Any, action: Action) -> Json:
        return self._look(api)

    def probe(self, api: Any, action: Action) -> Probed:
        hub_of(api).wait_for(action)
        now = self._look(api)
        return NotHappened() if now == action.before else Happened(self._told(), after=now)

    def undo(self, api: Any, action: Action) -> str:
        self._lock(api, action.before)
        return f"the history of #{self.number} shows both changes"


class LockIssue(_Locking):
    """Lock an issue's conversation, so that only collaborators comment. The undo unlocks it."""

    name = "github.issues.lock"

    reason: Literal["off-topic", "too heated", "resolved", "spam"] | None = Field(
        default=None, description="What people are told."
    )

    def wanted(self) -> dict[str, Json]:
        return {"locked": True, "reason": self.reason}


class UnlockIssue(_Locking):
    """Unlock an issue's conversation. The undo locks it again, for the reason that it had."""

    name = "github.issues.unlock"

    def wanted(self) -> dict[str, Json]:
        return {"locked": False, "reason": None}


class DeleteIssue(GitHubOperation):
    """Delete an issue with all its comments, for good. Nothing undoes it; closing it can be undone."""

    name, risk, reversal = "github.issues.delete", Risk.CRITICAL, Reversal.NONE
    scopes = ("administration: write",)

    number: Number

    def snapshot(self, api: Any) -> Json:
        """{"id": str, "title": str, "comments": int}: for whoever reads the record"""
        issue = hub_of(api).get(self.at("issues", self.number))
        return {"id": issue["node_id"], "title": issue["title"], "comments": issue["comments"]}

    def do(self, api: Any, action: Action) -> Json:
        hub_of(api).query(
            "mutation($id: ID!) { deleteIssue(input: {issueId: $id}) { clientMutationId } }",
            {"id": action.before["id"]},
        )
        return {"number": self.number}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        there = hub.find(self.at("issues", self.number))
        return Happened({"number": self.number}) if there is None else NotHappened()
