"""What the journal does with whole sessions: move them, check them, forget them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from langchain_agentrein.action import Json, SessionStatus
from langchain_agentrein.errors import ConfigError
from langchain_agentrein.journal import audit, erasure, export, heads, mentions, schema
from langchain_agentrein.journal.ledger import Ledger
from langchain_agentrein.journal.rows import now

_S = schema.sessions.c


class Sessions(Ledger):
    """Sessions, as a ledger keeps them."""

    def set_session(
        self,
        session_id: str,
        to: SessionStatus,
        *,
        expect: Iterable[SessionStatus] | None = None,
        by: str | None = None,
        **payload: Json,
    ) -> bool:
        """Move a session, if it stands in one of `expect`.

        Args:
            by: Who asked.
            payload: `goal=`, `failure=`, `reason=`, `scope=`.
        Returns:
            Whether it moved.
        """
        expected = None if expect is None else {str(status) for status in expect}
        with self.store.write() as connection:
            head = self._lock(connection, session_id)
            if expected is not None and head["status"] not in expected:
                return False
            closed = to not in (SessionStatus.OPEN, SessionStatus.ROLLING_BACK)
            at = now()
            changes: dict[str, Any] = {"status": str(to), "closed_at": at if closed else None}
            if by is not None:
                changes["requested_by"] = by
            self._append(
                connection,
                head,
                "session",
                at=at,
                from_status=head["status"],
                to_status=str(to),
                detail={"by": by} if by else {},
                payload={name: value for name, value in payload.items() if value is not None},
                limited=False,
                **changes,
            )
        return True

    def supersede(self, thread_id: str, session_id: str) -> list[str]:
        """Mark every other open session of a thread as superseded; returns their ids."""
        query = select(_S.id).where(
            _S.thread_id == thread_id, _S.status == str(SessionStatus.OPEN), _S.id != session_id
        )
        with self.store.read() as connection:
            others = list(connection.scalars(query))
        return [
            other
            for other in others
            if self.set_session(other, SessionStatus.SUPERSEDED, expect=[SessionStatus.OPEN])
        ]

    def verify(
        self,
        session_ids: Collection[str] | None = None,
        *,
        against: Mapping[str, tuple[int, str]] | None = None,
    ) -> audit.Verification:
        """Check the record of sessions; `None`: of all.

        Args:
            against: Lengths and heads that were kept elsewhere.
        """
        with self.store.read() as connection:
            return audit.verify(connection, session_ids, against)

    def heads(self, key: str | bytes | None = None) -> dict[str, Json]:
        """Every session's head, signed.

        Raises:
            ConfigError: There is no key, or it is too short.
        """
        with self.store.read() as connection:
            return heads.signed(connection, key, datetime.now(UTC).isoformat(timespec="seconds"))

    def chains(self, session_ids: Collection[str]) -> list[dict[str, Json]]:
        """The chains of sessions as JSON, for an export."""
        with self.store.read() as connection:
            return export.chains(connection, session_ids)

    def mentioning(self, words: str) -> list[str]:
        """The sessions whose payloads hold a text.

        Raises:
            ConfigError: Some cannot be read here, for want of their key, and so may hold it unseen.
        """
        with self.store.read() as connection:
            found, closed = mentions.mentioning(connection, self.vault, words)
        if closed:
            raise ConfigError(
                f"{len(closed)} session(s) hold sealed values whose key is not here, and may mention it unseen: "
                f"set AGENTREIN_SEAL_KEY; such as {min(closed)}"
            )
        return sorted(found)

    def forget(
        self, session_ids: Collection[str] | None, *, before: datetime | None = None, by: str | None = None
    ) -> int:
        """Erase the payloads of ended sessions; the chain still verifies.

        Returns:
            How many sessions lost something.
        Raises:
            ConfigError: A session that was named has not ended.
        """
        erased = 0
        with self.store.read() as connection:
            chosen = erasure.endable(connection, session_ids, before)
        for session_id in chosen:
            with self.store.erasing() as connection:
                head = self._lock(connection, session_id)
                if not erasure.endable(connection, [session_id], before):
                    continue  # somebody began to roll it back just now
                lost = erasure.erase(connection, session_id)
                if lost:
                    erased += 1
                    self._append(connection, head, "erased", detail={"entries": lost, "by": by})
        return erased
