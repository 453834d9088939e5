"""Moving a branch or a tag to another commit.

REST moves it from wherever it is; GraphQL's `updateRefs` only from where it was looked at, and so is asked first.
Source: docs.github.com/en/graphql/reference/mutations, `updateRefs`; docs.github.com/en/rest/git/refs, "Update a
reference".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final
from urllib.parse import quote

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk, UndoEffect
from langchain_agentrein.errors import Conflict, NotDone, Throttled
from langchain_agentrein.operation import Assessment, Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.github.branches import OnBranch
from langchain_agentrein.toolkits.github.hub import Hub, hub_of
from langchain_agentrein.toolkits.github.merging import Sha

MOVE: Final = "mutation($input: UpdateRefsInput!) { updateRefs(input: $input) { clientMutationId } }"
BRANCH: Final = "heads/"


class UpdateRef(OnBranch):
    """Move a branch or a tag to another commit; `force` lets it leave commits behind. Critical when forced, or on the
    default branch.

    The undo moves it back, if it has not moved since, and reopens the pull requests that GitHub closed for it.
    """

    name, risk, reversal, repeatable = "github.refs.update", Risk.CRITICAL, Reversal.COMPENSATING, True
    undo_risk = Risk.HIGH
    undo_effects = frozenset({UndoEffect.TRIGGERS_AUTOMATION})

    ref: Annotated[str, Field(pattern=r"^(heads|tags)/.")] = Field(
        description="heads/ and the branch's name, or tags/ and the tag's."
    )
    sha: Sha = Field(description="The commit that it is to point to.")
    force: bool = Field(default=False, description="Whether it may leave commits behind.")

    def assess(self, api: Any) -> Assessment:
        usual = self.usual()
        if self.force or self._is_default(hub_of(api)):
            return usual
        return replace(usual, risk=Risk.HIGH)

    def _is_default(self, hub: Hub) -> bool:
        return self.ref.startswith(BRANCH) and self.ref == f"{BRANCH}{hub.get(self.at())['default_branch']}"

    def snapshot(self, api: Any) -> Json:
        """{"id": the repository's, "sha": str, "pulls": [open ones that come from it], "into": [open ones for it]}"""
        hub = hub_of(api)
        sha = self._points(hub)
        if sha is None:
            raise NotDone(f"{self.repo} has no {self.ref}")
        if sha == self.sha:
            raise NotDone(f"{self.ref} points to {sha} already")
        pulls, into = [], []
        if self.ref.startswith(BRANCH):
            branch = self.ref.removeprefix(BRANCH)
            pulls = self.pulls(hub, branch)
            into = sorted(one["number"] for one in hub.pages(self.at("pulls"), state="open", base=branch))
        return {"id": hub.get(self.at())["node_id"], "sha": sha, "pulls": pulls, "into": into}

    def _points(self, hub: Hub) -> str | None:
        found = hub.find(self.at("git", "ref", quote(self.ref)))
        return None if found is None else str(found["object"]["sha"])

    def _move(self, hub: Hub, action: Action, was: str, to: str, force: bool) -> None:
        """Move it, if it still is where it `was`.

        Raises:
            NotDone: It is not, or GitHub refuses.
        """
        move = {"name": f"refs/{self.ref}", "beforeOid": was, "afterOid": to, "force": force}
        try:
            hub.query(MOVE, {"input": {"repositoryId": action.before["id"], "refUpdates": [move]}})
        except Throttled:
            raise
        except NotDone as refused:
            if (now := self._points(hub)) != was:
                raise NotDone(f"{self.ref} points to {now} by now, not to {was}: {refused}") from refused
            hub.send("PATCH", self.at("git", "refs", quote(self.ref)), {"sha": to, "force": force})

    def do(self, api: Any, action: Action) -> Json:
        self._move(hub_of(api), action, action.before["sha"], self.sha, self.force)
        return self._told(action)

    def _told(self, action: Action) -> Json:
        """receipt: {"ref": str, "sha": str, "was": str}"""
        return {"ref": self.ref, "sha": self.sha, "was": action.before["sha"]}

    def observe(self, api: Any, action: Action) -> Json:
        """{"sha": str | None}; as the call left it, until the pull requests that GitHub closed for it are open again"""
        hub = hub_of(api)
        sha = self._points(hub)
        back = sha == action.before["sha"] and action.receipt is not None
        return {"sha": self.sha if back and any(self._closed(hub, action)) else sha}

    def as_before(self, action: Action) -> Json:
        return {"sha": action.before["sha"]}

    def expect(self, action: Action) -> Json:
        return {"sha": self.sha}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        now = self.observe(hub, action)
        if now["sha"] == self.sha:
            return Happened(self._told(action), after=now)
        if now["sha"] == action.before["sha"]:
            return NotHappened()
        return Unknown(f"{self.ref} moved on meanwhile")

    def undo(self, api: Any, action: Action) -> Sequence[str]:
        hub, was = hub_of(api), action.before["sha"]
        now = self._points(hub)
        if now is None:
            raise Conflict(f"{self.ref} is gone")
        residue = [f"{self.ref} pointed to {self.sha} for a while; what runs on a push ran"]
        if now != was:
            self._move(hub, action, now, was, force=True)
        if now not in (was, self.sha):
            residue.append(f"{self.ref} had been moved to {now}, and that is off it")
        for number in (*action.before["pulls"], *action.before["into"]):
            if hub.get(self.at("pulls", number))["merged"]:
                residue.append(f"pull request #{number} counts as merged")
        for number in self._closed(hub, action):
            residue += self.reopen(hub, number)
        return residue

    def _closed(self, hub: Hub, action: Action) -> Iterator[int]:
        """The pull requests that GitHub closed because of the move: in the name of whoever moved it."""
        for number in action.before["pulls"]:
            pull = hub.get(self.at("pulls", number))
            if pull["state"] == "closed" and not pull["merged"]:
                by = hub.get(self.at("issues", number)).get("closed_by")
                if (by or {}).get("login") == hub.login:
                    yield number
