"""A pull request that GitHub merges by itself, once its checks and reviews allow it. Only GraphQL can set that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import Conflict, NotDone
from langchain_agentrein.operation import Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.github.hub import hub_of
from langchain_agentrein.toolkits.github.merging import Method, Sha
from langchain_agentrein.toolkits.github.operation import GitHubOperation
from langchain_agentrein.toolkits.github.pulls import PullNumber

ENABLE: Final = (
    "mutation($input: EnablePullRequestAutoMergeInput!) "
    "{ enablePullRequestAutoMerge(input: $input) { clientMutationId } }"
)
DISABLE: Final = (
    "mutation($input: DisablePullRequestAutoMergeInput!) "
    "{ disablePullRequestAutoMerge(input: $input) { clientMutationId } }"
)
"""Source: docs.github.com/en/graphql/reference/mutations."""


class EnableAutomerge(GitHubOperation):
    """Let GitHub merge a pull request by itself as soon as it may. The undo forbids it again; what it has merged by
    then stays merged, and is a conflict.
    """

    name, risk, reversal = "github.pulls.enable_automerge", Risk.CRITICAL, Reversal.COMPENSATING
    repeatable = True
    scopes = ("contents: write", "pull requests: write")

    number: PullNumber
    sha: Sha = Field(
        description="The commit at its head, as github_pulls_get told it; GitHub refuses if there are newer ones."
    )
    merge_method: Method = "merge"

    def snapshot(self, api: Any) -> Json:
        """{"id": str}: what GraphQL knows it by"""
        pull = self._pull(api)
        if pull["merged"] or pull["state"] != "open":
            raise NotDone(f"#{self.number} is {'merged' if pull['merged'] else 'closed'} already")
        if pull["auto_merge"] is not None:
            raise NotDone(f"#{self.number} is to be merged by itself already")
        return {"id": pull["node_id"]}

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"number": int}"""
        given = {
            "pullRequestId": action.before["id"],
            "mergeMethod": self.merge_method.upper(),
            "expectedHeadOid": self.sha,
        }
        hub_of(api).query(ENABLE, {"input": given})
        return {"number": self.number}

    def _pull(self, api: Any) -> Any:
        return hub_of(api).get(self.at("pulls", self.number))

    def observe(self, api: Any, action: Action) -> Json:
        return self._seen(self._pull(api))

    def _seen(self, pull: Mapping[str, Any]) -> dict[str, Json]:
        """{"method": str | None, "by": login | None}; {"merged": sha} once it is too late"""
        if pull["merged"]:
            return {"merged": pull["merge_commit_sha"]}
        auto = pull["auto_merge"] or {}
        return {"method": auto.get("merge_method"), "by": (auto.get("enabled_by") or {}).get("login")}

    def as_before(self, action: Action) -> Json:
        return {"method": None, "by": None}

    def expect(self, action: Action) -> Json:
        return {"method": self.merge_method, "by": (action.account or "").rpartition("/")[2]}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        pull = self._pull(hub)
        if pull["merged"]:
            return Unknown("it is merged meanwhile")
        now = self._seen(pull)
        if now == self.as_before(action):
            return NotHappened()
        if now == self.expect(action):
            return Happened({"number": self.number}, after=now)
        return Unknown(f"{now['by']} has set it to be merged by itself")

    def attached(self, api: Any, action: Action) -> Sequence[str]:
        return self._merged(self._pull(api))

    def _merged(self, pull: Mapping[str, Any]) -> Sequence[str]:
        if not pull["merged"]:
            return ()
        return (f"#{self.number} has been merged, as {pull['merge_commit_sha']}: revert that by hand",)

    def undo(self, api: Any, action: Action) -> str:
        hub = hub_of(api)
        if merged := self._merged(self._pull(hub)):
            raise Conflict("it is too late to forbid it", merged)
        hub.query(DISABLE, {"input": {"pullRequestId": action.before["id"]}})
        return f"the history of #{self.number} shows both changes"
