"""A session's chain of entries, told in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from langchain_agentrein.action import Entry, Status
from langchain_agentrein.timeline.nodes import Moment
from langchain_agentrein.timeline.shown import Shown

_UNDER_WAY = frozenset({Status.EXECUTING, Status.COMPENSATING})
_NOTES = {
    "paused": "its tool paused to ask",
    "resumed": "its tool went on",
    "in doubt": "nobody could tell whether it happened",
    "left to a person": "a newer message came: only a person releases it",
    "not released": "it could not be released, and stays held",
}
_STEPS = {
    Status.PROPOSED: "proposed; waits for approval",
    Status.APPROVED: "approved",
    Status.DENIED: "denied by a rule",
    Status.REJECTED: "rejected",
    Status.EXPIRED: "nobody decided in time",
    Status.HELD: "held, not done",
    Status.DROPPED: "let go, never run",
    Status.EXECUTING: "started",
    Status.EXECUTED: "done",
    Status.FAILED: "failed: it certainly did not happen",
    Status.IN_DOUBT: "in doubt: it may have happened",
    Status.COMPENSATING: "its undo began",
    Status.RESTORED: "restored, and read back",
    Status.COMPENSATED: "compensated",
    Status.IRREVERSIBLE: "cannot be undone",
    Status.CONFLICT: "conflict: somebody changed it since",
    Status.STUCK: "its undo is stuck",
}


class Chain:
    """The entries of one session, in the order in which they were linked.

    Attributes:
        entries: All of them.
        of: Those of one action, by its id.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = sorted(entries, key=lambda entry: entry.n)
        self.of: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            if entry.action_id is not None:
                self.of[entry.action_id].append(entry)

    def place(self, at: datetime | None) -> int:
        """Where something that has a time and no entry belongs: after everything that came before it."""
        if at is None:
            return self.entries[-1].n if self.entries else 0
        return max((entry.n for entry in self.entries if entry.at <= at), default=0)

    def started(self, action_id: str) -> Entry | None:
        """The entry where an action's effect started, or else the first that tells of it."""
        entries = self.of.get(action_id, [])
        return step_to(entries, Status.EXECUTING) or (entries[0] if entries else None)

    def takeovers(self) -> list[Entry]:
        """Entries by which another process went on with what had been under way in a lost one."""
        return [
            entry
            for entries in self.of.values()
            for before, entry in pairwise(entries)
            if _took_over(before, entry)
        ]

    def newcomers(self) -> list[Entry]:
        """Entries by which a process other than the first began to act, without taking over."""
        seen: set[str | None] = {None}
        taken = {id(entry) for entry in self.takeovers()}
        found = []
        for entry in self.entries:
            acts = entry.event == "action" and entry.to_status in (Status.PROPOSED, *_UNDER_WAY)
            if acts and entry.worker not in seen and len(seen) > 1 and id(entry) not in taken:
                found.append(entry)
            if acts or entry.event == "session" or id(entry) in taken:
                seen.add(entry.worker)
        return found


def _took_over(before: Entry, entry: Entry) -> bool:
    if detail(entry).get("resumed") is True:
        return before.worker != entry.worker
    return (
        before.to_status in _UNDER_WAY
        and None not in (before.worker, entry.worker)
        and before.worker != entry.worker
    )


def detail(entry: Entry) -> Mapping[str, Any]:
    """The facts of an entry; empty if it has none."""
    return entry.detail if isinstance(entry.detail, Mapping) else {}


def step_to(entries: Sequence[Entry], to: Status, *, start: Status | None = None) -> Entry | None:
    """The first step to `to`, from `start` if that is given."""
    for entry in entries:
        moved = entry.event == "action" and entry.to_status == to and entry.from_status != to
        if moved and (start is None or entry.from_status == start):
            return entry
    return None


def worker(entry: Entry) -> str:
    """The process of an entry as `host:pid`, without the number that tells recycled pids apart."""
    return ":".join((entry.worker or "").split(":")[:2])


def moments(entries: Sequence[Entry], shown: Shown) -> tuple[Moment, ...]:
    """What came to pass with one action, one moment an entry."""
    told = []
    for before, entry in zip([None, *entries], entries, strict=False):
        text = _told(entry)
        if before is not None and _took_over(before, entry):
            text = f"another process took over ({worker(entry)}); {text}"
        told.append(Moment(entry.at, shown.text(text, 500)))
    return tuple(told)


def _told(entry: Entry) -> str:
    facts = detail(entry)
    by = f" by {facts['by']}" if facts.get("by") else ""
    if entry.event != "action":
        note = str(facts.get("note") or entry.event)
        return _NOTES.get(note, note) + by
    to = Status(entry.to_status) if entry.to_status in set(Status) else None
    if to is None:
        return f"{entry.to_status}{by}"
    if facts.get("settled") == "probe":
        return f"a probe found: {'it happened' if to is Status.EXECUTED else 'it did not happen'}"
    if facts.get("settled"):
        return f"settled{by}: {'it happened' if to is Status.EXECUTED else 'it did not happen'}"
    text = ("released" if facts.get("released") else _STEPS[to]) + by
    if to is Status.COMPENSATING and facts.get("attempt"):
        again = "again " if facts.get("resumed") else ""
        text = f"its undo began {again}(attempt {facts['attempt']})"
    if facts.get("rule"):
        text += f" (rule: {facts['rule']})"
    return f"{text}, after all" if facts.get("late") else text
