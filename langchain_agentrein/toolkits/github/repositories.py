"""Repositories: created, changed, deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk, UndoEffect
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Assessment, Happened, NotHappened, Probed, Unknown
from langchain_agentrein.toolkits.github.hub import SKEW, Gone, Hub, hub_of
from langchain_agentrein.toolkits.github.operation import GitHubOperation, Patch

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""Git's name for no files at all."""
SWITCHES = (
    "has_issues",
    "has_wiki",
    "has_projects",
    "allow_merge_commit",
    "allow_squash_merge",
    "allow_rebase_merge",
    "delete_branch_on_merge",
)


def receipt(repo: Mapping[str, Any]) -> dict[str, Json]:
    """{"repo": str, "url": str, "id": int}"""
    return {"repo": repo["full_name"], "url": repo["html_url"], "id": repo["id"]}


class _OnRepository(GitHubOperation):
    """About a repository as a whole."""

    scopes: ClassVar[tuple[str, ...]] = ("administration: write",)

    @property
    def owner(self) -> str:
        """A user or an organization."""
        return self.repo.partition("/")[0]

    def there(self, hub: Hub) -> dict[str, Any] | None:
        """The repository; `None` if there is none.

        Raises:
            Gone: It is not seen, and so is not what these credentials would see if it were there.
        """
        try:
            return dict(hub.get(self.at()))
        except Gone:
            # A 404 says as well that these credentials may not see it: they must at least open what is beside it.
            if hub.whose().casefold() != self.owner.casefold():
                hub.get(f"/orgs/{self.owner}/memberships/{hub.login}")
            return None


class CreateRepo(_OnRepository):
    """Create a repository, private unless told otherwise. For an organization, name it as the owner.

    The undo deletes it. Not once it holds files, issues, pull requests, releases or forks that were not there when it
    was created, or somebody else has written in it.
    """

    name, risk, reversal = "github.repos.create", Risk.CRITICAL, Reversal.COMPENSATING
    undo_risk, repeatable = Risk.HIGH, True
    scopes = ("administration: write", "contents: read", "issues: read", "pull requests: read")
    classic = ("repo", "delete_repo")

    description: str = Field(default="", max_length=350, description="What it is for, in one line.")
    private: bool = Field(default=True, description="Only its owner and collaborators see it.")
    auto_init: bool = Field(default=False, description="Begin with a README and a first commit.")

    def snapshot(self, api: Any) -> Json:
        """{"mine": bool}: whether it is the account's own, or an organization's"""
        hub = hub_of(api)
        if self.there(hub) is not None:
            raise NotDone(f"there is a repository {self.repo} already")
        return {"mine": hub.login.casefold() == self.owner.casefold()}

    def do(self, api: Any, action: Action) -> Json:
        path = "/user/repos" if action.before["mine"] else f"/orgs/{self.owner}/repos"
        given = {"name": self.repo.partition("/")[2], **self._given()}
        return receipt(hub_of(api).send("POST", path, {**given, "auto_init": self.auto_init}))

    def _given(self) -> dict[str, Json]:
        return {"description": self.description, "private": self.private}

    def observe(self, api: Any, action: Action) -> Json:
        """{"id": int, "repo": str, "description": str, "private": bool, "archived": bool, "files": {branch: tree}}"""
        hub = hub_of(api)
        there = self.there(hub)
        if there is None:
            return None
        return {
            "id": there["id"],
            "repo": there["full_name"],
            "description": there["description"] or "",
            "private": there["private"],
            "archived": there["archived"],
            "files": self._files(hub),
        }

    def _files(self, hub: Hub) -> dict[str, Json]:
        """What each branch holds, under git's name for it; a branch without files is as good as none."""
        files = {
            branch["name"]: hub.get(self.at("git", "commits", branch["commit"]["sha"]))["tree"]["sha"]
            for branch in hub.pages(self.at("branches"))
        }
        return {name: tree for name, tree in files.items() if tree != EMPTY_TREE}

    def as_before(self, action: Action) -> Json:
        return None

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        there = self.there(hub)
        if there is None:
            return NotHappened()
        begun = action.started_at or datetime.now(UTC)
        made = datetime.fromisoformat(there["created_at"])
        asked = {"description": there["description"] or "", "private": there["private"]} == self._given()
        if asked and begun - made <= SKEW:
            return Happened(receipt(there), after=self.observe(hub, action))
        return Unknown(f"there is a repository {self.repo}, and it is not as this call would have made it")

    def attached(self, api: Any, action: Action) -> Sequence[str]:
        hub = hub_of(api)
        there = self.there(hub)
        return () if there is None else list(self._attached(hub, there))

    def _attached(self, hub: Hub, there: Mapping[str, Any]) -> Iterator[str]:
        """What others left in it, and what was left in it under our name that no undo has taken back."""
        ours = hub.login.casefold()
        for issue in hub.pages(self.at("issues"), state="all"):
            if issue["state"] == "open" or issue["user"]["login"].casefold() != ours:
                yield f"#{issue['number']} by {issue['user']['login']}: {issue['html_url']}"
        for kind in ("issues", "pulls"):
            for comment in hub.pages(self.at(kind, "comments")):
                if comment["user"]["login"].casefold() != ours:
                    yield f"{comment['user']['login']} commented: {comment['html_url']}"
        for branch in hub.pages(self.at("branches")):
            for commit in hub.pages(self.at("commits"), sha=branch["name"]):
                who = (commit["author"] or commit["committer"] or {}).get("login", "somebody")
                if who.casefold() != ours:
                    yield f"{who} committed {commit['sha'][:7]} to {branch['name']}"
        for release in hub.pages(self.at("releases")):
            yield f"release {release['tag_name']}"
        if there["forks_count"]:
            yield f"{there['forks_count']} fork(s) of it"

    def undo(self, api: Any, action: Action) -> str:
        hub = hub_of(api)
        if self.there(hub) is not None:
            hub.send("DELETE", self.at())
        return f"{self.repo} was there for a while; its wiki and discussions, if any, went unread"


