"""Signed heads, to be kept elsewhere: who rewrites or cuts the whole journal cannot rewrite them."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, select

from langchain_agentrein.action import Json
from langchain_agentrein.errors import ConfigError
from langchain_agentrein.journal import schema
from langchain_agentrein.journal.codec import canonical

_E, _S = schema.entries.c, schema.sessions.c

ENVIRONMENT = "AGENTREIN_HEADS_KEY"
"""The environment variable that holds the key which signs heads. It is not the seal key."""
SHORTEST = 32
"""Characters of such a key."""
FORMAT = "agentrein-heads/1"


def signed(connection: Connection, key: str | bytes | None, at: str) -> dict[str, Json]:
    """Every session's length and last hash, under one signature.

    Returns:
        `{"format": str, "at": ISO time, "heads": {session: [length, hash]}, "signature": hex}`.
    Raises:
        ConfigError: There is no key, or it is too short.
    """
    secret = _key(key)
    rows = connection.execute(select(_S.id, _S.length, _S.head).order_by(_S.id))
    body: dict[str, Json] = {
        "format": FORMAT,
        "at": at,
        "heads": {row.id: [row.length, row.head] for row in rows},
    }
    return {**body, "signature": _signature(secret, body)}


def opened(kept: Json, key: str | bytes | None) -> dict[str, tuple[int, str]]:
    """The heads in what was kept, once its signature holds.

    Raises:
        ConfigError: It is no such record, or another key signed it, or it was changed.
    """
    secret = _key(key)
    if (
        not isinstance(kept, Mapping)
        or kept.get("format") != FORMAT
        or not isinstance(kept.get("heads"), Mapping)
    ):
        raise ConfigError(f"these are no kept heads: `agentrein heads` writes them ({FORMAT})")
    body = {name: value for name, value in kept.items() if name != "signature"}
    if not hmac.compare_digest(str(kept.get("signature")).encode(), _signature(secret, body).encode()):
        raise ConfigError("the kept heads were changed, or signed with another key: they prove nothing")
    return {session: (int(length), str(head)) for session, (length, head) in body["heads"].items()}


def missed(
    connection: Connection, kept: Mapping[str, tuple[int, str]], session_ids: Collection[str] | None
) -> Iterator[tuple[str, str]]:
    """Where the journal does not go on from what was kept: the session, and a sentence."""
    lengths = {row.id: row.length for row in connection.execute(select(_S.id, _S.length))}
    for session, (length, head) in kept.items():
        if session_ids is not None and session not in session_ids:
            continue
        if session not in lengths:
            yield session, "the session was kept, and is missing"
            continue
        here = select(_E.hash).where(_E.session_id == session, _E.n == length)
        found = connection.scalar(here)
        if lengths[session] < length or found is None:
            yield session, f"it had {length} entries when its head was kept, and has {lengths[session]}"
        elif found != head:
            yield session, f"entry {length} is not the one whose hash was kept: the chain was rewritten"


def _signature(key: bytes, body: Mapping[str, Any]) -> str:
    return hmac.new(key, canonical(dict(body)).encode(), hashlib.sha256).hexdigest()


def _key(key: str | bytes | None) -> bytes:
    given = key if key is not None else os.environ.get(ENVIRONMENT, "")
    secret = given.encode() if isinstance(given, str) else given
    if len(secret) < SHORTEST:
        raise ConfigError(
            f"heads are signed with a key of at least {SHORTEST} characters: set {ENVIRONMENT}, "
            "made by `python -c 'import secrets; print(secrets.token_hex(32))'`"
        )
    return secret
