"""The lab on GitHub: the world is an emulator, the SDK speaks with it, and a colleague works on it, too.

Judged by what is on GitHub in the end: one issue and one comment a call, each undone once, and every word of the
colleague's where it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from langchain_agentrein import AgentRein, Status
from langchain_agentrein.action import UNDONE, Action, SessionStatus
from langchain_agentrein.toolkits.github.hub import marker
from tests.integration_tests.toolkits.github.world import SEED, hub
from tests.lab.child import Spec
from tests.lab.controller import Lab, Playing
from tests.lab.github_agent import CALLS, SCENARIOS
from tests.lab.judge import HAPPENED, Verdict
from tests.lab.stories import Story, Trial
from tests.support.emulators import emulate
from tests.support.fault_proxy import Fault, Proxy, proxied
from tests.support.openapi import github as described

ACTED = ("run", ""), ("people", ""), ("rollback", "")
STORIES = {
    "github forward": Story("github forward"),
    "github back": Story("github back"),
    "github together": Story("github together"),
    "github undone": Story("github forward", (("run", ""), ("rollback", ""))),
    "github busy": Story("github forward", ACTED),
}
"""In the last one a colleague answers on the new issue and renames the old one, before it is rolled back."""
FAULTS = {
    "swallow": Fault("swallow"),
    "drop": Fault("cut"),
    "refuse": Fault("answer", 503),
    "break": Fault("answer after", 502),
    "wait": Fault("answer", 429, {"Retry-After": "0"}),
}
THEIRS = "Renamed by ana"
LATER = "I have it, too."
WHY = "rolled back; closed for that reason"


@dataclass(frozen=True, slots=True)
class Outside:
    """GitHub, as a lab's agents reach it, and as everybody else does."""

    proxy: Proxy
    behind: str


@contextmanager
def outside(server: str) -> Iterator[Outside]:
    """A way to the emulator at `server` of a lab's own: what is broken on it is broken for nobody else."""
    with proxied(server, check=described().request) as proxy:
        yield Outside(proxy, server)


@contextmanager
def emulated(home: Path) -> Iterator[str]:
    """An emulator; its URL."""
    home.mkdir()
    with emulate("github", SEED, home) as url:
        yield url


class GitHubPlaying(Playing):
    """One trial on GitHub."""

    faults = tuple(FAULTS)
    outside: Outside

    def __init__(self, outside: Outside, lab: Lab, trial: Trial, case: str) -> None:
        self.outside = outside
        super().__init__(lab, trial, case)

    def stories(self) -> Mapping[str, Story]:
        return STORIES

    def prepare(self) -> None:
        self.spec: Spec = replace(self.spec, github=self.outside.proxy.url)
        self.owner, self.ana = hub(self.outside.behind), hub(self.outside.behind, "ana")
        self.answered = False
        self.owner.send("POST", "/user/repos", {"name": self.case, "auto_init": True})
        self.owner.send("PUT", self._at("collaborators", "ana"), {"permission": "push"})
        self.ana.send("POST", self._at("issues"), {"title": "Old", "body": "As it was.", "labels": ["bug"]})
        self.ana.send("POST", self._at("issues", 1, "comments"), {"body": "First."})
        self.before = self._look()

    def forget(self) -> None:
        self.outside.proxy.fault = None
        self.owner.send("DELETE", self._at())

    def fail(self, nth: int, fault: str) -> None:
        self.outside.proxy.fault = replace(FAULTS[fault], skip=nth - 1)

    def happened(self, kind: str, key: str) -> bool:
        with self.opened() as rein:
            action = rein.journal.get(key)
        there = effects(action, self._look())
        return bool(there) if kind == "do" else not there

    def verdict(self, ended: str, rein: AgentRein) -> Verdict:
        sessions = rein.journal.sessions(thread_id=self.case)
        actions = rein.journal.actions([one.id for one in sessions]) if sessions else []
        wanted = [CALLS[name] for turn in SCENARIOS[self.story.scenario] for name in turn]
        now = self._look()
        wrong, self.outside.proxy.wrong[:] = list(self.outside.proxy.wrong), []
        found = [
            *(f"GitHub knows no such request: {one}" for one in wrong),
            *_each(actions, now),
            *_foreign(self.before, now, self.answered),
            *_ended(ended, wanted, actions, [one.status for one in sessions], self.before, now),
        ]
        if sessions and not (checked := rein.journal.verify([one.id for one in sessions])).ok:
            found.append(f"the chain does not verify: {checked}")
        undone = sum(action.status in UNDONE for action in actions)
        return Verdict(tuple(found), len(sessions), sum(one.status in HAPPENED for one in actions), undone)

    def act(self, act: str, deadly: str = "") -> dict[str, Any]:
        if act != "people":
            return super().act(act, deadly)
        if not self.answered:
            self.answered = True
            self.ana.send("PATCH", self._at("issues", 1), {"title": THEIRS})
            for issue in self._look()["issues"].values():
                if issue["by"] == "bot" and issue["state"][0] == "open":  # later, nothing is undone any more
                    self.ana.send("POST", self._at("issues", issue["number"], "comments"), {"body": LATER})
        return {"state": "done"}

    def _at(self, *parts: Any) -> str:
        return "/".join((f"/repos/bot/{self.case}", *map(str, parts)))

    def _look(self) -> dict[str, Any]:
        """{"issues": {number: ...}, "labels": [name]}"""
        labels = sorted(one["name"] for one in self.ana.pages(self._at("labels")))
        found = list(self.ana.pages(self._at("issues"), state="all"))
        return {"issues": {one["number"]: self._issue(one) for one in found}, "labels": labels}

    def _issue(self, issue: Mapping[str, Any]) -> dict[str, Any]:
        said = (
            list(self.ana.pages(self._at("issues", issue["number"], "comments"))) if issue["comments"] else []
        )
        return {
            "number": issue["number"],
            "by": issue["user"]["login"],
            "title": issue["title"],
            "body": issue["body"] or "",
            "state": (issue["state"], issue["state_reason"]),
            "labels": sorted(label["name"] for label in issue["labels"]),
            "said": [(one["user"]["login"], one["body"]) for one in said],
        }