class UpdateRepo(_OnRepository, Patch):
    """Change a repository's settings: only those that are given. The undo sets those back.

    Whoever loses sight of a repository that turns private loses stars, watches and forks; that does not come back.
    """

    name, risk, reversal = "github.repos.update", Risk.CRITICAL, Reversal.EXACT
    settable = ("description", "homepage", "private", "archived", "default_branch", *SWITCHES)

    description: str | None = Field(default=None, max_length=350, description="What it is for, in one line.")
    homepage: str | None = Field(default=None, description="The address of its site.")
    private: bool | None = Field(default=None, description="Only its owner and collaborators see it.")
    archived: bool | None = Field(default=None, description="Nothing can be changed in it.")
    default_branch: str | None = Field(default=None, min_length=1, description="The branch that counts.")
    has_issues: bool | None = Field(default=None, description="It has issues.")
    has_wiki: bool | None = Field(default=None, description="It has a wiki.")
    has_projects: bool | None = Field(default=None, description="It has projects.")
    allow_merge_commit: bool | None = Field(default=None, description="Pull requests may be merged.")
    allow_squash_merge: bool | None = Field(default=None, description="Pull requests may be squashed.")
    allow_rebase_merge: bool | None = Field(default=None, description="Pull requests may be rebased.")
    delete_branch_on_merge: bool | None = Field(default=None, description="A merged branch is deleted.")

    def given(self) -> dict[str, Json]:
        return {name: value for name, value in super().given().items() if value is not None}

    def assess(self, api: Any) -> Assessment:
        return self.undo_assessment()

    def undo_assessment(self) -> Assessment:
        """One that shows the repository, or hides it, is noticed."""
        usual = self.usual()
        if self.private is None:
            return usual
        shows = frozenset({UndoEffect.PUBLISHES}) if self.private else frozenset[UndoEffect]()
        says = "makes it private" if self.private else "makes it public: what was seen stays seen"
        return Assessment(usual.risk, Reversal.COMPENSATING, says, usual.undo_risk, shows)

    def read(self, hub: Hub) -> dict[str, Json]:
        there = hub.get(self.at())
        if hidden := [name for name in self.given() if name not in there]:
            raise NotDone(f"GitHub shows {', '.join(hidden)} to those alone who may change the settings")
        fields = {name: there.get(name) for name in self.settable}
        texts = {name: there[name] or "" for name in ("description", "homepage")}
        return {**receipt(there), **fields, **texts}

    def write(self, hub: Hub, values: Mapping[str, Json]) -> Any:
        rest = dict(values)
        if rest.get("archived") is False and len(rest) > 1 and hub.get(self.at())["archived"]:
            hub.send(
                "PATCH", self.at(), {"archived": rest.pop("archived")}
            )  # first: it is read-only until then
        return receipt(hub.send("PATCH", self.at(), rest))

    def told(self, there: Any) -> Json:
        return {name: there[name] for name in ("repo", "url", "id")}

    def expect(self, action: Action) -> Json:
        return self.given()

    def stays(self, hub: Hub, action: Action, back: Mapping[str, Json]) -> Sequence[str]:
        if "private" not in back:
            return ()
        if back["private"]:
            return (f"{self.repo} was public for a while: it may have been read, copied and forked",)
        return (f"{self.repo} was private for a while: the stars and watches that it lost are gone",)


class DeleteRepo(_OnRepository):
    """Delete a repository with its issues, pull requests, releases and settings, for good. Nothing undoes it."""

    name, risk, reversal = "github.repos.delete", Risk.CRITICAL, Reversal.NONE
    classic = ("delete_repo",)

    def snapshot(self, api: Any) -> Json:
        """{"id": int, "description": str | None, "private": bool, "open_issues": int}: for whoever reads the record"""
        there = hub_of(api).get(self.at())
        told = {name: there[name] for name in ("id", "description", "private")}
        return {**told, "open_issues": there["open_issues_count"]}

    def do(self, api: Any, action: Action) -> Json:
        """receipt: {"repo": str}"""
        hub_of(api).send("DELETE", self.at())
        return {"repo": self.repo}

    def probe(self, api: Any, action: Action) -> Probed:
        hub = hub_of(api)
        hub.wait_for(action)
        there = self.there(hub)
        if there is None or there["id"] != action.before["id"]:
            return Happened({"repo": self.repo})
        return NotHappened()
