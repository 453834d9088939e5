"""The repository of the story, on an emulator of GitHub, and the colleague who works in it meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from github import Auth, Github

from langchain_agentrein.toolkits.github import Hub
from langchain_agentrein.toolkits.github.hub import unmarked

OWNER: Final = "harbor-team"
REPO: Final = f"{OWNER}/harbor"
AGENT: Final = "triage-bot"
COLLEAGUE: Final = "ana"
SEED: Final = "\n".join(
    [
        "tokens:",
        *(f"  {who}-token: {{login: {who}, scopes: [repo, user]}}" for who in (OWNER, AGENT, COLLEAGUE)),
        "github:",
        f"  users: [{{login: {OWNER}}}, {{login: {AGENT}}}, {{login: {COLLEAGUE}}}]",
    ]
)
MILESTONES: Final = ("2.1", "2.2", "2.3", "3.0", "2.4")
"""In the order in which they were made: the one for 2.4 is number 5, since 3.0 was planned before it."""
BIG, NEXT = 4, 5
_ISSUES: Final[tuple[tuple[str, int | None, list[str]], ...]] = (
    ("Export loses umlauts", NEXT, ["bug"]),
    ("Login page flickers in dark mode", NEXT, ["bug"]),
    ("Document the new sync flags", NEXT, ["docs"]),
    ("Offline mode", BIG, ["feature"]),
    ("Sync conflicts overwrite the newer note", BIG, ["bug"]),
    ("Encrypt notes at rest", BIG, ["feature"]),
    ("Plugins", BIG, ["feature"]),
    ("how do i install this", None, []),
    ("hello??", None, []),
    ("Search is slow with 10,000 notes", None, ["bug"]),
)
"""Title, milestone, labels; they are numbered from 1."""
WRONG: Final = (4, 5, 6, 7)
"""What is planned for 3.0."""
QUESTIONS: Final = (8, 9)
HERS: Final = "Encrypt notes at rest, with keys per device"
"""What the colleague makes of an issue's title, meanwhile."""

State = dict[str, Any]
"""`{"issues": {number: {...}}, "labels": {...}, "milestones": {...}}`"""


@dataclass(frozen=True)
class Repository:
    """The repository, as its people see it.

    Attributes:
        url: Of the API.
    """

    url: str

    def client(self, who: str) -> Github:
        """Somebody's client."""
        pauses: dict[str, Any] = {"seconds_between_writes": 0, "seconds_between_requests": 0}
        return Github(base_url=self.url, auth=Auth.Token(f"{who}-token"), retry=None, **pauses)

    def hub(self, who: str) -> Hub:
        """Somebody's hub; a loopback server has ended a request when it is cut."""
        return Hub(self.client(who), settles=0.0)

    def at(self, *parts: Any) -> str:
        """A path below the repository."""
        return "/".join((f"/repos/{REPO}", *map(str, parts)))

    def build(self) -> None:
        """Fill it."""
        owner, ana = self.hub(OWNER), self.hub(COLLEAGUE)
        owner.send("POST", "/user/repos", {"name": REPO.partition("/")[2], "auto_init": True})
        for who in (AGENT, COLLEAGUE):
            owner.send("PUT", self.at("collaborators", who), {"permission": "push"})
        for label in list(owner.pages(self.at("labels"))):
            owner.send("DELETE", self.at("labels", label["name"]))
        for name, color in (("bug", "d73a4a"), ("feature", "a2eeef"), ("docs", "0075ca")):
            owner.send("POST", self.at("labels"), {"name": name, "color": color})
        for title in MILESTONES:
            owner.send("POST", self.at("milestones"), {"title": title})
        for number in (1, 2, 3):
            owner.send("PATCH", self.at("milestones", number), {"state": "closed"})
        for title, milestone, labels in _ISSUES:
            given: dict[str, Any] = {"title": title, "body": f"{title}. See the forum.", "labels": labels}
            ana.send("POST", self.at("issues"), given | ({"milestone": milestone} if milestone else {}))

    def meanwhile(self) -> None:
        """What the colleague does while the agent is at work: she retitles one issue, and answers two."""
        ana = self.hub(COLLEAGUE)
        ana.send("PATCH", self.at("issues", 6), {"title": HERS})
        for number, body in ((5, "Why closed? It ate two of my notes this morning."), (11, "2.4 has no #4!")):
            ana.send("POST", self.at("issues", number, "comments"), {"body": body})

    def state(self) -> State:
        """Everything that people see in it."""
        hub = self.hub(OWNER)
        issues = [one for one in hub.pages(self.at("issues"), state="all") if "pull_request" not in one]
        return {
            "issues": {one["number"]: self._issue(hub, one) for one in sorted(issues, key=_number)},
            "labels": {one["name"]: one["color"] for one in hub.pages(self.at("labels"))},
            "milestones": {
                one["title"]: one["state"] for one in hub.pages(self.at("milestones"), state="all")
            },
        }

    def _issue(self, hub: Hub, issue: dict[str, Any]) -> dict[str, Any]:
        return {
            "title": issue["title"],
            "body": unmarked(issue["body"]),
            "state": issue["state"],
            "labels": sorted(label["name"] for label in issue["labels"]),
            "milestone": (issue["milestone"] or {}).get("title"),
            "comments": [
                (one["user"]["login"], unmarked(one["body"]))
                for one in hub.pages(self.at("issues", issue["number"], "comments"))
            ],
        }


def expected(before: State) -> State:
    """What it was before the agent came, with what the colleague has done since, and the issue that she answered."""
    issues = {number: dict(one) for number, one in before["issues"].items()}
    issues[6]["title"] = HERS
    issues[5]["comments"] = [(COLLEAGUE, "Why closed? It ate two of my notes this morning.")]
    return {**before, "issues": issues}


def _number(issue: dict[str, Any]) -> int:
    return int(issue["number"])
