"""The journal's tables. Rows of `entries` and `payloads` are only ever added, until they are forgotten.

What may hold personal data lies in `payloads` and `blobs` alone, so that it can be erased; the
chain in `entries` covers only salted digests of it, and still verifies afterwards.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

meta = Table(
    "agentrein_meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

sessions = Table(
    "agentrein_sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("thread_id", Text),
    Column("tenant", Text),
    Column("agent_id", Text),
    Column("parent_id", String(64)),
    Column("status", String(16), nullable=False),
    Column("opened_at", BigInteger, nullable=False),  # microseconds since the epoch, UTC, as all times here
    Column("closed_at", BigInteger),
    Column("requested_by", Text),
    Column("next_seq", Integer, nullable=False),
    Column("length", Integer, nullable=False),
    Column("head", String(64), nullable=False),
    Index("agentrein_sessions_thread", "thread_id", "opened_at"),
    Index("agentrein_sessions_status", "status"),
)

actions = Table(
    "agentrein_actions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("session_id", String(64), nullable=False),
    Column("thread_id", Text),
    Column("tool_call_id", Text),
    Column("message_id", Text),
    Column("call_key", String(64), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("seq", Integer),
    Column("operation", Text, nullable=False),
    Column("operation_version", Integer, nullable=False),
    Column("source", Text),
    Column("connector", Text, nullable=False),
    Column("account", Text),
    Column("tenant", Text),
    Column("status", String(16), nullable=False),
    Column("risk", Integer, nullable=False),
    Column("reversal", String(16), nullable=False),
    Column("salt", String(32)),
    Column("digest", String(64), nullable=False),
    Column("paused", Integer, nullable=False, default=0),
    Column("parent_id", String(64)),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("undone_at", BigInteger),
    Column("undo_until", BigInteger),
    Column("held_by", Text),
    Column("held_until", BigInteger),
    Column("fence", Integer, nullable=False, default=0),
    UniqueConstraint("call_key", "generation", name="agentrein_actions_call"),
    Index("agentrein_actions_session", "session_id", "seq"),
    Index("agentrein_actions_status", "status"),
)

payloads = Table(
    "agentrein_payloads",
    metadata,
    Column("owner_id", String(64), nullable=False),  # an action, or a session
    Column("n", Integer, nullable=False),  # the entry that covers it
    Column("salt", String(32), nullable=False),
    Column("data", Text, nullable=False),
    PrimaryKeyConstraint("owner_id", "n"),
)

blobs = Table(
    "agentrein_blobs",
    metadata,
    Column("owner_id", String(64), nullable=False),
    Column("name", String(64), nullable=False),  # SHA-256 of what is stored
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("owner_id", "name"),
)

entries = Table(
    "agentrein_entries",
    metadata,
    Column("session_id", String(64), nullable=False),
    Column("n", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("event", String(16), nullable=False),
    Column("action_id", String(64)),
    Column("from_status", String(16)),
    Column("to_status", String(16)),
    Column("worker", Text),
    Column("detail", Text, nullable=False),
    Column("payload_digest", String(64)),
    Column("prev", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    PrimaryKeyConstraint("session_id", "n"),
    Index("agentrein_entries_action", "action_id"),
)
