"""Which values are secrets, and how they are hidden from whoever reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from langchain_agentrein.action import Json
from langchain_agentrein.journal.codec import MASKED, SEALED, SEALED_BYTES, transform

IsSecret: TypeAlias = Callable[[str, Json], bool]
"""`(key, value) -> bool`: whether the leaf `value`, found under `key`, is a secret."""

REDACTED = "[redacted]"

_KEY = re.compile(
    r"(?i)(^|[_\-.])(password|passwd|passphrase|pwd|secret|api[_-]?key|apikey|access[_-]?key|private[_-]?key"
    r"|client[_-]?secret|auth[_-]?token|access[_-]?token|refresh[_-]?token|id[_-]?token|bearer|token"
    r"|authorization|credentials?|cookie|ssn|card[_-]?number|cvc|cvv|iban)$"
)
_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"
    r"|\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,}"
    r"|\bsk-[A-Za-z0-9_\-]{20,}"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}"
    r"|\bxox[abeoprs]-[A-Za-z0-9\-]{10,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_\-]{35}|\bya29\.[0-9A-Za-z_\-]{20,}"
    r"|\bpat-(?:na|eu)\d-[0-9a-f\-]{20,}|\b(?:ntn|secret)_[A-Za-z0-9]{30,}"
    r"|\beyJ[A-Za-z0-9_\-]{10,}\.eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]*"
    r"|(?i:\bbearer\s+)[A-Za-z0-9._\-]{16,}"
    r"|(?<=://)[^/\s:@]+:[^/\s:@]+(?=@)"
)


def is_secret(key: str, value: Json) -> bool:
    """The built-in detector: by the key's name, or by the shape of well-known credentials."""
    if isinstance(value, bytes):
        return _VALUE.search(value.decode("latin-1")) is not None
    if not isinstance(value, str) or not value:
        return False
    return _KEY.search(key) is not None or _VALUE.search(value) is not None


class Redactor:
    """Hides secrets in whatever is shown, logged, traced or exported."""

    def __init__(self, extra: IsSecret | None = None) -> None:
        self._extra = extra

    def is_secret(self, key: str, value: Json) -> bool:
        """Whether this leaf must not be shown. A detector that raises counts as "yes"."""
        if is_secret(key, value):
            return True
        if self._extra is None or value is None:
            return False
        try:
            return bool(self._extra(key, value))
        except Exception:  # fail closed: better hidden than shown
            return True

    def mask(self, value: Json) -> Json:
        """A copy to show: secrets replaced, the words around them kept."""
        return _unmark(transform(value, self._mask_leaf))

    def text(self, text: str) -> str:
        """A text to show."""
        masked = self._mask_leaf("", text)
        return masked if isinstance(masked, str) else REDACTED

    def _mask_leaf(self, key: str, value: Json) -> Json:
        if not self.is_secret(key, value):
            return value
        if isinstance(value, str) and not _KEY.search(key) and _VALUE.search(value):
            return _VALUE.sub(REDACTED, value)
        return REDACTED


def _unmark(value: Json) -> Json:
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in (MASKED, SEALED, SEALED_BYTES):
            return REDACTED
        return {name: _unmark(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_unmark(item) for item in value]
    return value