def effects(action: Action, now: Mapping[str, Any]) -> int:
    """How often the effect of an action is there."""
    issues, old = now["issues"].values(), now["issues"][1]
    mine = marker(action)
    if action.operation == "github.issues.create":
        return sum(mine in one["body"] and one["state"][0] == "open" for one in issues)
    if action.operation == "github.comments.create":
        return sum(mine in body for one in issues for _, body in one["said"])
    if action.operation == "github.issues.update":
        return int(old["title"] == action.args["title"])
    return int("late" in old["labels"])


def _each(actions: Sequence[Action], now: Mapping[str, Any]) -> Iterator[str]:
    """P1, P2, P3, P5, P7: every effect has its record, once, and no record says more than what is there."""
    unknown = {one["number"] for one in now["issues"].values() if one["by"] == "bot"}
    for action in actions:
        name, there = f"{action.operation} ({action.id}, {action.status})", effects(action, now)
        made = [one for one in now["issues"].values() if marker(action) in one["body"]]
        unknown -= {one["number"] for one in made}
        if action.operation.endswith("charge"):
            continue
        if action.status in (Status.EXECUTING, Status.COMPENSATING):
            yield f"P3: {name} is still under way after recover"
        if len(made) > 1 or there > 1:
            yield f"P2: {name} is on GitHub {max(len(made), there)} times"
        if action.status not in HAPPENED and (made or (there and _alone(action, actions))):
            yield f"P3: {name} happened"
        if action.status is Status.EXECUTED and not there and now["issues"][1]["title"] != THEIRS:
            yield f"P3: {name} is not there"
        if action.status in UNDONE and there and _alone(action, actions):
            yield f"P7: {name} is there"
        for one in made:
            said = sum(WHY in body for _, body in one["said"])
            if said > 1 or (action.status in UNDONE and not said):
                yield f"P5: #{one['number']} of {name} says {said} times why it was closed"
    for number in unknown:
        yield f"P1: #{number} has no record"


def _alone(action: Action, actions: Sequence[Action]) -> bool:
    """Whether no other action has the same effect: another generation of the call, say."""
    return [one.operation for one in actions if one.status in HAPPENED].count(action.operation) <= 1


def _foreign(before: Mapping[str, Any], now: Mapping[str, Any], answered: bool) -> Iterator[str]:
    """P6: every word of the colleague's is where it was."""
    then, old = before["issues"][1], now["issues"][1]
    if (old["body"], old["state"]) != (then["body"], then["state"]) or then["said"][0] not in old["said"]:
        yield f"P6: the colleague's issue is {old}, and was {then}"
    if not answered:
        return
    if old["title"] != THEIRS:
        yield f"P6: what the colleague named {THEIRS!r} is called {old['title']!r}"
    for one in now["issues"].values():
        if one["by"] == "bot" and ("ana", LATER) in one["said"] and one["state"][0] != "open":
            yield f"P6: #{one['number']} is closed, and the colleague had answered"


def _ended(
    ended: str,
    wanted: Sequence[tuple[str, dict[str, Any]]],
    actions: Sequence[Action],
    sessions: Sequence[SessionStatus],
    before: Mapping[str, Any],
    now: Mapping[str, Any],
) -> Iterator[str]:
    """P2, P4, P7, P8: a run that is done is done, once; what was rolled back is as before, or somebody is told."""
    if SessionStatus.ROLLING_BACK in sessions:
        yield "P8: a session is still being rolled back after recover"
    if ended == "done":
        have = Counter(one.operation.replace(".", "_") for one in actions if one.status is Status.EXECUTED)
        for tool, count in Counter(tool for tool, _ in wanted).items():
            if have[tool] != count:
                yield f"P2: the run is done, and {tool} is executed {have[tool]} times, not {count}"
        return
    waits = [one for one in actions if one.status in (Status.STUCK, Status.CONFLICT, Status.IN_DOUBT)]
    if waits:
        if SessionStatus.STUCK not in sessions:
            yield f"P7: something waits for a person, and no session is stuck: {sessions}"
        return
    for one in actions:
        if one.status is Status.EXECUTED:
            yield f"P4: {one.operation} was rolled back, and is executed"
    yield from _restored(before, now)


def _restored(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    left, was = now["issues"][1], before["issues"][1]
    if {**left, "title": ""} != {**was, "title": ""} or left["title"] not in (was["title"], THEIRS):
        yield f"P6: rolled back, and #1 is {left}, not {was}"
    if now["labels"] != before["labels"]:
        yield f"P6: rolled back, and the labels are {now['labels']}, not {before['labels']}"
    for one in now["issues"].values():
        if one["by"] == "bot" and one["state"] != ("closed", "not_planned"):
            yield f"P4: rolled back, and #{one['number']} is {one['state']}"
