"""Reading the journal."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, exists, or_, select, union_all

from langchain_agentrein.action import TO_UNDO, Action, Entry, Json, SessionRecord, SessionStatus, Status
from langchain_agentrein.errors import ConfigError
from langchain_agentrein.journal import schema
from langchain_agentrein.journal.rows import to_action, to_entry, to_session
from langchain_agentrein.journal.sealing import Vault
from langchain_agentrein.journal.store import Store

_A, _S, _E, _P = schema.actions.c, schema.sessions.c, schema.entries.c, schema.payloads.c
T = TypeVar("T")
_EPOCH = datetime.fromtimestamp(0, UTC)
CHUNK = 500
"""Owners per query, below every database's limit of parameters."""

_CALLS = select(schema.actions).where(_A.call_key == bindparam("key")).order_by(_A.generation)
_RECORDED = select(exists().where(_A.call_key == bindparam("key")))
_LOOK = select(schema.sessions, _RECORDED.scalar_subquery().label("repeated")).where(
    _S.id == bindparam("session")
)
_ACTION = select(schema.actions).where(_A.id == bindparam("action"))
_IN_SESSION = select(_A.seq, _A.id, _A.message_id, _A.status).where(_A.session_id == bindparam("session"))
# In halves, here and below, so that an index finds what is new without passing what is old.
_EFFECTS = union_all(
    _IN_SESSION.where(_A.seq > bindparam("after")),
    _IN_SESSION.where(_A.seq.is_(None), _A.status == str(Status.HELD)),
)
_HAPPENED = (
    select(_A.id, _A.message_id)
    .join(schema.sessions, _S.id == _A.session_id)
    .where(
        _S.thread_id == bindparam("thread"),
        or_(
            and_(
                _S.status.in_([str(SessionStatus.OPEN), str(SessionStatus.SUPERSEDED)]),
                _A.status.in_(
                    [str(Status.EXECUTING), str(Status.EXECUTED), str(Status.IN_DOUBT), str(Status.HELD)]
                ),
            ),
            and_(
                _S.status == str(SessionStatus.ROLLING_BACK),
                _A.status.in_([str(status) for status in (Status.EXECUTING, *sorted(TO_UNDO))]),
            ),
        ),
        _A.message_id.is_not(None),
    )
)
_STANDS = select(_A.id, _A.message_id).where(
    _A.status.in_([str(status) for status in (Status.HELD, Status.EXECUTING, *sorted(TO_UNDO))]),
    _A.message_id.is_not(None),
)
_UNFINISHED = union_all(
    _HAPPENED.where(_A.session_id == bindparam("session"), _A.seq > bindparam("after")),
    _HAPPENED.where(_A.session_id == bindparam("session"), _A.seq.is_(None)),
    _HAPPENED.where(_S.id != bindparam("session")),
)
_OF_THIS_TURN = union_all(
    _STANDS.where(_A.session_id == bindparam("session"), _A.seq > bindparam("after")),
    _STANDS.where(_A.session_id == bindparam("session"), _A.seq.is_(None)),
    _STANDS.join(schema.sessions, _S.id == _A.session_id).where(
        _S.thread_id == bindparam("thread"), _S.parent_id == bindparam("session")
    ),
    _HAPPENED.where(_S.id != bindparam("session")),
)
_SESSION = select(schema.sessions).where(_S.id == bindparam("session"))
_PAYLOADS = (
    select(_P.owner_id, _P.data)
    .where(_P.owner_id.in_(bindparam("owners", expanding=True)))
    .order_by(_P.owner_id, _P.n)
)


class Effect(NamedTuple):
    """One effect, as the checkpointed stack needs it."""

    seq: int
    id: str
    message_id: str | None
    status: Status


