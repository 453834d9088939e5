"""Checking the record, and forgetting what it must not keep."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from langchain_agentrein.action import SessionStatus
from langchain_agentrein.errors import ConfigError
from langchain_agentrein.journal import schema
from langchain_agentrein.journal.chain import breaks
from langchain_agentrein.journal.codec import digest
from langchain_agentrein.journal.rows import stamp

_A, _B, _E, _P, _S = (
    schema.actions.c,
    schema.blobs.c,
    schema.entries.c,
    schema.payloads.c,
    schema.sessions.c,
)
FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check of the record found.

    Attributes:
        problems: Per session, one sentence for each broken place.
        heads: Per session, the hash of its last entry: keep them elsewhere to notice a rewritten journal.
    """

    sessions: int = 0
    entries: int = 0
    problems: dict[str, list[str]] = field(default_factory=dict)
    heads: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the record is whole."""
        return not self.problems

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        if self.ok:
            return f"the record is whole: {self.sessions} session(s), {self.entries} entries"
        lines = [f"{session}: {problem}" for session, found in self.problems.items() for problem in found]
        return "\n".join(["the record was altered:", *lines])


def verify(connection: Connection, session_ids: Collection[str] | None) -> Verification:
    """Check links, payloads and rows of sessions; `None`: of all."""
    query = select(schema.sessions)
    if session_ids is not None:
        query = query.where(_S.id.in_(list(session_ids)))
    sessions = connection.execute(query).mappings().all()
    problems: dict[str, list[str]] = {}
    count = 0
    for session in sessions:
        rows = connection.execute(
            select(schema.entries).where(_E.session_id == session["id"]).order_by(_E.n)
        ).mappings().all()
        count += len(rows)
        entries = [dict(row) for row in rows]
        found = breaks(entries, head=session["head"], length=session["length"])
        found += _payloads(connection, entries)
        found += _rows(connection, session["id"], entries)
        if found:
            problems[session["id"]] = found
    if session_ids is None:
        known = {session["id"] for session in sessions}
        for lost in set(connection.scalars(select(_E.session_id).distinct())) - known:
            problems[lost] = ["the session's row is missing"]
    heads = {session["id"]: session["head"] for session in sessions}
    return Verification(len(sessions), count, problems, heads)


def _payloads(connection: Connection, entries: Sequence[dict[str, Any]]) -> list[str]:
    if not entries:
        return []
    session_id = entries[0]["session_id"]
    erased = {n for entry in entries if entry["event"] == "erased" for n in json.loads(entry["detail"])["entries"]}
    owners = {session_id, *(entry["action_id"] for entry in entries if entry["action_id"])}
    stored: dict[tuple[str, int], Any] = {}
    for owner in owners:
        for row in connection.execute(select(schema.payloads).where(_P.owner_id == owner)):
            stored[row.owner_id, row.n] = row
    problems = []
    for entry in entries:
        row = stored.pop((entry["action_id"] or session_id, entry["n"]), None)
        if entry["payload_digest"] is None:
            if row is not None:
                problems.append(f"the payload of entry {entry['n']} was added")
        elif row is None:
            if entry["n"] not in erased:
                problems.append(f"the payload of entry {entry['n']} is missing")
        elif digest(row.salt, row.data) != entry["payload_digest"]:
            problems.append(f"the payload of entry {entry['n']} was changed")
        else:
            problems += _blobs(connection, entry["n"], row)
    problems += [f"a payload of {owner} belongs to no entry ({n})" for owner, n in stored]
    return problems


def _blobs(connection: Connection, n: int, payload: Any) -> list[str]:
    import hashlib

    problems = []
    for name, data in connection.execute(select(_B.name, _B.data).where(_B.owner_id == payload.owner_id)):
        if name in payload.data and hashlib.sha256(bytes(data)).hexdigest() != name:
            problems.append(f"bytes of the payload of entry {n} were changed")
    return problems


def _rows(connection: Connection, session_id: str, entries: Sequence[dict[str, Any]]) -> list[str]:
    """Whether each action's row says what its entries say."""
    last: dict[str, str] = {}
    facts: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry["event"] == "action":
            last[entry["action_id"]] = entry["to_status"]
            facts.setdefault(entry["action_id"], {}).update(json.loads(entry["detail"]))
    problems = []
    rows = connection.execute(select(schema.actions).where(_A.session_id == session_id)).mappings().all()
    for row in rows:
        told = facts.get(row["id"])
        if told is None:
            problems.append(f"action {row['id']} was added")
            continue
        if row["status"] != last[row["id"]]:
            problems.append(f"action {row['id']} is {row['status']}, its last entry says {last[row['id']]}")
        for column, fact in _FACTS.items():
            if fact in told and row[column] != told[fact]:
                problems.append(f"action {row['id']}: {column} was changed")
    problems += [f"action {lost} is missing" for lost in set(last) - {row["id"] for row in rows}]
    return problems


_FACTS = {
    "operation": "operation",
    "operation_version": "version",
    "account": "account",
    "call_key": "call_key",
    "generation": "generation",
    "reversal": "reversal",
    "seq": "seq",
}
"""Columns of an action, and the facts in its entries that must agree with them."""


def endable(connection: Connection, session_ids: Collection[str] | None, before: datetime | None) -> list[str]:
    """The sessions to forget.

    Raises:
        ConfigError: One that was named has not ended.
    """
    live = [str(SessionStatus.OPEN), str(SessionStatus.ROLLING_BACK)]
    query = select(_S.id, _S.status, _S.closed_at)
    if session_ids is not None:
        query = query.where(_S.id.in_(list(session_ids)))
    chosen = []
    for row in connection.execute(query):
        if row.status in live:
            if session_ids is not None and before is None:
                raise ConfigError(
                    f"session {row.id} is {row.status}: complete it or roll it back before it is forgotten"
                )
            continue
        if before is None or (row.closed_at is not None and row.closed_at < (stamp(before) or 0)):
            chosen.append(row.id)
    return chosen


def erase(connection: Connection, session_id: str) -> list[int]:
    """Delete a session's payloads and bytes; returns the entries that lost theirs."""
    owners = [session_id, *connection.scalars(select(_A.id).where(_A.session_id == session_id))]
    lost: list[int] = []
    for owner in owners:
        lost += connection.scalars(select(_P.n).where(_P.owner_id == owner))
        connection.execute(delete(schema.payloads).where(_P.owner_id == owner))
        connection.execute(delete(schema.blobs).where(_B.owner_id == owner))
    connection.execute(update(schema.actions).where(_A.session_id == session_id).values(salt=None))
    return sorted(lost)
