"""Merging a pull request. What is merged is not unmade: its undo proposes a revert, and people merge that."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Annotated, Any, Literal
from urllib.parse import quote

import requests
from github import GithubException
from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk, UndoEffect
from langchain_agentrein.errors import Conflict, NotDone, Throttled
from langchain_agentrein.operation import Happened, NotHappened, Probed, Undone, Unknown
from langchain_agentrein.toolkits.github.branches import OnBranch
from langchain_agentrein.toolkits.github.closing import closes, reopened
from langchain_agentrein.toolkits.github.hub import Hub, hub_of
from langchain_agentrein.toolkits.github.issues import NOTIFIED
from langchain_agentrein.toolkits.github.pulls import PullNumber
from langchain_agentrein.toolkits.github.trees import Live, commit, entries, live

Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Method = Annotated[
    Literal["merge", "squash", "rebase"],
    Field(description="A merge commit, one commit of all, or its commits one by one."),
]
REVERT = (
    "mutation($input: RevertPullRequestInput!) "
    "{ revertPullRequest(input: $input) { revertPullRequest { number } } }"
)
"""Source: docs.github.com/en/graphql/reference/mutations, `revertPullRequest`."""
NAMED = 20
"""Deployments that a residue names."""


class MergePull(OnBranch):
    """Merge a pull request, if its head still is the commit that was looked at.

    What is merged cannot be unmade. The undo opens a pull request that reverts it, unless somebody has changed the same
    files since; it reopens the issues that the merge closed, and names the deployments of it. The code is live until
    people merge that revert: till then the undo is unfinished, and a later rollback looks again.
    """

    name, risk, reversal, repeatable = "github.pulls.merge", Risk.CRITICAL, Reversal.COMPENSATING, True
    undo_risk = Risk.HIGH
    undo_effects = frozenset(
        {UndoEffect.REACHES_PEOPLE, UndoEffect.PUBLISHES, UndoEffect.TRIGGERS_AUTOMATION}
    )
    scopes = ("contents: write", "pull requests: write", "issues: write", "deployments: read")

    number: PullNumber
    sha: Sha = Field(
        description="The commit at its head, as github_pulls_get told it; GitHub refuses if there are newer ones."
    )
    merge_method: Method = "merge"
    commit_title: str | None = Field(default=None, description="The merge commit's first line.")
    commit_message: str | None = Field(default=None, description="The rest of its message.")

    def snapshot(self, api: Any) -> Json:
        """{"id", "title", "base", "base_sha": str, "head": str | None, "commits": int, "closes": [number]}

        `head` is the branch, if it is in this repository; `closes` are the open issues that the merge closes.
        """
        hub = hub_of(api)
        pull = hub.get(self.at("pulls", self.number))
        if pull["merged"] or pull["state"] != "open":
            raise NotDone(f"#{self.number} is {'merged' if pull['merged'] else 'closed'} already")
        if pull["head"]["sha"] != self.sha:
            raise NotDone(f"the head of #{self.number} is {pull['head']['sha']} by now: look at it again")
        ours = (pull["head"]["repo"] or {}).get("full_name") == pull["base"]["repo"]["full_name"]
        return {
            "id": pull["node_id"],
            "title": pull["title"],
            "base": pull["base"]["ref"],
            "base_sha": self.head(hub, pull["base"]["ref"]),
            "head": pull["head"]["ref"] if ours else None,
            "commits": pull["commits"],
            "closes": closes(hub, self.at(), pull),
        }

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"number": int, "sha": the merge commit, "base": str}

        `sha` makes GitHub refuse, with 409, if the head has moved. Source: docs.github.com/en/rest/pulls/pulls, "Merge
        a pull request".
        """
        given: dict[str, Json] = {"sha": self.sha, "merge_method": self.merge_method}
        for field in ("commit_title", "commit_message"):
            if (value := getattr(self, field)) is not None:
                given[field] = value
        done = hub_of(api).send("PUT", self.at("pulls", self.number, "merge"), given)
        return self._told(action, done["sha"])

    def _told(self, action: Action, sha: str) -> Json:
        return {"number": self.number, "sha": sha, "base": action.before["base"]}

    def observe(self, api: Any, action: Action) -> Json:
        return {"merged": hub_of(api).get(self.at("pulls", self.number))["merged"]}

    def as_before(self, action: Action) -> Json:
        return {"merged": False}

    def expect(self, action: Action) -> Json:
        return {"merged": True}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        pull = hub.get(self.at("pulls", self.number))
        if not pull["merged"]:
            return NotHappened()
        by = (pull["merged_by"] or {}).get("login")
        if by == hub.login:
            return Happened(self._told(action, pull["merge_commit_sha"]), after={"merged": True})
        return Unknown(f"it is merged, by {by}")

    def undo(self, api: Any, action: Action) -> Undone:
        hub = hub_of(api)
        base, mine = action.before["base"], self._proposal(hub, action)
        if mine is not None and mine["merged_at"] and mine["base"]["ref"] == base:
            return Undone(self._residue(hub, action, f"its revert #{mine['number']} is merged"))
        found = live(hub, self.at(), self._change(hub, action), quote(base))
        if found is not None and not (found.back or found.taken):
            return Undone(self._residue(hub, action, f"what it changed is gone from {base} already"))
        mine = mine or self._once(hub, action, found)
        said = f"reverted in #{mine['number']}, which is not merged"
        is_open = mine["state"] == "open"
        return Undone(
            self._residue(hub, action, said),
            f"revert proposed as #{mine['number']}, the code is still live: "
            f"{'merge it' if is_open else 'it was closed; reopen and merge it, or revert by hand'}, "
            f"and roll back again ({mine['html_url']})",
        )

    def _change(self, hub: Hub, action: Action) -> tuple[str, str]:
        """The commits of the base branch before and after the merge.

        A rebase puts all of its commits onto the base, of which GitHub names the last. Source: docs.github.com/en/
        repositories/configuring-branches-and-merges-in-your-repository, "About merge methods on GitHub".
        """
        after = before = str(action.receipt["sha"])
        for _ in range(action.before["commits"] if self.merge_method == "rebase" else 1):
            before = str(commit(hub, self.at(), before)["parents"][0]["sha"])
            if before == action.before["base_sha"]:
                break
        return before, after

    # -- the revert --------------------------------------------------------------------------------

    def _because(self, action: Action) -> str:
        """By which a later try finds it; visible, so that it is there without markers, too."""
        return f"Reverts #{self.number}, merged by an automated run that was rolled back. ({action.id})"

    def _branch(self, action: Action) -> str:
        return f"revert-{self.number}-{sha256(action.key.encode()).hexdigest()[:12]}"

    def _proposal(self, hub: Hub, action: Action) -> Mapping[str, Any] | None:
        """The pull request that an earlier try opened."""
        pulls = hub.since(action, self.at("pulls"), state="all", sort="created", direction="desc")
        why, branch = self._because(action), self._branch(action)
        return next(
            (one for one in pulls if why in (one["body"] or "") or one["head"]["ref"] == branch), None
        )

    def _once(self, hub: Hub, action: Action, found: Live | None) -> Mapping[str, Any]:
        """Open it; after a lost reply the next try comes when it has landed, and so finds it."""
        try:
            return self._propose(hub, action, found)
        except (GithubException, requests.RequestException):
            time.sleep(hub.settles)
            raise

    def _propose(self, hub: Hub, action: Action, found: Live | None) -> Mapping[str, Any]:
        title, body = f'Revert "{action.before["title"]}"', self._because(action)
        try:
            given = {"pullRequestId": action.before["id"], "title": title, "body": body}
            number = hub.query(REVERT, {"input": given})["revertPullRequest"]["revertPullRequest"]["number"]
        except Throttled:
            raise
        except NotDone as refused:  # there is no GraphQL, or it cannot revert it: by its files, then
            if found is None or found.taken:
                base = action.before["base"]
                what = f"{base} has changed the same files since" if found else "the repository is too large"
                raise Conflict(
                    f"it cannot be reverted: {what} ({refused})", found.taken if found else ()
                ) from None
            self._commit(hub, action, found, f"{title}\n\n{body}")
            given = {
                "title": title,
                "body": body,
                "head": self._branch(action),
                "base": action.before["base"],
            }
            number = hub.send("POST", self.at("pulls"), given)["number"]
        return dict(hub.get(self.at("pulls", number)))

    def _commit(self, hub: Hub, action: Action, found: Live, message: str) -> None:
        """A branch of our own, with a commit whose tree takes the merge back."""
        branch = self._branch(action)
        if self.head(hub, branch) is not None:
            return
        over = commit(hub, self.at(), found.tip)["tree"]["sha"]
        tree = hub.send("POST", self.at("git", "trees"), {"base_tree": over, "tree": entries(found)})
        given = {"message": message, "tree": tree["sha"], "parents": [found.tip]}
        self.make(hub, branch, hub.send("POST", self.at("git", "commits"), given)["sha"])

    # -- what stays --------------------------------------------------------------------------------

    def _residue(self, hub: Hub, action: Action, how: str) -> Sequence[str]:
        """What is named each time; issues are reopened along the way."""
        return [
            f"#{self.number} stays merged in the history of {action.before['base']}; {how}; {NOTIFIED}",
            *self._gone(hub, action),
            *reopened(hub, self.at(), action.before["closes"], hub.get(self.at("pulls", self.number))),
            *self._deployed(hub, action),
        ]

    def _gone(self, hub: Hub, action: Action) -> Sequence[str]:
        """A repository may be set to delete a branch that is merged."""
        head = action.before["head"]
        if head is None or self.head(hub, head) is not None:
            return ()
        return (f"the branch {head} is gone; it was at {self.sha}",)

    def _deployed(self, hub: Hub, action: Action) -> Sequence[str]:
        sha = action.receipt["sha"]
        try:
            found = list(hub.pages(self.at("deployments"), sha=sha))
        except Throttled:
            raise
        except NotDone as error:
            return (f"whether {sha[:7]} was deployed could not be seen: {error}",)
        named = [
            f"deployment {one['id']} of {sha[:7]} to {one['environment']} stays" for one in found[:NAMED]
        ]
        more = len(found) - NAMED
        return [*named, *([f"and {more} more deployments of it"] if more > 0 else [])]
