"""Secrets that an undo needs are sealed: encrypted with a key from the environment or a callable, never masked."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable
from typing import Any, TypeAlias

from langchain_agentrein.action import Json
from langchain_agentrein.errors import ConfigError, SealError
from langchain_agentrein.journal.codec import (
    BYTES,
    MASK,
    PAIRS,
    SEALED,
    SEALED_BYTES,
    escape,
    transform,
)
from langchain_agentrein.journal.redaction import Redactor

KeySource: TypeAlias = "str | bytes | Callable[[], str | bytes]"

ENVIRONMENT = "AGENTREIN_SEAL_KEY"
"""The environment variable that holds the key: 32 bytes in URL-safe base64 (a Fernet key); several, newest first, with commas."""


class Vault:
    """Turns payloads into text and blobs, secrets sealed, and back.

    Args:
        seal: The key, or what returns it; `None`: the environment variable `AGENTREIN_SEAL_KEY`, if it is set.
        redactor: Decides which leaves are secrets.
    """

    def __init__(self, seal: KeySource | None, redactor: Redactor) -> None:
        self._redactor = redactor
        self._fernet = _fernet(seal)

    @property
    def has_key(self) -> bool:
        """Whether secrets can be sealed."""
        return self._fernet is not None

    def loses(self, value: Json) -> bool:
        """Whether writing `value` would mask a secret, since there is no key to seal it with."""
        if self.has_key:
            return False
        found = False

        def look(key: str, leaf: Json) -> Json:
            nonlocal found
            found = found or self._redactor.is_secret(key, leaf)
            return None

        transform(value, look)
        return found

    def pack(self, value: Json) -> tuple[str, dict[str, bytes]]:
        """The text of a payload, and its blobs by hash.

        Raises:
            TypeError: It is not JSON.
        """
        blobs: dict[str, bytes] = {}

        def keep(data: bytes) -> str:
            name = hashlib.sha256(data).hexdigest()
            blobs[name] = data
            return name

        def leaf(key: str, item: Json) -> Json:
            secret = self._redactor.is_secret(key, item)
            if isinstance(item, bytes):
                if not secret:
                    return _Mark({BYTES: keep(item)})
                if self._fernet is None:
                    return _Mark(MASK)
                return _Mark({SEALED_BYTES: keep(self._fernet.encrypt(item))})
            if not secret:
                return item
            if self._fernet is None:
                return _Mark(MASK)
            return _Mark({SEALED: self._fernet.encrypt(json.dumps(item).encode()).decode()})

        marked = escape(transform(value, leaf))
        return json.dumps(marked, separators=(",", ":"), default=_Mark.spell), blobs

    def unpack(self, text: str, blob: Callable[[str], bytes | None]) -> Json:
        """The payload again. A secret whose key is not here stays a mark, which no undo will write.

        Args:
            blob: Finds the bytes of a hash; `None` if they were erased.
        """
        return self._restore(json.loads(text), blob)

    def _restore(self, value: Json, blob: Callable[[str], bytes | None]) -> Json:
        if isinstance(value, list):
            return [self._restore(item, blob) for item in value]
        if not isinstance(value, dict):
            return value
        if PAIRS in value:
            return {name: self._restore(item, blob) for name, item in value[PAIRS]}
        if BYTES in value:
            return blob(value[BYTES])
        if SEALED_BYTES in value:
            data = blob(value[SEALED_BYTES])
            return self._open(data, value) if data is not None else None
        if SEALED in value:
            opened = self._open(value[SEALED].encode(), value)
            return json.loads(opened) if isinstance(opened, bytes) else opened
        return {name: self._restore(item, blob) for name, item in value.items()}

    def _open(self, token: bytes, mark: Json) -> Any:
        if self._fernet is None:
            return mark
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(token)
        except InvalidToken:
            return mark


class _Mark:
    """One of our own marks, which `escape` leaves alone."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.value = value

    @staticmethod
    def spell(item: object) -> dict[str, Any]:
        if isinstance(item, _Mark):
            return item.value
        raise TypeError(f"{type(item).__name__} is not JSON")


def _fernet(seal: KeySource | None) -> Any:
    key = seal() if callable(seal) else seal
    if key is None:
        key = os.environ.get(ENVIRONMENT)
    if not key:
        return None
    try:
        from cryptography.fernet import Fernet, MultiFernet
    except ImportError as error:
        raise ConfigError("sealing needs cryptography: pip install 'langchain-agentrein[seal]'") from error
    keys = key.split(b",") if isinstance(key, bytes) else key.split(",")
    try:
        return MultiFernet([Fernet(one.strip()) for one in keys])
    except ValueError as error:
        raise SealError(
            f"a seal key is 32 bytes in URL-safe base64, such as {ENVIRONMENT}={_example()}..., "
            "made by `python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`"
        ) from error


def _example() -> str:
    return base64.urlsafe_b64encode(b"\0" * 6).decode()