class Reader:
    """Queries; nothing here writes."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self.store, self.vault = store, vault

    def get(self, action_id: str) -> Action:
        """One action, by its id or a beginning of it that no other shares.

        Raises:
            ConfigError: There is none, or several.
        """
        with self.store.read() as connection:
            found = connection.execute(_ACTION, {"action": action_id}).all()
            if not found:  # no index serves a beginning, so it is looked for only then
                begins = _A.id.startswith(action_id, autoescape=True)
                found = connection.execute(select(schema.actions).where(begins).limit(2)).all()
            if len(found) != 1:
                raise ConfigError(
                    f"{'several actions begin' if found else 'no action begins'} with {action_id!r}: "
                    "`agentrein timeline` shows their ids"
                )
            return self._actions(connection, found)[0]

    def calls(self, call_key: str) -> list[Action]:
        """Every generation of one call, oldest first."""
        with self.store.read() as connection:
            return self._actions(connection, connection.execute(_CALLS, {"key": call_key}).all())

    def actions(
        self,
        session_ids: Collection[str],
        *,
        statuses: Collection[Status] | None = None,
        after: int | None = None,
        payloads: bool = True,
    ) -> list[Action]:
        """The actions of sessions, in the order of their effects; those without effect last.

        Args:
            statuses: Only these.
            after: Only those whose `seq` is greater.
            payloads: Without, arguments, snapshots and receipts stay empty.
        """
        conditions: list[ColumnElement[bool]] = [_A.session_id.in_(list(session_ids))]
        if statuses is not None:
            conditions.append(_A.status.in_([str(status) for status in statuses]))
        if after is not None:
            conditions.append(_A.seq > after)
        query = select(schema.actions).where(*conditions)
        with self.store.read() as connection:
            rows = connection.execute(query).all()
            found = self._actions(connection, rows) if payloads else [to_action(r._mapping, {}) for r in rows]
        return in_order(found)

    def newest(self, session_id: str, *, statuses: Collection[Status], below: int | None) -> list[Action]:
        """At most one action: the one with the greatest `seq` less than `below`."""
        query = select(schema.actions).where(
            _A.session_id == session_id,
            _A.status.in_([str(status) for status in statuses]),
            _A.seq.is_not(None),
        )
        if below is not None:
            query = query.where(_A.seq < below)
        with self.store.read() as connection:
            return self._actions(connection, connection.execute(query.order_by(_A.seq.desc()).limit(1)).all())

    def effects(self, session_id: str, *, after: int) -> list[Effect]:
        """A session's effects after `after`, in order; what is held comes first, as 0."""
        wanted = {"session": session_id, "after": after}
        with self.store.glance() as connection:
            rows = connection.execute(_EFFECTS, wanted).all()
        return sorted(Effect(row.seq or 0, row.id, row.message_id, Status(row.status)) for row in rows)

    def strays(
        self,
        thread_id: str,
        *,
        known: Collection[str],
        messages: Collection[str],
        session_id: str,
        after: int,
        ended: bool = False,
    ) -> list[Action]:
        """Effects of a thread's unfinished sessions, and what is held, that neither `known` ids nor `messages` know.

        Args:
            session_id: The present session, whose effects up to `after` are known to be accounted for.
            ended: Those of the present session, and of its children, even where they have ended.
        """
        wanted = {"thread": thread_id, "session": session_id, "after": after}
        with self.store.glance() as connection:
            rows = connection.execute(_OF_THIS_TURN if ended else _UNFINISHED, wanted).all()
            strange = (row.id for row in rows if row.id not in known and row.message_id not in messages)
            lost = dict.fromkeys(strange)
            found = [row for one in lost for row in connection.execute(_ACTION, {"action": one})]
        found.sort(key=lambda row: row.started_at or 0)
        return [to_action(row._mapping, {}) for row in found]

    def look(self, call_key: str, session_id: str) -> tuple[bool, SessionRecord | None]:
        """Whether a call is recorded already, and its session as `standing` has it."""
        with self.store.glance() as connection:
            row = connection.execute(_LOOK, {"session": session_id, "key": call_key}).mappings().first()
            if row is None:  # its first call, unless the call is recorded in another one
                return bool(connection.scalar(_RECORDED, {"key": call_key})), None
        return bool(row["repeated"]), to_session(row, {})

    def standing(self, session_id: str) -> SessionRecord | None:
        """One session without its payload: neither its goal nor why it failed."""
        with self.store.glance() as connection:
            row = connection.execute(_SESSION, {"session": session_id}).mappings().first()
        return None if row is None else to_session(row, {})

    def session(self, session_id: str) -> SessionRecord | None:
        """One session, or `None`: it has no actions yet."""
        found = self.sessions(ids=[session_id])
        return found[0] if found else None

    def sessions(
        self,
        *,
        ids: Collection[str] | None = None,
        thread_id: str | None = None,
        tenant: str | None = None,
        statuses: Collection[SessionStatus] | None = None,
        limit: int | None = None,
    ) -> list[SessionRecord]:
        """Sessions, newest first."""
        query = select(schema.sessions).order_by(_S.opened_at.desc(), _S.id.desc())
        if ids is not None:
            query = query.where(_S.id.in_(list(ids)))
        if thread_id is not None:
            query = query.where(_S.thread_id == thread_id)
        if tenant is not None:
            query = query.where(_S.tenant == tenant)
        if statuses is not None:
            query = query.where(_S.status.in_([str(status) for status in statuses]))
        with self.store.read() as connection:
            rows = connection.execute(query.limit(limit)).all()
            loaded = self._payloads(connection, [row.id for row in rows])
        return [to_session(row._mapping, loaded[row.id]) for row in rows]

    def entries(self, session_ids: Collection[str]) -> list[Entry]:
        """What came to pass in sessions, in order."""
        query = select(schema.entries).where(_E.session_id.in_(list(session_ids)))
        with self.store.read() as connection:
            rows = connection.execute(query.order_by(_E.session_id, _E.n)).all()
        return _by_time([to_entry(row._mapping) for row in rows], lambda e: e.session_id, lambda e: e.at)

    def on_hold(self, session_ids: Collection[str] | None = None) -> list[Action]:
        """What is held and did not run yet, in the order of the calls; without sessions, of all."""
        query = select(schema.actions).where(_A.status.in_([str(Status.HELD), str(Status.APPROVED)]))
        if session_ids is not None:
            query = query.where(_A.session_id.in_(list(session_ids)))
        with self.store.read() as connection:
            rows = connection.execute(query.order_by(_A.created_at, _A.id)).all()
            found = self._actions(connection, rows)
        return [action for action in found if action.on_hold]

    def unsettled(self, *, statuses: Collection[Status]) -> list[Action]:
        """Actions of every session in `statuses`, without payloads."""
        query = select(schema.actions).where(_A.status.in_([str(status) for status in statuses]))
        with self.store.read() as connection:
            return [to_action(row._mapping, {}) for row in connection.execute(query.order_by(_A.created_at))]

    def _actions(self, connection: Connection, rows: Sequence[Row[Any]]) -> list[Action]:
        loaded = self._payloads(connection, [row.id for row in rows])
        return [to_action(row._mapping, loaded[row.id]) for row in rows]

    def _payloads(self, connection: Connection, owners: Sequence[str]) -> Mapping[str, dict[str, Json]]:
        merged: dict[str, dict[str, Json]] = defaultdict(dict)
        for some in _chunks(owners):
            for owner, data in connection.execute(_PAYLOADS, {"owners": some}):
                merged[owner].update(self.vault.unpack(data, functools.partial(_blob, connection, owner)))
        return merged


