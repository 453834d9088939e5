"""A repository on the emulator, as the laws compare it, and what a colleague does to it."""

from __future__ import annotations

import base64
import itertools
import uuid
from dataclasses import dataclass, field
from typing import Any

from github import Auth, Github

from langchain_agentrein import AgentRein, Session
from langchain_agentrein.toolkits.github import Hub
from langchain_agentrein.toolkits.github.hub import Gone
from tests.support.github_extra import Extra

TOKENS = 40
SEED = "\n".join(
    [
        "tokens:",
        *(
            f"  {who}-{n}: {{login: {who}, scopes: [repo, user]}}"
            for who in ("bot", "ana")
            for n in range(TOKENS)
        ),
        "github:",
        "  users: [{login: bot}, {login: ana}, {login: dan}]",
    ]
)
"""The emulator lets a token make 5,000 requests an hour: each has several."""
_TURN = itertools.count()


def next_token(who: str) -> str:
    """One of somebody's tokens, another each time."""
    return f"{who}-{next(_TURN) % TOKENS}"


def client(url: str, who: str = "bot") -> Github:
    """A developer's client of the emulator at `url`."""
    token = Auth.Token(next_token(who))
    return Github(base_url=url, auth=token, retry=None, seconds_between_writes=0, seconds_between_requests=0)


def hub(url: str, who: str = "bot", **options: Any) -> Hub:
    """A hub on the emulator at `url`."""
    return Hub(client(url, who), **{"settles": 0.0, **options})


def wrapped(rein: AgentRein, url: str, session: Session | None = None, **options: Any) -> Github:
    """A wrapped client of the emulator, which does not wait for replies that were lost."""
    return rein.wrap(client(url), session, api=hub(url), **options)


