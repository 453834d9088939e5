"""One hash chain per session: each entry covers the one before it and a salted digest of its payload."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping

from langchain_agentrein.action import TRANSITIONS, Status
from langchain_agentrein.journal.codec import canonical

GENESIS = "0" * 64

LINKED = (
    "session_id",
    "n",
    "at",
    "event",
    "action_id",
    "from_status",
    "to_status",
    "worker",
    "detail",
    "payload_digest",
)
"""The columns that a link covers, in order."""

PATH = {
    Status.PROPOSED: (Status.PROPOSED,),
    Status.DENIED: (Status.PROPOSED, Status.DENIED),
    Status.HELD: (Status.PROPOSED, Status.HELD),
    Status.EXECUTING: (Status.PROPOSED, Status.APPROVED, Status.EXECUTING),
}
"""How a new action gets to the status it is first recorded in, each step legal."""


def link(prev: str, entry: RowMapping | Mapping[str, Any]) -> str:
    """The hash of an entry that follows `prev`."""
    covered = canonical([entry[name] for name in LINKED])
    return hashlib.sha256(f"{prev}\n{covered}".encode()).hexdigest()


def breaks(entries: Iterable[RowMapping | Mapping[str, Any]], *, head: str, length: int) -> list[str]:
    """Where the chain of one session does not hold, one sentence each.

    Args:
        entries: Its rows, ordered by `n`.
        head: The hash that the session holds as its last.
        length: The number of entries that the session holds.
    """
    problems: list[str] = []
    prev, n = GENESIS, 0
    statuses: dict[str, str] = {}
    for entry in entries:
        n += 1
        if entry["n"] > n:
            problems.append(_lost(n, entry["n"] - 1))
        n = entry["n"]
        if entry["prev"] != prev:
            problems.append(f"entry {n} does not follow the one before it")
        if link(entry["prev"], entry) != entry["hash"]:
            problems.append(f"entry {n} was changed")
        prev = entry["hash"]
        problems += _illegal(entry, statuses)
    if n < length:
        problems.append(f"the last {length - n} of {length} entries are missing")
    elif n > length or prev != head:
        problems.append(f"the session's head does not match its last entry, {n}")
    return problems


def _lost(first: int, last: int) -> str:
    return f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"


def _illegal(entry: RowMapping | Mapping[str, Any], statuses: dict[str, str]) -> Sequence[str]:
    if entry["event"] != "action":
        return ()
    action_id, came_from, to = entry["action_id"], entry["from_status"], entry["to_status"]
    known = statuses.get(action_id)
    statuses[action_id] = to
    if known != came_from:
        return [f"entry {entry['n']} moves action {action_id} from {came_from}, but it was {known}"]
    if came_from == to == Status.COMPENSATING:
        return ()
    steps = {str(status): {str(one) for one in nexts} for status, nexts in TRANSITIONS.items()}
    legal = to in (steps.get(came_from, ()) if came_from else {str(status) for status in PATH})
    return () if legal else [f"entry {entry['n']} moves action {action_id} from {came_from} to {to}"]
