"""The durable log. Every change is one transaction: the row moves and an entry is appended, or nothing."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeAlias

from sqlalchemy import Connection, Engine, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from langchain_agentrein.action import TRANSITIONS, Action, Json, SessionRecord, Status
from langchain_agentrein.errors import LostRace, TransitionError
from langchain_agentrein.journal import schema
from langchain_agentrein.journal.chain import PATH
from langchain_agentrein.journal.codec import digest
from langchain_agentrein.journal.compiled import Compiled
from langchain_agentrein.journal.ledger import refuse_closed
from langchain_agentrein.journal.redaction import IsSecret, Redactor
from langchain_agentrein.journal.rows import COLUMNS, facts_of, moment, moved, new_id, now, payload_of, to_row
from langchain_agentrein.journal.sealing import KeySource, Vault
from langchain_agentrein.journal.sessions import Sessions
from langchain_agentrein.journal.store import Store

MAX_PAYLOAD = 64 * 1024 * 1024
"""Bytes that one payload may take, unless told otherwise."""
BEGUN = frozenset({Status.EXECUTING, Status.IN_DOUBT, Status.COMPENSATING})
"""From here on something may have happened: whatever is known of it is recorded, however large."""

JournalSource: TypeAlias = str | Engine
"""Where a journal lives: a SQLAlchemy URL, or an `Engine`."""

_A = schema.actions.c

_NEW = Compiled(insert(schema.actions))
_CHANGE = Compiled(
    update(schema.actions).where(
        _A.id == bindparam("known_id"),
        _A.status == bindparam("known_status"),
        _A.fence == bindparam("known_fence"),
    )
)
_STANDING = select(_A.status, _A.fence).where(_A.id == bindparam("known_id"))


class Journal(Sessions):
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
        super().__init__(Store(journal), vault, max_payload or MAX_PAYLOAD)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the database connections back."""
        self.store.close()

    def begin(
        self,
        action: Action,
        session: SessionRecord,
        *,
        hold: float = 60.0,
        detail: Mapping[str, Json] | None = None,
        late: bool = False,
    ) -> Action:
        """Record a new action, and its session if this is the first one.

        Args:
            action: In `PROPOSED`, `DENIED`, `HELD` or `EXECUTING`; `id`, `seq`, `salt`, times are set here.
            hold: Seconds for which this worker holds it, if it executes.
            late: Its effect has happened already: no session is closed to it.
        Raises:
            SessionFrozen: The session takes no new actions.
            LostRace: The same call in the same generation is recorded already.
            PayloadTooLarge: Nothing was recorded.
        """
        at = now()
        executing = action.status is Status.EXECUTING
        action_id, salt = new_id("act"), secrets.token_hex(8)
        facts: dict[str, Any] = {"id": action_id, "session_id": session.id, "salt": salt}
        facts["digest"] = self.digest(salt, action.operation, action.args)
        facts["call_key"] = action.call_key or digest("", action_id)
        facts |= {"created_at": moment(at), "started_at": moment(at) if executing else None}
        kept = ("args", "proposed_args", "intent", "before", "approval", "error", "metadata")
        payload = payload_of(**{n: value for n in kept if (value := getattr(action, n)) is not None})
        try:
            with self.store.write() as connection:
                head = self._lock(connection, session)
                if not late and action.status is not Status.DENIED:
                    refuse_closed(head)
                if executing:
                    until = moment(at + round(hold * 1e6))
                    facts |= {
                        "seq": head["next_seq"],
                        "held_by": self.worker,
                        "held_until": until,
                        "fence": 1,
                    }
                action = action.with_(**facts)
                row = to_row(action)
                _NEW.run(connection, row)
                self._append(
                    connection,
                    head,
                    "action",
                    at=at,
                    action_id=action_id,
                    to_status=str(action.status),
                    detail={**facts_of(row), "via": list(map(str, PATH[action.status])), **(detail or {})},
                    payload=payload,
                    limited=not late,
                    next_seq=head["next_seq"] + executing,
                )
        except IntegrityError as error:
            raise LostRace(
                facts["call_key"], "recorded", "recorded again", "another worker came first"
            ) from error
        return action

    def move(
        self,
        action: Action,
        to: Status,
        *,
        hold: float | None = None,
        detail: Mapping[str, Json] | None = None,
        columns: Mapping[str, Any] | None = None,
        released: bool = False,
        **payload: Any,
    ) -> Action:
        """Take one step of the transition table, if the action still stands where `action` says it does.

        Args:
            action: As it was last read; its status and fence are compared.
            hold: Seconds for which this worker holds it from now on; `None`: it is let go.
            detail: Facts for the entry, nothing personal.
            columns: Further columns to set: `digest`, `reversal`, `undo_until`.
            released: It was held: a session that has completed is not closed to it.
            payload: Payload fields to set: `receipt=`, `error=`, `approval=`, ...
        Returns:
            The action as it is now.
        Raises:
            TransitionError: The table has no such step.
            LostRace: Somebody else moved or claimed it.
            SessionFrozen: Its effect would begin, or it would be released, and the session takes no new actions.
        """
        # A claim that another worker left behind is taken over without leaving the status.
        again = to is action.status is Status.COMPENSATING and hold is not None
        if not again and to not in TRANSITIONS[action.status]:
            raise TransitionError(action.id, str(action.status), str(to))
        at = now()
        values: dict[str, Any] = {"status": str(to), "paused": 0, **(columns or {})}
        values["held_by"] = self.worker if hold is not None else None
        values["held_until"] = None if hold is None else at + round(hold * 1e6)
        if hold is not None:
            values["fence"] = action.fence + 1
        if to is Status.EXECUTING:
            values["started_at"] = at
        if to in (Status.EXECUTED, Status.FAILED, Status.IN_DOUBT):
            values["finished_at"] = at
        if action.status is Status.COMPENSATING and not again:
            values["undone_at"] = at
        with self.store.write() as connection:
            head = self._lock(connection, action.session_id)
            next_seq = head["next_seq"]
            if to is Status.EXECUTING or (action.status is Status.HELD and to is Status.APPROVED):
                refuse_closed(head, but_completed=released)
            if to is Status.EXECUTING:
                values["seq"], next_seq = next_seq, next_seq + 1
            self._compare_and_set(connection, action, str(to), values)
            self._append(
                connection,
                head,
                "action",
                at=at,
                action_id=action.id,
                from_status=str(action.status),
                to_status=str(to),
                detail={**{name: values[name] for name in COLUMNS if name in values}, **(detail or {})},
                payload=payload_of(**payload),
                limited=action.status not in BEGUN,
                next_seq=next_seq,
            )
        return moved(action, values, payload)

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

    def release(self, action: Action) -> None:
        """Let go of a claim, so that nobody has to wait until it lapses."""
        with self.store.write() as connection:
            connection.execute(
                update(schema.actions)
                .where(_A.id == action.id, _A.held_by == self.worker, _A.fence == action.fence)
                .values(held_until=now())
            )

    def holds(self, action: Action) -> bool:
        """Whether `action` still stands where it says it does, under the same claim."""
        with self.store.glance() as connection:
            row = connection.execute(_STANDING, {"known_id": action.id}).one_or_none()
        return row is not None and row.status == str(action.status) and row.fence == action.fence

    def note(
        self, action: Action, note: str, *, detail: Mapping[str, Json] | None = None, **payload: Any
    ) -> Action:
        """Record something about an action that does not move it.

        Raises:
            LostRace: Somebody else moved or claimed it.
        """
        with self.store.write() as connection:
            head = self._lock(connection, action.session_id)
            self._compare_and_set(connection, action, str(action.status), {"status": str(action.status)})
            self._append(
                connection,
                head,
                "note",
                action_id=action.id,
                detail={"note": note, **(detail or {})},
                payload=payload_of(**payload),
                limited=action.status not in BEGUN,
            )
        return action.with_(**payload)

    def pause(self, action: Action, paused: bool, *, hold: float = 60.0) -> Action:
        """Mark that a tool interrupted its own run, or goes on with it.

        Raises:
            LostRace: Somebody else moved or claimed it.
            SessionFrozen: It would go on, and the session takes no new actions.
        """
        at = now()
        until = at + round(hold * 1e6)
        values = {
            "paused": int(paused),
            "fence": action.fence + 1,
            "held_by": self.worker,
            "held_until": until,
        }
        note = "paused" if paused else "resumed"
        with self.store.write() as connection:
            head = self._lock(connection, action.session_id)
            if not paused:
                refuse_closed(head)
            self._compare_and_set(connection, action, note, values)
            self._append(connection, head, "note", at=at, action_id=action.id, detail={"note": note})
        return moved(action, values, {}).with_(paused=paused)

    def _compare_and_set(
        self, connection: Connection, action: Action, wanted: str, values: Mapping[str, Any]
    ) -> None:
        """Change an action's row if it stands where `action` says it does.

        Raises:
            LostRace: It does not.
        """
        known = {"known_id": action.id, "known_status": str(action.status), "known_fence": action.fence}
        changed = _CHANGE.run(connection, {**known, **values})
        if changed.rowcount == 1:
            return
        row = connection.execute(select(_A.status, _A.held_by).where(_A.id == action.id)).one_or_none()
        if row is None:
            raise TransitionError(action.id, "unknown", wanted, "the journal has no such action")
        why = f"held by {row.held_by}" if row.held_by else "it moved on"
        raise LostRace(action.id, row.status, wanted, why)
