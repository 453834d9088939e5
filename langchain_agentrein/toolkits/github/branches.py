"""Branches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import NotDone, Throttled
from langchain_agentrein.operation import Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.github.hub import Hub, hub_of
from langchain_agentrein.toolkits.github.operation import GitHubOperation, Reading
from langchain_agentrein.toolkits.github.reads import Limit, some

_COMMIT = re.compile("[0-9a-f]{40}")
BranchName = Annotated[str, Field(min_length=1, description="The branch's name, without refs/heads/.")]


class OnBranch(GitHubOperation):
    """About one branch."""

    scopes: ClassVar[tuple[str, ...]] = ("contents: write", "pull requests: write")

    def head(self, hub: Hub, branch: str) -> str | None:
        """The commit that a branch points to; `None`: there is no such branch."""
        found = hub.find(self.at("git", "ref", "heads", quote(branch)))
        return None if found is None else str(found["object"]["sha"])

    def pulls(self, hub: Hub, branch: str) -> list[int]:
        """The open pull requests that come from a branch."""
        owner = self.repo.partition("/")[0]
        found = hub.pages(self.at("pulls"), state="open", head=f"{owner}:{branch}")
        return sorted(pull["number"] for pull in found if pull["head"]["ref"] == branch)

    def reopen(self, hub: Hub, number: int) -> Sequence[str]:
        """Reopen a pull request; what there is to say, if GitHub refuses."""
        try:
            hub.send("PATCH", self.at("pulls", number), {"state": "open"})
        except Throttled:
            raise
        except NotDone as error:
            return (f"pull request #{number} stays closed: {error}",)
        return ()

    def make(self, hub: Hub, branch: str, sha: str) -> None:
        """Create a branch."""
        hub.send("POST", self.at("git", "refs"), {"ref": f"refs/heads/{branch}", "sha": sha})

    def unmake(self, hub: Hub, branch: str) -> None:
        """Delete a branch."""
        hub.send("DELETE", self.at("git", "refs", "heads", quote(branch)))


class ListBranches(Reading):
    """List a repository's branches, each with the commit that it points to."""

    name = "github.branches.list"
    scopes = ("contents: read",)

    limit: Limit = 30

    def do(self, api: Any, action: Action) -> Json:
        found = hub_of(api).pages(self.at("branches"))
        return some(({"name": one["name"], "sha": one["commit"]["sha"]} for one in found), self.limit)


class CreateBranch(OnBranch):
    """Create a branch. The undo deletes it, unless it has moved on, or a pull request comes from it."""

    name, risk, reversal, repeatable = "github.branches.create", Risk.MEDIUM, Reversal.EXACT, True

    branch: BranchName
    start: BranchName = Field(description="The branch, or the full id of the commit, that it starts from.")

    def snapshot(self, api: Any) -> Json:
        """{"sha": str}: where it starts"""
        hub = hub_of(api)
        if self.head(hub, self.branch) is not None:
            raise NotDone(f"{self.repo} has a branch {self.branch} already")
        sha = self._commit(hub) if _COMMIT.fullmatch(self.start) else self.head(hub, self.start)
        if sha is None:
            raise NotDone(f"{self.repo} has no branch or commit {self.start}")
        return {"sha": sha}

    def _commit(self, hub: Hub) -> str | None:
        """GitHub lets no branch have a name like a commit's id."""
        return None if hub.find(self.at("git", "commits", self.start)) is None else self.start

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"branch": str, "sha": str}"""
        self.make(hub_of(api), self.branch, action.before["sha"])
        return self._told(action)

    def _told(self, action: Action) -> Json:
        return {"branch": self.branch, "sha": action.before["sha"]}

    def observe(self, api: Any, action: Action) -> Json:
        return self.head(hub_of(api), self.branch)

    def as_before(self, action: Action) -> Json:
        return None

    def expect(self, action: Action) -> Json:
        return action.before["sha"]

    def probe(self, api: Any, action: Action) -> Probed:
        hub_of(api).wait_for(action)
        now = self.observe(api, action)
        if now is None:
            return NotHappened()
        if now == action.before["sha"]:
            return Happened(self._told(action), after=now)
        return Unknown(f"there is a branch {self.branch}, at another commit")

    def attached(self, api: Any, action: Action) -> Sequence[str]:
        return [f"pull request #{one} comes from it" for one in self.pulls(hub_of(api), self.branch)]

    def undo(self, api: Any, action: Action) -> None:
        self.unmake(hub_of(api), self.branch)


class DeleteBranch(OnBranch):
    """Delete a branch; GitHub closes the pull requests that come from it. The undo makes it again at the same commit,
    and reopens them.
    """

    name, risk, reversal, repeatable = "github.branches.delete", Risk.HIGH, Reversal.COMPENSATING, True

    branch: BranchName

    def snapshot(self, api: Any) -> Json:
        """{"sha": str, "pulls": [the open pull requests that come from it]}"""
        hub = hub_of(api)
        sha = self.head(hub, self.branch)
        if sha is None:
            raise NotDone(f"{self.repo} has no branch {self.branch}")
        return {"sha": sha, "pulls": self.pulls(hub, self.branch)}

    def do(self, api: Any, action: Action) -> Json:
        self.unmake(hub_of(api), self.branch)
        return self._told(action)

    def _told(self, action: Action) -> Json:
        """receipt: {"branch": str, "sha": str}; a branch made again there is the same"""
        return {"branch": self.branch, "sha": action.before["sha"]}

    def observe(self, api: Any, action: Action) -> Json:
        """{"sha": str | None, "#number": "open" | "closed"}"""
        hub = hub_of(api)
        states = {f"#{one}": hub.get(self.at("pulls", one))["state"] for one in action.before["pulls"]}
        return {"sha": self.head(hub, self.branch), **states}

    def as_before(self, action: Action) -> Json:
        return {"sha": action.before["sha"], **{f"#{one}": "open" for one in action.before["pulls"]}}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        now = self.head(hub, self.branch)
        if now is None:
            return Happened(self._told(action), after=self.observe(hub, action))
        return NotHappened() if now == action.before["sha"] else Unknown(f"{self.branch} moved on meanwhile")

    def undo(self, api: Any, action: Action) -> Sequence[str]:
        hub = hub_of(api)
        if self.head(hub, self.branch) is None:
            self.make(hub, self.branch, action.before["sha"])
        left: list[str] = []
        for number in action.before["pulls"]:
            if hub.get(self.at("pulls", number))["state"] == "closed":
                left += self.reopen(hub, number)
        return [f"{self.branch} was gone for a while; what ran on its deletion ran", *left]
