"""The durable log. Every change is one transaction: the row moves, an entry is appended, or nothing happened."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from langchain_agentrein.action import (
    TRANSITIONS,
    Action,
    Json,
    SessionRecord,
    SessionStatus,
    Status,
)
from langchain_agentrein.errors import LostRace, PayloadTooLarge, SessionFrozen, TransitionError
from langchain_agentrein.journal import audit, schema
from langchain_agentrein.journal.chain import GENESIS, PATH, link
from langchain_agentrein.journal.codec import canonical, digest
from langchain_agentrein.journal.reader import Reader
from langchain_agentrein.journal.redaction import IsSecret, Redactor
from langchain_agentrein.journal.rows import moment, new_id, now, payload_of, stamp
from langchain_agentrein.journal.sealing import KeySource, Vault
from langchain_agentrein.journal.store import Store

MAX_PAYLOAD = 64 * 1024 * 1024
"""Bytes that one payload may take, unless told otherwise."""

JournalSource: TypeAlias = str | Engine
"""Where a journal lives: a SQLAlchemy URL, or an `Engine`."""

_A, _S = schema.actions.c, schema.sessions.c


def worker_name() -> str:
    """This process: host, pid and a number that a recycled pid does not share."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


class Journal(Reader):
    """The journal of one database.

    Args:
        journal: A SQLAlchemy URL or `Engine`; SQLite or PostgreSQL.
        seal: The key that seals secrets, or what returns it.
        redact: Decides, beside the built-in detector, whether `(key, value)` is a secret.
        max_payload: Bytes that one payload may take.
    Raises:
        ConfigError: The URL is malformed, or its driver is missing.
        JournalUnavailable: The database does not answer.
        JournalVersion: A newer release wrote it.
    """

    def __init__(
        self,
        journal: JournalSource,
        *,
        seal: KeySource | None = None,
        redact: IsSecret | None = None,
        max_payload: int | None = None,
    ) -> None:
        self.redactor = Redactor(redact)
        vault = Vault(seal, self.redactor)
        super().__init__(Store(journal), vault)
        self.max_payload = max_payload or MAX_PAYLOAD
        self.worker = worker_name()

    def close(self) -> None:
        """Give the database connections back."""
        self.store.close()

    def begin(
        self, action: Action, session: SessionRecord, *, hold: float = 60.0, detail: Mapping[str, Json] | None = None
    ) -> Action:
        """Record a new action, and its session if this is the first one.

        Args:
            action: In `PROPOSED`, `DENIED`, `HELD` or `EXECUTING`; `id`, `seq`, `salt` and times are set here.
            hold: Seconds for which this worker holds it, if it executes.
        Raises:
            SessionFrozen: The session takes no new actions.
            LostRace: The same call in the same generation is recorded already.
            PayloadTooLarge: Nothing was recorded.
        """
        at = now()
        action_id, salt = new_id("act"), secrets.token_hex(8)
        action = action.with_(
            id=action_id,
            salt=salt,
            digest=self.digest(salt, action.operation, action.args),
            created_at=moment(at),
            call_key=action.call_key or digest("", action_id),
        )
        payload = payload_of(
            **{
                name: value
                for name in ("args", "proposed_args", "intent", "before", "approval", "error", "metadata")
                if (value := getattr(action, name)) is not None
            }
        )
        facts = {
            "operation": action.operation,
            "version": action.operation_version,
            "account": action.account,
            "call_key": action.call_key,
            "generation": action.generation,
            "digest": action.digest,
            "reversal": str(action.reversal),
            "via": [str(status) for status in PATH[action.status]],
            **(detail or {}),
        }
        try:
            with self.store.write() as connection:
                head = self._lock(connection, session)
                executing = action.status is Status.EXECUTING
                if executing or action.status is Status.PROPOSED:
                    _refuse_closed(head)
                if executing:
                    action = action.with_(
                        seq=head["next_seq"],
                        started_at=moment(at),
                        held_by=self.worker,
                        held_until=moment(at + round(hold * 1e6)),
                        fence=1,
                    )
                    facts["seq"] = action.seq
                connection.execute(insert(schema.actions), _columns(action))
                self._append(
                    connection,
                    head,
                    "action",
                    action_id=action_id,
                    to_status=str(action.status),
                    detail=facts,
                    payload=payload,
                    next_seq=head["next_seq"] + executing,
                )
        except IntegrityError as error:
            raise LostRace(action.call_key, "recorded", "recorded again", "another worker came first") from error
        return action

    def move(
        self,
        action: Action,
        to: Status,
        *,
        hold: float | None = None,
        detail: Mapping[str, Json] | None = None,
        columns: Mapping[str, Any] | None = None,
        **payload: Any,
    ) -> Action:
        """Take one step of the transition table, if the action still stands where `action` says it does.

        Args:
            action: As it was last read; its status and fence are compared.
            hold: Seconds for which this worker holds it from now on; `None`: it is let go.
            detail: Facts for the entry, nothing personal.
            columns: Further columns to set.
            payload: Payload fields to set: `receipt=`, `error=`, `approval=`, ...
        Returns:
            The action as it is now.
        Raises:
            TransitionError: The table has no such step.
            LostRace: Somebody else moved or claimed it.
        """
        again = to is action.status and hold is not None  # a renewed claim, told in the chain
        if not again and to not in TRANSITIONS[action.status]:
            raise TransitionError(action.id, str(action.status), str(to))
        at = now()
        values: dict[str, Any] = {"status": str(to), **(columns or {})}
        values["held_by"] = self.worker if hold is not None else None
        values["held_until"] = None if hold is None else at + round(hold * 1e6)
        if hold is not None:
            values["fence"] = action.fence + 1
        if to is Status.EXECUTING and not again:
            values["started_at"] = at
        if to in (Status.EXECUTED, Status.FAILED, Status.IN_DOUBT):
            values["finished_at"] = at
        if action.status is Status.COMPENSATING and to is not action.status:
            values["undone_at"] = at
        facts = dict(detail or {})
        with self.store.write() as connection:
            head = self._lock(connection, action.session_id)
            next_seq = head["next_seq"]
            if to is Status.EXECUTING and not again:
                _refuse_closed(head)
                values["seq"], next_seq = next_seq, next_seq + 1
                facts["seq"] = values["seq"]
            moved = connection.execute(
                update(schema.actions)
                .where(_A.id == action.id, _A.status == str(action.status), _A.fence == action.fence)
                .values(values)
            )
            if moved.rowcount != 1:
                row = connection.execute(select(_A.status, _A.held_by).where(_A.id == action.id)).one()
                raise LostRace(action.id, row.status, str(to), f"held by {row.held_by}" if row.held_by else "it moved on")
            self._append(
                connection,
                head,
                "action",
                action_id=action.id,
                from_status=str(action.status),
                to_status=str(to),
                detail=facts,
                payload=payload_of(**payload),
                next_seq=next_seq,
            )
        for name in ("started_at", "finished_at", "undone_at", "undo_until", "held_until"):
            if name in values:
                values[name] = moment(values[name])
        return action.with_(**{**values, "status": to, **payload})

    def renew(self, action_ids: Iterable[str], hold: float) -> None:
        """Hold on to actions of this worker for `hold` more seconds."""
        ids = list(action_ids)
        if not ids:
            return
        with self.store.write() as connection:
            connection.execute(
                update(schema.actions)
                .where(_A.id.in_(ids), _A.held_by == self.worker)
                .values(held_until=now() + round(hold * 1e6))
            )

    def note(self, action: Action, note: str, *, detail: Mapping[str, Json] | None = None, **payload: Any) -> Action:
        """Record something about an action that does not move it."""
        with self.store.write() as connection:
            head = self._lock(connection, action.session_id)
            self._append(
                connection,
                head,
                "note",
                action_id=action.id,
                detail={"note": note, **(detail or {})},
                payload=payload_of(**payload),
            )
        return action.with_(**payload)

    def pause(self, action: Action, paused: bool) -> Action:
        """Mark that a tool interrupted its own run, or goes on with it.

        Raises:
            LostRace: Somebody else moved or claimed it.
        """
        with self.store.write() as connection:
            head = self._lock(connection, action.session_id)
            values = {"paused": int(paused), "fence": action.fence + 1, "held_by": self.worker}
            moved = connection.execute(
                update(schema.actions)
                .where(_A.id == action.id, _A.status == str(action.status), _A.fence == action.fence)
                .values(values)
            )
            if moved.rowcount != 1:
                raise LostRace(action.id, str(action.status), "paused" if paused else "resumed")
            self._append(
                connection, head, "note", action_id=action.id, detail={"note": "paused" if paused else "resumed"}
            )
        return action.with_(paused=paused, fence=action.fence + 1, held_by=self.worker)

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
            payload: `goal=`, `failure=`, `reason=`.
        Returns:
            Whether it moved.
        """
        with self.store.write() as connection:
            head = self._lock(connection, session_id)
            if expect is not None and head["status"] not in {str(status) for status in expect}:
                return False
            closed = to not in (SessionStatus.OPEN, SessionStatus.ROLLING_BACK)
            changes: dict[str, Any] = {"status": str(to), "closed_at": now() if closed else None}
            if by is not None:
                changes["requested_by"] = by
            self._append(
                connection,
                head,
                "session",
                from_status=head["status"],
                to_status=str(to),
                detail={"by": by} if by else {},
                payload={name: value for name, value in payload.items() if value is not None},
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
            other for other in others if self.set_session(other, SessionStatus.SUPERSEDED, expect=[SessionStatus.OPEN])
        ]

    def verify(self, session_ids: Collection[str] | None = None) -> audit.Verification:
        """Check the record of sessions; `None`: of all."""
        with self.store.read() as connection:
            return audit.verify(connection, session_ids)

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
            chosen = audit.endable(connection, session_ids, before)
        for session_id in chosen:
            with self.store.write() as connection:
                head = self._lock(connection, session_id)
                lost = audit.erase(connection, session_id)
                if lost:
                    erased += 1
                    self._append(connection, head, "erased", detail={"entries": lost, "by": by})
        return erased

    def digest(self, salt: str, operation: str, args: Json) -> str:
        """What an approval is bound to: this operation, with these arguments."""
        return digest(salt, canonical([operation, args]))

    def _lock(self, connection: Connection, session: SessionRecord | str) -> dict[str, Any]:
        session_id = session if isinstance(session, str) else session.id
        query = select(schema.sessions).where(_S.id == session_id)
        row = connection.execute(query if self.store.sqlite else query.with_for_update()).mappings().first()
        if row is not None:
            return dict(row)
        if isinstance(session, str):
            raise TransitionError(session, "unknown", "used", "the journal has no such session")
        return self._open(connection, session)

    def _open(self, connection: Connection, session: SessionRecord) -> dict[str, Any]:
        head: dict[str, Any] = {
            "id": session.id,
            "thread_id": session.thread_id,
            "tenant": session.tenant,
            "agent_id": session.agent_id,
            "parent_id": session.parent_id,
            "status": str(SessionStatus.OPEN),
            "opened_at": now(),
            "next_seq": 1,
            "length": 0,
            "head": GENESIS,
        }
        connection.execute(insert(schema.sessions), head)
        payload = {"goal": session.goal} if session.goal else {}
        facts = {"thread_id": session.thread_id, "tenant": session.tenant, "parent_id": session.parent_id}
        self._append(connection, head, "session", to_status=str(SessionStatus.OPEN), detail=facts, payload=payload)
        return head

    def _append(
        self,
        connection: Connection,
        head: dict[str, Any],
        event: str,
        *,
        action_id: str | None = None,
        from_status: str | None = None,
        to_status: str | None = None,
        detail: Mapping[str, Json] | None = None,
        payload: Mapping[str, Json] | None = None,
        **changes: Any,
    ) -> None:
        """Append an entry with its payload, and move the session's head."""
        n = head["length"] + 1
        entry: dict[str, Any] = {
            "session_id": head["id"],
            "n": n,
            "at": now(),
            "event": event,
            "action_id": action_id,
            "from_status": from_status,
            "to_status": to_status,
            "worker": self.worker,
            "detail": canonical(dict(detail or {})),
            "payload_digest": None,
            "prev": head["head"],
        }
        if payload:
            salt = secrets.token_hex(8)
            owner = action_id or head["id"]
            data = self._write_payload(connection, owner, n, salt, payload)
            entry["payload_digest"] = digest(salt, data)
        entry["hash"] = link(head["head"], entry)
        connection.execute(insert(schema.entries), entry)
        changes |= {"length": n, "head": entry["hash"]}
        connection.execute(update(schema.sessions).where(_S.id == head["id"]).values(changes))
        head |= changes

    def _write_payload(
        self, connection: Connection, owner: str, n: int, salt: str, payload: Mapping[str, Json]
    ) -> str:
        text, blobs = self.vault.pack(payload)
        size = len(text) + sum(map(len, blobs.values()))
        if size > self.max_payload:
            raise PayloadTooLarge(max(payload, key=lambda name: len(str(payload[name]))), size, self.max_payload)
        connection.execute(insert(schema.payloads), {"owner_id": owner, "n": n, "salt": salt, "data": text})
        c = schema.blobs.c
        for name, data in blobs.items():
            if connection.scalar(select(c.name).where(c.owner_id == owner, c.name == name)) is None:
                connection.execute(insert(schema.blobs), {"owner_id": owner, "name": name, "data": data})
        return text


def _refuse_closed(head: Mapping[str, Any]) -> None:
    if head["status"] not in (str(SessionStatus.OPEN), str(SessionStatus.SUPERSEDED)):
        raise SessionFrozen(f"session {head['id']} is {head['status']} and takes no new actions")


def _columns(action: Action) -> dict[str, Any]:
    return {
        name: getattr(action, name)
        for name in (
            "id",
            "session_id",
            "thread_id",
            "tool_call_id",
            "message_id",
            "call_key",
            "generation",
            "seq",
            "operation",
            "operation_version",
            "source",
            "connector",
            "account",
            "tenant",
            "salt",
            "digest",
            "parent_id",
            "held_by",
            "fence",
        )
    } | {
        "status": str(action.status),
        "risk": int(action.risk),
        "reversal": str(action.reversal),
        "paused": int(action.paused),
        "created_at": stamp(action.created_at),
        "started_at": stamp(action.started_at),
        "undo_until": stamp(action.undo_until),
        "held_until": stamp(action.held_until),
    }



