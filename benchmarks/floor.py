"""The floor: what any write-ahead journal has to do, made by hand with SQLAlchemy Core.

Two transactions a call. Before the effect, a row with the call's identity, its arguments and its
snapshot; after it, the receipt and what it left. The statements are built once, and the rows are
plain: nothing is validated, sealed, chained or looked up.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    insert,
    select,
    update,
)

from benchmarks.subject import VALUE

_metadata = MetaData()
_records = Table(
    "floor_records",
    _metadata,
    Column("id", String(64), primary_key=True),
    Column("session_id", String(64), nullable=False),
    Column("call", String(64), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("operation", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("before", Text, nullable=False),
    Column("after", Text),
    UniqueConstraint("call"),
    Index("floor_records_session", "session_id", "seq"),
)
_links = Table(
    "floor_links",
    _metadata,
    Column("n", Integer, primary_key=True),
    Column("record_id", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("hash", String(64), nullable=False),
)
_heads = Table(
    "floor_heads",
    _metadata,
    Column("session_id", String(64), primary_key=True),
    Column("n", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)
_BEGIN = insert(_records)
_END = update(_records).where(_records.c.id == bindparam("known"))
_HEAD = select(_heads.c.n, _heads.c.hash).where(_heads.c.session_id == bindparam("session"))
_LINK = insert(_links)
_MOVE = update(_heads).where(_heads.c.session_id == bindparam("session"))


class Floor:
    """The same call as `Subject.call`, with the least that a journal can do.

    Args:
        chained: Also keep a hash chain: an entry for each commit, and the head of the session.
    """

    def __init__(self, engine: Engine, *, chained: bool = False, session: str = "ses_floor") -> None:
        self.engine, self.chained, self.session = engine, chained, session
        self.world: dict[str, Any] = {}
        _metadata.create_all(engine)
        if chained:
            with engine.begin() as connection:
                connection.execute(insert(_heads), {"session_id": session, "n": 0, "hash": ""})

    def call(self, n: int) -> None:
        """One call."""
        key, record = f"key {n}", uuid.uuid4().hex
        before = {"args": {"key": key, "value": VALUE}, "before": {"value": self.world.get(key)}}
        row = {
            "id": record,
            "session_id": self.session,
            "call": f"{self.session}-{n}",
            "seq": n,
            "operation": "bench.put",
            "status": "executing",
            "started_at": time.time_ns() // 1000,
            "before": json.dumps(before),
        }
        with self.engine.begin() as connection:
            connection.execute(_BEGIN, row)
            self._chain(connection, record, row)
        self.world[key] = VALUE
        after = {"receipt": {"key": key}, "after": {"value": self.world.get(key)}}
        changed = {
            "status": "executed",
            "finished_at": time.time_ns() // 1000,
            "after": json.dumps(after),
        }
        with self.engine.begin() as connection:
            connection.execute(_END, {"known": record, **changed})
            self._chain(connection, record, changed)

    def _chain(self, connection: Any, record: str, row: dict[str, Any]) -> None:
        if not self.chained:
            return
        n, head = connection.execute(_HEAD, {"session": self.session}).one()
        detail = json.dumps(row, sort_keys=True)
        link = hashlib.sha256(f"{head}\n{record}\n{detail}".encode()).hexdigest()
        entry = {"n": n + 1, "record_id": record, "detail": detail, "hash": link}
        connection.execute(_LINK, entry)
        connection.execute(_MOVE, {"session": self.session, "n": n + 1, "hash": link})
