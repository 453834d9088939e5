"""Forgetting what the journal must not keep: payloads go, the chain stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from langchain_agentrein.action import SessionStatus, Status
from langchain_agentrein.errors import ConfigError
from langchain_agentrein.journal import schema
from langchain_agentrein.journal.rows import stamp

_A, _B, _P, _S = schema.actions.c, schema.blobs.c, schema.payloads.c, schema.sessions.c
LIVE = frozenset({str(SessionStatus.OPEN), str(SessionStatus.ROLLING_BACK)})


def endable(
    connection: Connection, session_ids: Collection[str] | None, before: datetime | None
) -> list[str]:
    """The sessions to forget.

    Raises:
        ConfigError: One that was named has not ended, or still holds something that is to be done.
    """
    query = select(_S.id, _S.status, _S.closed_at)
    if session_ids is not None:
        query = query.where(_S.id.in_(list(session_ids)))
    holding = Counter(connection.scalars(select(_A.session_id).where(_A.status == str(Status.HELD))))
    chosen = []
    for row in connection.execute(query):
        if row.status in LIVE:
            if session_ids is not None and before is None:
                raise ConfigError(
                    f"session {row.id} is {row.status}: complete it or roll it back before it is forgotten"
                )
            continue
        if count := holding[row.id]:
            if session_ids is not None and before is None:
                many = "1 action is" if count == 1 else f"{count} actions are"
                raise ConfigError(
                    f"session {row.id}: {many} still held: release or drop them before they are forgotten"
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