@dataclass
class Shop:
    """One test's repository.

    Attributes:
        url: Where the agent finds GitHub.
        behind: Where a colleague does, and whoever compares: nobody reads along.
        extra: What the emulator lacks.
        hub: The agent's.
        ana: A colleague's.
        also: What else `state` tells: `reviewers`, `reviews`, `lines`, `releases`, `tags`.
        owner: The agent's account, used by a person.
    """

    url: str
    behind: str
    extra: Extra
    hub: Hub = field(init=False)
    ana: Hub = field(init=False)
    owner: Hub = field(init=False)
    repo: str = field(init=False)
    also: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.hub, self.ana, self.owner = hub(self.url), hub(self.behind, "ana"), hub(self.behind)
        name = f"shop-{uuid.uuid4().hex[:8]}"
        self.owner.send("POST", "/user/repos", {"name": name, "auto_init": True})
        self.repo = f"bot/{name}"
        self.owner.send("PUT", f"/repos/{self.repo}/collaborators/ana", {"permission": "push"})
        for label in list(self.owner.pages(self.at("labels"))):
            self.owner.send("DELETE", self.at("labels", label["name"]))

    def at(self, *parts: Any) -> str:
        return "/".join((f"/repos/{self.repo}", *map(str, parts)))

    def label(self, name: str, color: str = "ff0000") -> None:
        self.ana.send("POST", self.at("labels"), {"name": name, "color": color})

    def milestone(self, title: str) -> int:
        return int(self.ana.send("POST", self.at("milestones"), {"title": title})["number"])

    def issue(self, title: str, **given: Any) -> int:
        """One that ana opened."""
        return int(self.ana.send("POST", self.at("issues"), {"title": title, **given})["number"])

    def edit(self, number: int, **given: Any) -> None:
        self.ana.send("PATCH", self.at("issues", number), given)

    def comment(self, number: int, body: str) -> int:
        """One that ana wrote."""
        return int(self.ana.send("POST", self.at("issues", number, "comments"), {"body": body})["id"])

    def file(self, path: str, text: str) -> None:
        """One that ana committed to main."""
        known = self.ana.find(self.at("contents", path))
        body = {"message": "ana's", "content": base64.b64encode(text.encode()).decode()}
        if known is not None:
            body["sha"] = known["sha"]
        self.ana.send("PUT", self.at("contents", path), body)

    def branch(self, name: str) -> str:
        """One that ana made, from main; the commit that it points to."""
        sha = str(self.ana.get(self.at("git", "ref", "heads", "main"))["object"]["sha"])
        self.ana.send("POST", self.at("git", "refs"), {"ref": f"refs/heads/{name}", "sha": sha})
        return sha

    def pull(self, head: str, body: str = "why") -> int:
        """One that ana opened, from a new branch with a commit of its own."""
        self.branch(head)
        path = self.at("contents", f"{head}.txt")
        known = self.ana.find(path, ref=head)
        change = {"message": "m", "branch": head, "content": base64.b64encode(head.encode()).decode()}
        self.ana.send("PUT", path, {**change, **({"sha": known["sha"]} if known else {})})
        given = {"title": head, "head": head, "base": "main", "body": body}
        return int(self.ana.send("POST", self.at("pulls"), given)["number"])

    def headed(self, head: str, body: str = "why") -> dict[str, Any]:
        """A pull request that ana opened, as one that merges names it: `number` and `sha`."""
        number = self.pull(head, body)
        return {"number": number, "sha": self.ana.get(self.at("pulls", number))["head"]["sha"]}

    def merge_reverts(self) -> int:
        """Ana merges what proposes to revert something; how many did."""
        open_ones = [one for one in self._all("pulls") if one["title"].startswith("Revert ")]
        for one in open_ones:
            self.ana.send("PUT", self.at("pulls", one["number"], "merge"), {})
        return len(open_ones)

    def state(self) -> dict[str, Any]:
        """Everything that people see in it, by number and name, and of a repository beside it."""
        settings = self.settings(self.repo)
        if settings is None:
            return {"settings": None}
        return {
            "settings": settings,
            "beside": self.settings(self.beside),
            "extra": self.extra.state(self.repo),
            "issues": {issue["number"]: self._issue(issue) for issue in self._all("issues", state="all")},
            "labels": {
                label["name"]: (label["color"], label["description"] or "") for label in self._all("labels")
            },
            "branches": {one["name"]: one["commit"]["sha"] for one in self._all("branches")},
            "files": {one["path"]: one["sha"] for one in self.ana.get(self.at("contents"))},
            "pulls": {
                one["number"]: (one["title"], one["body"] or "", one["state"], one["base"]["ref"])
                for one in self._all("pulls", state="all")
            },
            "milestones": {
                one["title"]: (one["state"], one["description"] or "", one["due_on"])
                for one in self._all("milestones", state="all")
            },
            **{name: getattr(self, f"_{name}")() for name in sorted(self.also)},
        }

    def _reviewers(self) -> dict[int, list[str]]:
        pulls = self._all("pulls", state="all")
        return {one["number"]: sorted(who["login"] for who in one["requested_reviewers"]) for one in pulls}

    def _of_pulls(self, what: str) -> list[dict[str, Any]]:
        pulls = self._all("pulls", state="all")
        return [one for pull in pulls for one in self._all("pulls", pull["number"], what)]

    def _reviews(self) -> dict[int, tuple[str, str]]:
        return {one["id"]: (one["user"]["login"], one["state"]) for one in self._of_pulls("reviews")}

    def _lines(self) -> dict[int, tuple[Any, ...]]:
        found = self._of_pulls("comments")
        return {one["id"]: (one["user"]["login"], one["path"], one["line"], one["body"]) for one in found}

    def _releases(self) -> dict[str, tuple[Any, ...]]:
        names = ("name", "body", "draft", "prerelease")
        return {
            one["tag_name"]: (*(one[name] for name in names), sorted(file["name"] for file in one["assets"]))
            for one in self._all("releases")
        }

    def _tags(self) -> dict[str, str]:
        found = self.ana.get(self.at("git", "matching-refs", "tags"))
        return {one["ref"]: one["object"]["sha"] for one in found}

    def tag(self, name: str) -> str:
        """One that ana made, of main; the commit that it points to."""
        sha = str(self.ana.get(self.at("git", "ref", "heads", "main"))["object"]["sha"])
        self.ana.send("POST", self.at("git", "refs"), {"ref": f"refs/tags/{name}", "sha": sha})
        return sha

    def release(self, tag: str, **given: Any) -> int:
        """One that ana published."""
        body = {"tag_name": tag, "name": tag, "body": "what is new", **given}
        return int(self.ana.send("POST", self.at("releases"), body)["id"])

    def upload(self, release: int, name: str, content: bytes) -> int:
        """A file of a release, as ana uploaded it; the emulator keeps its size alone."""
        where = f"{self.behind}{self.at('releases', release, 'assets')}"
        return int(self.ana.upload(where, content, "text/plain", name=name)["id"])

    def line(self, number: int, body: str, **given: Any) -> int:
        """A comment of ana's on a line."""
        place = {"path": "topic.txt", "line": 1, **given}
        return int(self.ana.send("POST", self.at("pulls", number, "comments"), {"body": body, **place})["id"])

    @property
    def beside(self) -> str:
        """The name of another repository, which is not there yet."""
        return f"{self.repo}-2"

    def settings(self, repo: str) -> dict[str, Any] | None:
        """How a repository is set, if there is one."""
        try:
            there = self.owner.get(f"/repos/{repo}")
        except Gone:
            return None
        names = ("description", "homepage", "private", "archived", "default_branch", "has_wiki", "has_issues")
        return {name: there[name] or None for name in names}

    def _all(self, *parts: Any, **parameters: Any) -> list[dict[str, Any]]:
        return list(self.ana.pages(self.at(*parts), **parameters))

    def _issue(self, issue: dict[str, Any]) -> dict[str, Any]:
        comments = self._all("issues", issue["number"], "comments") if issue["comments"] else []
        return {
            "title": issue["title"],
            "body": issue["body"] or "",
            "state": (issue["state"], issue["state_reason"]),
            "labels": sorted(label["name"] for label in issue["labels"]),
            "assignees": sorted(user["login"] for user in issue["assignees"]),
            "milestone": (issue["milestone"] or {}).get("title"),
            "locked": (issue["locked"], issue["active_lock_reason"]),
            "comments": {one["id"]: (one["user"]["login"], one["body"]) for one in comments},
        }
