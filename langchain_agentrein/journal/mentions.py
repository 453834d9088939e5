"""Which sessions speak of somebody: what a data-protection request has to find before it erases."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sqlalchemy import Connection, select

from langchain_agentrein.action import Json
from langchain_agentrein.journal import schema
from langchain_agentrein.journal.codec import MASKED, Hidden
from langchain_agentrein.journal.packed import Packed
from langchain_agentrein.journal.sealing import Vault

_A, _B, _P = schema.actions.c, schema.blobs.c, schema.payloads.c


def mentioning(connection: Connection, vault: Vault, words: str) -> tuple[set[str], set[str]]:
    """Sessions whose payloads hold a text, in any letter case, sealed ones included; and those that cannot be read.

    Args:
        words: A mail address, a name, a number: what stands for the person.
    Returns:
        Ids of sessions that mention it, and of those that hold something which no key here can open.
    """
    wanted = words.casefold()
    owners = {row.id: row.session_id for row in connection.execute(select(_A.id, _A.session_id))}
    found, closed = set(), set()

    def blob(owner: str, name: str) -> bytes | None:
        return connection.scalar(select(_B.data).where(_B.owner_id == owner, _B.name == name))

    listed = connection.execute(select(_P.owner_id, _P.data)).all()
    for owner, data in listed:
        session = owners.get(owner, owner)
        if session in found:
            continue
        value = vault.unpack(data, lambda name, owner=owner: blob(owner, name))  # type: ignore[misc]
        for text in _texts(value):
            if text is None:
                closed.add(session)
            elif wanted in text.casefold():
                found.add(session)
                break
    return found, closed - found


def _texts(value: Json) -> Iterator[str | None]:
    """Everything in a payload as text, keys too; `None` for what is hidden."""
    if isinstance(value, Hidden):
        yield None if MASKED not in value else ""
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, Packed):
        yield from _texts(value.value())
    elif isinstance(value, bytes | memoryview):
        yield bytes(value).decode("utf-8", "replace")
    else:
        yield value if isinstance(value, str) else json.dumps(value)
