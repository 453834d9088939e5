"""Checking the record: every link, every payload, every row against what its entries say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, select

from langchain_agentrein.action import Json, Status
from langchain_agentrein.journal import schema
from langchain_agentrein.journal.chain import breaks
from langchain_agentrein.journal.codec import BYTES, SEALED_BYTES, digest
from langchain_agentrein.journal.heads import missed
from langchain_agentrein.journal.rows import COLUMNS

_A, _B, _E, _P, _S = (
    schema.actions.c,
    schema.blobs.c,
    schema.entries.c,
    schema.payloads.c,
    schema.sessions.c,
)
Row = RowMapping | dict[str, Any]


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


def verify(
    connection: Connection,
    session_ids: Collection[str] | None,
    against: Mapping[str, tuple[int, str]] | None = None,
) -> Verification:
    """Check links, payloads and rows of sessions; `None`: of all; and that they go on from kept heads."""
    query = select(schema.sessions)
    if session_ids is not None:
        query = query.where(_S.id.in_(list(session_ids)))
    sessions = connection.execute(query).mappings().all()
    problems: dict[str, list[str]] = {}
    count = 0
    for session in sessions:
        listed = select(schema.entries).where(_E.session_id == session["id"]).order_by(_E.n)
        entries = connection.execute(listed).mappings().all()
        count += len(entries)
        found = breaks(entries, head=session["head"], length=session["length"])
        found += _payloads(connection, entries)
        found += _actions(connection, session["id"], entries)
        found += _session(session, entries)
        if found:
            problems[session["id"]] = found
    known = {session["id"] for session in sessions}
    for lost in _without_row(connection) - known if session_ids is None else set(session_ids) - known:
        problems[lost] = ["the session's row is missing"]
    if session_ids is None and (strays := _strays(connection)):
        problems["(no session)"] = strays
    for lost, why in missed(connection, against or {}, session_ids):
        problems.setdefault(lost, []).append(why)
    heads = {session["id"]: session["head"] for session in sessions}
    return Verification(len(sessions), count, problems, heads)


def _without_row(connection: Connection) -> set[str]:
    """Every session that entries or actions speak of."""
    return {
        *connection.scalars(select(_E.session_id).distinct()),
        *connection.scalars(select(_A.session_id).distinct()),
    }


def _strays(connection: Connection) -> list[str]:
    """Payloads and bytes that belong to no session and no action."""
    owners = select(_A.id).union(select(_S.id))

    def lost(table: Table) -> list[str]:
        column = table.c.owner_id
        return sorted(connection.scalars(select(column).where(column.not_in(owners)).distinct()))

    return [f"a payload of {owner}, which is not there" for owner in lost(schema.payloads)] + [
        f"bytes of {owner}, which is not there" for owner in lost(schema.blobs)
    ]


def _payloads(connection: Connection, entries: Sequence[Row]) -> list[str]:
    """Whether every payload is there and unchanged, and no other is."""
    if not entries:
        return []
    session_id = entries[0]["session_id"]
    erased = {n for entry in entries if entry["event"] == "erased" for n in _detail(entry).get("entries", ())}
    owners = sorted({session_id, *(entry["action_id"] for entry in entries if entry["action_id"])})
    problems: list[str] = []
    ours = {(entry["action_id"] or session_id, entry["n"]): entry for entry in entries}
    met = set()
    for owner in owners:
        named: set[str] = set()
        for row in connection.execute(select(schema.payloads).where(_P.owner_id == owner).order_by(_P.n)):
            entry = ours.get((owner, row.n))
            met.add((owner, row.n))
            if entry is None:
                problems.append(f"a payload of {owner} belongs to no entry ({row.n})")
            elif entry["payload_digest"] is None:
                problems.append(f"the payload of entry {row.n} was added")
            elif digest(row.salt, row.data) != entry["payload_digest"]:
                problems.append(f"the payload of entry {row.n} was changed")
            else:
                named |= set(_named_bytes(json.loads(row.data)))
        problems += _blobs(connection, owner, named)
    for (owner, n), entry in ours.items():
        if entry["payload_digest"] is not None and (owner, n) not in met and n not in erased:
            problems.append(f"the payload of entry {n} is missing")
    return problems


def _named_bytes(value: Json) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _named_bytes(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name in (BYTES, SEALED_BYTES):
                yield item
            else:
                yield from _named_bytes(item)


def _blobs(connection: Connection, owner: str, named: set[str]) -> list[str]:
    problems = []
    missing = set(named)
    for name, data in connection.execute(select(_B.name, _B.data).where(_B.owner_id == owner)):
        missing.discard(name)
        if name not in named:
            problems.append(f"bytes of {owner} belong to no payload ({name[:12]})")
        elif hashlib.sha256(bytes(data)).hexdigest() != name:
            problems.append(f"bytes of {owner} were changed ({name[:12]})")
    return problems + [f"bytes of {owner} are missing ({name[:12]})" for name in sorted(missing)]


def _actions(connection: Connection, session_id: str, entries: Sequence[Row]) -> list[str]:
    """Whether each action's row says what its entries say."""
    last: dict[str, str] = {}
    facts: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry["event"] == "action":
            told = facts.setdefault(entry["action_id"], {"created_at": entry["at"]})
            told |= {name: value for name, value in _detail(entry).items() if name in COLUMNS}
            if entry["to_status"] == Status.EXECUTING:
                told["started_at"] = entry["at"]
            last[entry["action_id"]] = entry["to_status"]
    problems = []
    rows = connection.execute(select(schema.actions).where(_A.session_id == session_id)).mappings().all()
    for row in rows:
        if row["id"] not in last:
            problems.append(f"action {row['id']} was added")
            continue
        if row["status"] != last[row["id"]]:
            problems.append(f"action {row['id']} is {row['status']}, its last entry says {last[row['id']]}")
        told = facts[row["id"]]
        for name in (*COLUMNS, "created_at", "started_at"):
            if row[name] != told.get(name):
                problems.append(f"action {row['id']}: {name} was changed")
    return problems + [
        f"action {lost} is missing" for lost in last if lost not in {row["id"] for row in rows}
    ]


def _session(session: Row, entries: Sequence[Row]) -> list[str]:
    """Whether a session's row says what its entries say."""
    moves = [entry for entry in entries if entry["event"] == "session"]
    if not moves:
        return ["nothing says that the session was opened"]
    problems = []
    if session["status"] != moves[-1]["to_status"]:
        problems.append(f"the session is {session['status']}, its last entry says {moves[-1]['to_status']}")
    opened = _detail(moves[0])
    by = next((_detail(entry)["by"] for entry in reversed(moves) if _detail(entry).get("by")), None)
    started = sum(entry["to_status"] == Status.EXECUTING for entry in entries if entry["event"] == "action")
    told = {name: opened.get(name) for name in ("thread_id", "tenant", "agent_id", "parent_id")}
    told |= {"requested_by": by, "opened_at": moves[0]["at"], "next_seq": started + 1}
    return problems + [f"the session's {name} was changed" for name in told if session[name] != told[name]]


def _detail(entry: Row) -> dict[str, Any]:
    try:
        facts = json.loads(entry["detail"])
    except ValueError:
        return {}  # its broken link tells of it
    return facts if isinstance(facts, dict) else {}