def in_order(actions: Iterable[Action]) -> list[Action]:
    """Actions in the order of their effects; those without effect last.

    Within a session `seq` orders. Between sessions only the clocks do, which may go backwards.
    """
    begun = sorted((a for a in actions if a.seq is not None), key=lambda a: (a.session_id, a.seq))
    waiting = sorted((a for a in actions if a.seq is None), key=lambda a: (a.created_at or _EPOCH, a.id))
    return [*_by_time(begun, lambda a: a.session_id, lambda a: a.started_at or _EPOCH), *waiting]


def _by_time(found: Iterable[T], group: Callable[[T], str], at: Callable[[T], datetime]) -> list[T]:
    """Merge groups by time; within a group the order stays, whatever the clock said."""
    latest: dict[str, datetime] = {}
    keyed = []
    for n, item in enumerate(found):
        name = group(item)
        latest[name] = max(latest.get(name, _EPOCH), at(item))
        keyed.append(((latest[name], name, n), item))
    return [item for _, item in sorted(keyed, key=lambda pair: pair[0])]


def _blob(connection: Connection, owner: str, name: str) -> bytes | None:
    c = schema.blobs.c
    data = connection.scalar(select(c.data).where(c.owner_id == owner, c.name == name))
    return None if data is None else bytes(data)


def _chunks(owners: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(owners), CHUNK):
        yield owners[start : start + CHUNK]
