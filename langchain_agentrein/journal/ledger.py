"""Appending: a session's row is locked, its chain grows by one entry, and its head moves."""

from __future__ import annotations

import importlib
import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from langchain_agentrein.action import Json, SessionRecord, SessionStatus
from langchain_agentrein.errors import ConfigError, PayloadTooLarge, SessionFrozen, TransitionError
from langchain_agentrein.journal import schema
from langchain_agentrein.journal.chain import GENESIS, link
from langchain_agentrein.journal.codec import canonical, digest
from langchain_agentrein.journal.compiled import Compiled
from langchain_agentrein.journal.forks import after_fork
from langchain_agentrein.journal.reader import Reader
from langchain_agentrein.journal.rows import now
from langchain_agentrein.journal.sealing import Vault
from langchain_agentrein.journal.store import Store
from langchain_agentrein.journal.workers import worker_name

_S, _B = schema.sessions.c, schema.blobs.c

# Built once: making a statement anew takes SQLAlchemy longer than running it.
_HEAD = select(schema.sessions).where(_S.id == bindparam("session"))
_LOCKED_HEAD = _HEAD.with_for_update()
_MOVE_HEAD = Compiled(update(schema.sessions).where(_S.id == bindparam("session")))
_ENTRY, _PAYLOAD = Compiled(insert(schema.entries)), Compiled(insert(schema.payloads))
_BLOB = insert(schema.blobs)
_HAS_BLOB = select(_B.name).where(_B.owner_id == bindparam("owner"), _B.name == bindparam("wanted"))


class Ledger(Reader):
    """The only place that writes entries and payloads.

    Args:
        max_payload: Bytes that one payload may take, before an effect.
    """

    def __init__(self, store: Store, vault: Vault, max_payload: int) -> None:
        super().__init__(store, vault)
        self.max_payload = max_payload
        self.worker = worker_name()
        after_fork(self, Ledger._forked)

    def _forked(self) -> None:
        self.worker = worker_name()

    def digest(self, salt: str, operation: str, args: Json) -> str:
        """What an approval is bound to: this operation, with these arguments.

        Raises:
            ConfigError: The arguments are not JSON.
        """
        try:
            return digest(salt, canonical([operation, args]))
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigError(f"the arguments of {operation} cannot be journaled: {error}") from error

    def _lock(self, connection: Connection, session: SessionRecord | str) -> dict[str, Any]:
        """The row of a session, which no other transaction moves meanwhile; opened if it is new.

        Raises:
            TransitionError: Only its id is given, and it is not there.
        """
        session_id = session if isinstance(session, str) else session.id
        query, wanted = _HEAD if self.store.sqlite else _LOCKED_HEAD, {"session": session_id}
        row = connection.execute(query, wanted).mappings().first()
        if row is None and not isinstance(session, str):
            head = self._open(connection, session)
            if head is not None:
                return head
            row = connection.execute(query, wanted).mappings().first()  # another worker opened it just now
        if row is None:
            raise TransitionError(session_id, "unknown", "used", "the journal has no such session")
        return dict(row)

    def _open(self, connection: Connection, session: SessionRecord) -> dict[str, Any] | None:
        at = now()
        head: dict[str, Any] = {
            "id": session.id,
            "thread_id": session.thread_id,
            "tenant": session.tenant,
            "agent_id": session.agent_id,
            "parent_id": session.parent_id,
            "status": str(SessionStatus.OPEN),
            "opened_at": at,
            "next_seq": 1,
            "length": 0,
            "head": GENESIS,
        }
        # The dialect that is in use: importing both takes as long as the rest of this module.
        dialect = importlib.import_module(f"sqlalchemy.dialects.{connection.dialect.name}")
        insertion = dialect.insert(schema.sessions).values(head).on_conflict_do_nothing()
        opened = connection.execute(insertion, execution_options={"preserve_rowcount": True})
        if opened.rowcount != 1:
            return None
        payload = {"goal": session.goal} if session.goal else {}
        facts = {name: head[name] for name in ("thread_id", "tenant", "agent_id", "parent_id")}
        self._append(
            connection,
            head,
            "session",
            at=at,
            to_status=str(SessionStatus.OPEN),
            detail=facts,
            payload=payload,
        )
        return head

    def _append(
        self,
        connection: Connection,
        head: dict[str, Any],
        event: str,
        *,
        at: int | None = None,
        action_id: str | None = None,
        from_status: str | None = None,
        to_status: str | None = None,
        detail: Mapping[str, Json] | None = None,
        payload: Mapping[str, Json] | None = None,
        limited: bool = True,
        **changes: Any,
    ) -> None:
        """Append an entry with its payload, and move the session's head.

        Args:
            limited: Refuse a payload that is too large; not once an effect may have happened.
            changes: Further columns of the session's row.
        """
        n = head["length"] + 1
        entry: dict[str, Any] = {
            "session_id": head["id"],
            "n": n,
            "at": at if at is not None else now(),
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
            data = self._write_payload(connection, action_id or head["id"], n, salt, payload, limited)
            entry["payload_digest"] = digest(salt, data)
        entry["hash"] = link(head["head"], entry)
        _ENTRY.run(connection, entry)
        changes |= {"length": n, "head": entry["hash"]}
        _MOVE_HEAD.run(connection, {"session": head["id"], **changes})
        head |= changes

    def _write_payload(
        self,
        connection: Connection,
        owner: str,
        n: int,
        salt: str,
        payload: Mapping[str, Json],
        limited: bool,
    ) -> str:
        text, blobs = self._packed(payload)
        size = _size(text, blobs)
        if limited and size > self.max_payload:
            sizes = {name: _size(*self.vault.pack(value)) for name, value in payload.items()}
            raise PayloadTooLarge(max(sizes, key=sizes.__getitem__), size, self.max_payload)
        _PAYLOAD.run(connection, {"owner_id": owner, "n": n, "salt": salt, "data": text})
        for name, data in blobs.items():
            if connection.scalar(_HAS_BLOB, {"owner": owner, "wanted": name}) is None:
                connection.execute(_BLOB, {"owner_id": owner, "name": name, "data": data})
        return text

    def _packed(self, payload: Mapping[str, Json]) -> tuple[str, dict[str, bytes]]:
        try:
            return self.vault.pack(payload)
        except (TypeError, ValueError, RecursionError) as error:
            broken = next((name for name in payload if not self._writes(payload[name])), "payload")
            raise ConfigError(f"{broken} cannot be journaled: {error}; it must be JSON") from error

    def _writes(self, value: Json) -> bool:
        try:
            self.vault.pack(value)
        except (TypeError, ValueError, RecursionError):
            return False
        return True


def _size(text: str, blobs: Mapping[str, bytes]) -> int:
    return len(text) + sum(map(len, blobs.values()))


def refuse_closed(head: Mapping[str, Any], *, but_completed: bool = False) -> None:
    """Let a session that is failing or closed take no new actions.

    Args:
        but_completed: One that ended well is not closed to this one.
    Raises:
        SessionFrozen: It is.
    """
    allowed = {SessionStatus.OPEN, SessionStatus.SUPERSEDED}
    if head["status"] not in allowed | ({SessionStatus.COMPLETED} if but_completed else set()):
        raise SessionFrozen(f"session {head['id']} is {head['status']} and takes no new actions")
