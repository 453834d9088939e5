"""Pull requests: opened and changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.operation import Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.github.hub import Hub, hub_of, marker, unmarked
from langchain_agentrein.toolkits.github.issues import NOTIFIED, Title
from langchain_agentrein.toolkits.github.operation import GitHubOperation, Patch, Reading
from langchain_agentrein.toolkits.github.reads import LONG, Limit, State, some

PullNumber = Annotated[int, Field(ge=1, description="The pull request's number.")]
SCOPES = ("pull requests: write",)


def fields(pull: Mapping[str, Any]) -> dict[str, Json]:
    """A pull request as people see and change it."""
    return {
        "title": pull["title"],
        "body": unmarked(pull.get("body")),
        "state": pull["state"],
        "base": pull["base"]["ref"],
    }


def receipt(pull: Mapping[str, Any]) -> dict[str, Json]:
    """{"number": int, "url": str}"""
    return {"number": pull["number"], "url": pull["html_url"]}


class GetPull(Reading):
    """Read one pull request: its text, branches, state, and whether it is merged."""

    name = "github.pulls.get"
    scopes = ("pull requests: read",)

    number: PullNumber

    def do(self, api: Any, action: Action) -> Json:
        pull = hub_of(api).get(self.at("pulls", self.number))
        told = fields(pull)
        return {
            **receipt(pull),
            **told,
            "body": told["body"][:LONG],
            "head": pull["head"]["ref"],
            "sha": pull["head"]["sha"],
            "by": pull["user"]["login"],
            "draft": pull["draft"],
            "merged": pull["merged"],
        }


class ListPulls(Reading):
    """List pull requests, newest first."""

    name = "github.pulls.list"
    scopes = ("pull requests: read",)

    state: State = "open"
    limit: Limit = 30

    def do(self, api: Any, action: Action) -> Json:
        found = hub_of(api).pages(self.at("pulls"), state=self.state)
        told = (
            {**receipt(one), "title": one["title"], "state": one["state"], "head": one["head"]["ref"]}
            for one in found
        )
        return some(told, self.limit)


class CreatePull(GitHubOperation):
    """Open a pull request.

    A pull request cannot be unmade: its undo closes it. Not once others have commented on it, reviewed or changed it,
    or it is merged.
    """

    name, risk, reversal, repeatable = "github.pulls.create", Risk.MEDIUM, Reversal.COMPENSATING, True
    scopes = SCOPES

    title: Title
    head: str = Field(min_length=1, description="The branch with the changes.")
    base: str = Field(min_length=1, description="The branch that they are for.")
    body: str = Field(default="", description="Markdown.")
    draft: bool = Field(default=False, description="Open it as a draft.")

    def snapshot(self, api: Any) -> Json:
        hub_of(api).get(self.at())
        return None

    def do(self, api: Any, action: Action) -> Json:
        hub = hub_of(api)
        given = {
            "title": self.title,
            "head": self.head,
            "base": self.base,
            "body": hub.marked(self.body, action),
            "draft": self.draft,
        }
        return receipt(hub.send("POST", self.at("pulls"), given))

    def observe(self, api: Any, action: Action) -> Json:
        pull = hub_of(api).get(self.at("pulls", action.receipt["number"]))
        return {**fields(pull), "merged": pull["merged"]}

    def as_before(self, action: Action) -> Json:
        return {**(action.after or self.expect(action)), "state": "closed"}

    def expect(self, action: Action) -> Json:
        return {
            "title": self.title,
            "body": self.body,
            "state": "open",
            "base": self.base,
            "merged": False,
        }

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        if not hub.markers:
            return Unknown("without markers a pull request of ours cannot be told from another")
        hub.wait_for(action)
        for pull in hub.since(action, self.at("pulls"), state="all", sort="created", direction="desc"):
            if marker(action) in (pull["body"] or ""):
                return Happened(receipt(pull))
        return NotHappened()

    def attached(self, api: Any, action: Action) -> Sequence[str]:
        hub, number = hub_of(api), action.receipt["number"]
        if hub.get(self.at("pulls", number))["state"] == "closed":
            return ()
        comments = hub.pages(self.at("issues", number, "comments"))
        reviews = hub.pages(self.at("pulls", number, "reviews"))
        return [
            *(f"{one['user']['login']} commented: {one['html_url']}" for one in comments),
            *(f"{one['user']['login']} reviewed it" for one in reviews),
        ]

    def undo(self, api: Any, action: Action) -> str:
        number = action.receipt["number"]
        hub_of(api).send("PATCH", self.at("pulls", number), {"state": "closed"})
        return f"#{number} stays, closed; {NOTIFIED}"


class UpdatePull(Patch):
    """Change a pull request's title, text or base, close or reopen it: only what is given.

    The undo sets back what this set; its history shows both.
    """

    name, risk, reversal = "github.pulls.update", Risk.MEDIUM, Reversal.COMPENSATING
    settable = ("title", "body", "state", "base")
    scopes = SCOPES

    number: PullNumber
    title: Title | None = Field(default=None, description="The new title.")
    body: str | None = Field(default=None, description="Markdown; replaces the whole text.")
    state: Literal["open", "closed"] | None = Field(default=None, description="Closes or reopens it.")
    base: str | None = Field(default=None, min_length=1, description="The branch that it is for.")

    def given(self) -> dict[str, Json]:
        return {name: value for name, value in super().given().items() if value is not None}

    def snapshot(self, api: Any) -> Json:
        """{"was": ..., "raw"?: {"body": with its marker}}"""
        before: dict[str, Json] = super().snapshot(api)
        if "body" in before["was"]:
            before["raw"] = {"body": hub_of(api).get(self.at("pulls", self.number))["body"]}
        return before

    def read(self, hub: Hub) -> dict[str, Json]:
        pull = hub.get(self.at("pulls", self.number))
        return {**receipt(pull), **fields(pull)}

    def write(self, hub: Hub, values: Mapping[str, Json]) -> Any:
        return receipt(hub.send("PATCH", self.at("pulls", self.number), values))

    def told(self, there: Any) -> Json:
        return {name: there[name] for name in ("number", "url")}

    def expect(self, action: Action) -> Json:
        return self.given()

    def stays(self, hub: Hub, action: Action, back: Mapping[str, Json]) -> Sequence[str]:
        return (f"the history of #{self.number} shows both changes; {NOTIFIED}",)
