"""Rows to records and back."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from langchain_agentrein.action import (
    Action,
    Approval,
    Entry,
    Intent,
    Json,
    Reversal,
    Risk,
    SessionRecord,
    SessionStatus,
    Status,
    Undo,
)
from langchain_agentrein.journal.codec import Hidden
from langchain_agentrein.journal.redaction import REDACTED

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

PAYLOAD = (
    "args",
    "proposed_args",
    "approved_args",
    "intent",
    "before",
    "receipt",
    "result",
    "after",
    "error",
    "approval",
    "undo",
    "metadata",
)
"""The fields of an action that may hold personal data, and so lie in `payloads`."""

COLUMNS = (
    "operation",
    "operation_version",
    "source",
    "connector",
    "account",
    "tenant",
    "thread_id",
    "tool_call_id",
    "message_id",
    "call_key",
    "generation",
    "parent_id",
    "risk",
    "reversal",
    "digest",
    "seq",
    "undo_until",
)
"""Columns of an action that its entries repeat, so that nobody changes one unnoticed."""

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


def new_id(prefix: str) -> str:
    """An identifier that sorts by time: `prefix`, 10 digits of milliseconds, 16 of chance, in base 32."""
    number = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    digits = []
    for _ in range(26):
        number, digit = divmod(number, 32)
        digits.append(_DIGITS[digit])
    return f"{prefix}_{''.join(reversed(digits))}"


def moment(at: int | None) -> datetime | None:
    """A stored time as an aware `datetime` in UTC."""
    return None if at is None else datetime.fromtimestamp(at / 1_000_000, UTC)


def stamp(at: datetime | None) -> int | None:
    """A `datetime` as it is stored."""
    return None if at is None else round(at.timestamp() * 1_000_000)


def to_row(action: Action) -> dict[str, Any]:
    """An action as its row."""
    plain = ("id", "session_id", "salt", "held_by", "fence", *COLUMNS)
    return {name: getattr(action, name) for name in plain} | {
        "status": str(action.status),
        "risk": int(action.risk),
        "reversal": str(action.reversal),
        "paused": int(action.paused),
        "created_at": stamp(action.created_at),
        "started_at": stamp(action.started_at),
        "undo_until": stamp(action.undo_until),
        "held_until": stamp(action.held_until),
    }


def facts_of(row: Mapping[str, Any]) -> dict[str, Json]:
    """What the entry of a new action says of it."""
    return {name: row[name] for name in COLUMNS if row[name] is not None}


def payload_of(**values: Any) -> dict[str, Json]:
    """The fields given, as the JSON of one payload row."""
    written: dict[str, Json] = {}
    for name, value in values.items():
        if isinstance(value, Approval):
            value = {**asdict(value), "at": stamp(value.at), "expires_at": stamp(value.expires_at)}
            if value["release_after"] is None:
                del value["release_after"]  # what is not held is written as ever
        elif isinstance(value, Intent | Undo):
            value = asdict(value)
        written[name] = value
    return written


def to_action(row: RowMapping, payload: Mapping[str, Json]) -> Action:
    """An action from its row and its merged payloads."""
    values = dict(payload)
    approval = values.get("approval")
    undo = values.get("undo")
    return Action(
        id=row["id"],
        session_id=row["session_id"],
        thread_id=row["thread_id"],
        tool_call_id=row["tool_call_id"],
        message_id=row["message_id"],
        call_key=row["call_key"],
        generation=row["generation"],
        seq=row["seq"],
        operation=row["operation"],
        operation_version=row["operation_version"],
        source=row["source"],
        connector=row["connector"],
        account=row["account"],
        tenant=row["tenant"],
        status=Status(row["status"]),
        risk=Risk(row["risk"]),
        reversal=Reversal(row["reversal"]),
        salt=row["salt"] or "",
        digest=row["digest"],
        paused=bool(row["paused"]),
        parent_id=row["parent_id"],
        created_at=moment(row["created_at"]),
        started_at=moment(row["started_at"]),
        finished_at=moment(row["finished_at"]),
        undone_at=moment(row["undone_at"]),
        undo_until=moment(row["undo_until"]),
        held_by=row["held_by"],
        held_until=moment(row["held_until"]),
        fence=row["fence"],
        args=values.get("args"),
        proposed_args=values.get("proposed_args"),
        approved_args=values.get("approved_args"),
        metadata=values.get("metadata"),
        before=values.get("before"),
        receipt=values.get("receipt"),
        result=values.get("result"),
        after=values.get("after"),
        error=values.get("error"),
        intent=Intent(**{name: words(said) for name, said in (values.get("intent") or {}).items()}),
        approval=_approval(approval) if approval else None,
        undo=Undo(**{**undo, "residue": tuple(undo["residue"])}) if undo else Undo(),
        seen="after" in values,
    )


def moved(action: Action, values: Mapping[str, Any], payload: Mapping[str, Any]) -> Action:
    """The action with what was written to its row and its payload."""
    changed = {**values, **payload}
    for name in ("started_at", "finished_at", "undone_at", "undo_until", "held_until"):
        if name in changed:
            changed[name] = moment(changed[name])
    if "status" in changed:
        changed |= {"status": Status(changed["status"]), "paused": False}
    if "reversal" in changed:
        changed["reversal"] = Reversal(changed["reversal"])
    if "after" in payload:
        changed["seen"] = True
    return action.with_(**changed)


def words(said: Any) -> Any:
    """A text as a reader gets it: what no key could seal, or none can open, says that it is hidden."""
    return REDACTED if isinstance(said, Hidden) else said


def _approval(stored: Mapping[str, Any]) -> Approval:
    return Approval(**{**stored, "at": moment(stored["at"]), "expires_at": moment(stored["expires_at"])})


def to_session(row: RowMapping, payload: Mapping[str, Json]) -> SessionRecord:
    """A session from its row and its merged payloads."""
    return SessionRecord(
        id=row["id"],
        goal=words(payload.get("goal")) or "",
        status=SessionStatus(row["status"]),
        thread_id=row["thread_id"],
        tenant=row["tenant"],
        agent_id=row["agent_id"],
        parent_id=row["parent_id"],
        opened_at=moment(row["opened_at"]),
        closed_at=moment(row["closed_at"]),
        failure=payload.get("failure"),
        reason=words(payload.get("reason")),
        scope=payload.get("scope"),
        by=row["requested_by"],
    )


def to_entry(row: RowMapping) -> Entry:
    """An entry from its row."""
    return Entry(
        session_id=row["session_id"],
        n=row["n"],
        at=datetime.fromtimestamp(row["at"] / 1_000_000, UTC),
        event=row["event"],
        action_id=row["action_id"],
        from_status=row["from_status"],
        to_status=row["to_status"],
        worker=row["worker"],
        detail=json.loads(row["detail"]),
    )
