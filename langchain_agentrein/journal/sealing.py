"""Secrets that an undo needs are sealed, with a key from the environment or a callable; never masked."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from langchain_agentrein.action import Json
from langchain_agentrein.errors import ConfigError, SealError
from langchain_agentrein.journal.codec import (
    BYTES,
    MASKED,
    MAX_DEPTH,
    PACKED,
    PAIRS,
    SEALED,
    SEALED_BYTES,
    Hidden,
    leaves,
    refuse_odd,
    refuse_odd_key,
)
from langchain_agentrein.journal.packed import Packed
from langchain_agentrein.journal.redaction import REDACTED, Redactor, named

KeySource: TypeAlias = "str | bytes | Callable[[], str | bytes]"

ENVIRONMENT = "AGENTREIN_SEAL_KEY"
"""The environment variable that holds the key: 32 bytes in URL-safe base64 (a Fernet key).

Several, newest first, with commas: what the older ones sealed can still be read.
"""


class Vault:
    """Turns payloads into text and blobs, secrets sealed, and back.

    Args:
        seal: The key, or what returns it; `None`: `AGENTREIN_SEAL_KEY` of the environment, if it is set.
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
        """Whether writing `value` would mask a secret, since there is no key to seal it with.

        Raises:
            TypeError: It is not JSON.
        """
        lost = False
        for key, leaf in leaves(value, sticky=named):
            lost = lost or (not self.has_key and self._redactor.is_secret(key, leaf))
        return lost

    def pack(self, value: Json) -> tuple[str, dict[str, bytes]]:
        """The text of a payload, and its blobs by hash.

        Raises:
            TypeError: It is not JSON.
        """
        blobs: dict[str, bytes] = {}
        return json.dumps(self._spelled(value, "", 0, blobs), separators=(",", ":")), blobs

    def _spelled(self, value: Json, key: str, depth: int, blobs: dict[str, bytes]) -> Json:
        if depth > MAX_DEPTH:
            raise TypeError(f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, Hidden):
            return dict(value)
        if isinstance(value, Mapping):
            inner = key if named(key) else None
            items = []
            for name, item in value.items():
                refuse_odd_key(name)
                items.append((name, self._spelled(item, inner or name, depth + 1, blobs)))
            if any(name.startswith("$") or self._redactor.is_secret("", name) for name in value):
                return {PAIRS: [[self._leaf("", name, blobs), item] for name, item in items]}
            return dict(items)
        if isinstance(value, list | tuple):
            return [self._spelled(item, key, depth + 1, blobs) for item in value]
        refuse_odd(value)
        return self._leaf(key, value, blobs)

    def _leaf(self, key: str, item: Json, blobs: dict[str, bytes]) -> Json:
        secret = self._redactor.is_secret(key, item)
        if secret and self._fernet is None:
            return {MASKED: True}
        if isinstance(item, bytes):
            data = self._fernet.encrypt(item) if secret else item
            name = hashlib.sha256(data).hexdigest()
            blobs[name] = data
            kept = {SEALED_BYTES if secret else BYTES: name}
            return {**kept, PACKED: True} if isinstance(item, Packed) else kept
        return {SEALED: self._fernet.encrypt(json.dumps(item).encode()).decode()} if secret else item

    def unpack(self, text: str, blob: Callable[[str], bytes | None]) -> Json:
        """The payload again. A secret whose key is not here stays `Hidden`, which no undo will write.

        Args:
            blob: Finds the bytes of a hash; `None` if they were erased.
        """
        return self._restored(json.loads(text), blob)

    def _restored(self, value: Json, blob: Callable[[str], bytes | None]) -> Json:
        if isinstance(value, list):
            return [self._restored(item, blob) for item in value]
        if not isinstance(value, dict):
            return value
        if PAIRS in value:
            return dict(self._pair(n, name, item, blob) for n, (name, item) in enumerate(value[PAIRS]))
        if MASKED in value:
            return Hidden(value)
        if BYTES in value or SEALED_BYTES in value:
            data = blob(value.get(BYTES) or value[SEALED_BYTES])
            opened = self._open(data, value) if data is not None and SEALED_BYTES in value else data
            return Packed(opened) if PACKED in value and isinstance(opened, bytes) else opened
        if SEALED in value:
            opened = self._open(value[SEALED].encode(), value)
            return json.loads(opened) if isinstance(opened, bytes) else opened
        return {name: self._restored(item, blob) for name, item in value.items()}

    def _pair(self, n: int, name: Json, item: Json, blob: Callable[[str], bytes | None]) -> tuple[str, Json]:
        known = self._restored(name, blob)
        if isinstance(known, str):
            return known, self._restored(item, blob)
        return f"{REDACTED} {n}", Hidden(known)  # a key that is not known cannot be written back either

    def _open(self, token: bytes, mark: Json) -> Any:
        if self._fernet is None:
            return Hidden(mark)
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(token)
        except InvalidToken:
            return Hidden(mark)


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
    except ValueError:
        # Without the cause: its message may quote the key.
        raise SealError(
            f"a seal key is 32 bytes in URL-safe base64, such as {ENVIRONMENT}={_example()}..., "
            "made by `python -c 'from cryptography.fernet import Fernet as F; print(F.generate_key().decode())'`"
        ) from None


def _example() -> str:
    return base64.urlsafe_b64encode(b"\0" * 6).decode()
