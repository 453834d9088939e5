"""The chain of a session as JSON, and its check without a journal: no payload is needed for either."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from langchain_agentrein.action import Json
from langchain_agentrein.journal import schema
from langchain_agentrein.journal.chain import LINKED, breaks

_E, _S = schema.entries.c, schema.sessions.c


def chains(connection: Connection, session_ids: Collection[str]) -> list[dict[str, Json]]:
    """`{"kind": "chain", "session_id", "length", "head"}` of each session, then its entries, in order.

    An entry is `{"kind": "entry", "prev": hash, "hash": hash, ...}` with every column that its link covers.
    """
    found: list[dict[str, Json]] = []
    listed = (
        select(_S.id, _S.length, _S.head).where(_S.id.in_(list(session_ids))).order_by(_S.opened_at, _S.id)
    )
    for session in connection.execute(listed).all():
        found.append(
            {"kind": "chain", "session_id": session.id, "length": session.length, "head": session.head}
        )
        entries = select(schema.entries).where(_E.session_id == session.id).order_by(_E.n)
        for row in connection.execute(entries).mappings():
            found.append({"kind": "entry", **{name: row[name] for name in (*LINKED, "prev", "hash")}})
    return found


def check(records: Iterable[Json]) -> dict[str, list[str]]:
    """Where an export's chains do not hold, per session, one sentence each; empty, if it is whole."""
    chain: dict[str, Mapping[str, Any]] = {}
    entries: dict[str, list[Mapping[str, Any]]] = {}
    problems: dict[str, list[str]] = {}
    for record in records:
        if not isinstance(record, Mapping):
            continue
        session = str(record.get("session_id"))
        if record.get("kind") == "chain":
            chain[session] = record
        elif record.get("kind") == "entry":
            entries.setdefault(session, []).append(record)
    for session in sorted({*chain, *entries}):
        try:
            head, length = str(chain[session]["head"]), int(chain[session]["length"])
            found = breaks(entries.get(session, []), head=head, length=length)
        except (KeyError, TypeError, ValueError) as error:
            found = [f"it is incomplete: {type(error).__name__}: {error}"]
        if found:
            problems[session] = found
    return problems
