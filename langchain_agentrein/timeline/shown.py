"""From what was journaled to what may be shown: redacted, cleaned, cut to size.

Everything that reaches a renderer has passed through here. The text comes from models, users and
vendors, so it may hold secrets, terminal escapes, letters that turn the reading direction, or a
gigabyte.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from langchain_agentrein.action import Json
from langchain_agentrein.journal.codec import Hidden
from langchain_agentrein.journal.redaction import REDACTED

Mask: TypeAlias = Callable[[Json], Json]
"""Replaces the secrets in a JSON value; a text is the simplest one."""

MAX_TEXT = 8_000
"""Characters of one text that are shown."""
MAX_DEPTH, MAX_ITEMS, MAX_LEAVES = 16, 200, 2_000
"""Levels of one payload, items of one list or object, and values of one payload that are shown."""

_LOOKED_AT = 4 * MAX_TEXT
"""Characters of a longer text that are searched for secrets; the last of them are never shown."""
_MARGIN = _LOOKED_AT // 4
_HIDDEN = "[hidden: it could not be redacted]"

_ANSI = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]")
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but tab and newline
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # bidi, zero width
    "\U000e0000-\U000e007f]"  # tags: text that no screen shows
)
_SURROGATE = re.compile("[\ud800-\udfff]")
UNSEEN = re.compile(f"{_UNSEEN.pattern}|{_SURROGATE.pattern}")
"""What no terminal should be given."""

_TELLING = ("statement", "sql", "query", "title", "subject", "to", "path", "email", "text", "content")
"""Arguments that say best what a call is about, most telling first."""


def identity(value: Json) -> Json:
    """The mask that hides nothing."""
    return value


def clean(text: str) -> str:
    """`text` without what a terminal would obey or a reader cannot see. The words all stay."""
    text = _ANSI.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _SURROGATE.sub("\ufffd", _UNSEEN.sub("", text))


def line(text: str, limit: int = 160) -> str:
    """`text` on one line, cut to `limit` characters."""
    flat = " ".join(text[: 8 * limit].split())
    return flat if len(flat) <= limit and len(text) <= 8 * limit else flat[: limit - 3].rstrip() + "..."


def clock(at: datetime | None) -> str:
    """A time as hours, minutes and seconds in UTC."""
    return at.astimezone(UTC).strftime("%H:%M:%S") if at else ""


def stamp(at: datetime | None) -> str:
    """A time with its date, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else ""


def iso(at: datetime | None) -> str | None:
    """A time for machines, in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


def duration(start: datetime | None, end: datetime | None) -> str:
    """How long it took, in the one unit that says it best; empty if that is not known."""
    if start is None or end is None:
        return ""
    seconds = (end - start).total_seconds()
    if seconds < 0.001:
        return ""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def pretty(value: Json) -> str:
    """A shown value as JSON text."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def brief(args: Json, limit: int = 72) -> str:
    """A few words that tell this call from others of its kind, from its shown arguments."""
    if not isinstance(args, Mapping):
        return "" if args is None else line(_word(args), limit)
    for name in _TELLING:
        if isinstance(args.get(name), str) and args[name].strip():
            return line(args[name], limit)
    return line(", ".join(f"{name}={_word(value)}" for name, value in list(args.items())[:6]), limit)


def _word(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class Shown:
    """Makes texts and payloads fit to be shown.

    Args:
        mask: Replaces secrets. If it raises, the value is hidden altogether.
    """

    def __init__(self, mask: Mask = identity) -> None:
        self._mask = mask
        self._mark = f" {secrets.token_hex(8)}:"
        self._cut = re.compile(self._mark + "([0-9]+)$")

    def text(self, value: object, limit: int = MAX_TEXT) -> str:
        """One text; `None` is empty."""
        if value is None:
            return ""
        shown = self.value(value if isinstance(value, str | Hidden) else str(value))
        shown = shown if isinstance(shown, str) else _word(shown)
        return shown if len(shown) <= limit else f"{shown[:limit]}... ({len(shown):,} characters)"

    def value(self, payload: Json) -> Json:
        """One payload, as JSON that any encoder takes."""
        # Twice, since an unseen character may split a secret, or be what sets it off from other letters.
        return _each_text(self._masked(_each_text(self._masked(self._bounded(payload)), clean)), self._ended)

    def _masked(self, value: Json) -> Json:
        try:
            return self._mask(value)
        except Exception:  # a mask that fails must not show what it should have hidden
            return _HIDDEN

    def _bounded(self, payload: Json) -> Json:
        left = MAX_LEAVES

        def walk(value: Any, depth: int) -> Json:
            nonlocal left
            left -= 1
            if isinstance(value, Hidden):
                return REDACTED
            if isinstance(value, Mapping | list | tuple) and value and (depth >= MAX_DEPTH or left <= 0):
                return f"... ({len(value):,} items not shown)"
            if isinstance(value, Mapping):
                shown: dict[str, Json] = {}
                for place, (name, item) in enumerate(value.items()):
                    if place >= MAX_ITEMS or left <= 0:
                        shown["..."] = f"({len(value) - place:,} more)"
                        break
                    shown[line(self._key(str(name)))] = walk(item, depth + 1)
                return shown
            if isinstance(value, list | tuple):
                items: list[Json] = []
                for place, item in enumerate(value):
                    if place >= MAX_ITEMS or left <= 0:
                        items.append(f"... ({len(value) - place:,} more)")
                        break
                    items.append(walk(item, depth + 1))
                return items
            return self._leaf(value)

        return walk(payload, 0)

    def _key(self, name: str) -> str:
        masked = self._masked(clean(name[:_LOOKED_AT]))
        return masked if isinstance(masked, str) else _HIDDEN

    def _leaf(self, value: Any) -> Json:
        match value:
            case None | bool():
                return value
            case bytes() | bytearray() | memoryview():
                return f"({len(value):,} bytes, sha256 {hashlib.sha256(value).hexdigest()[:12]})"
            case str():
                if len(value) <= _LOOKED_AT:
                    return str(value)
                return f"{value[:_LOOKED_AT]}{self._mark}{len(value)}"
            case int():
                return value if value.bit_length() <= 1024 else f"(an integer of {value.bit_length():,} bits)"
            case float():
                return value if math.isfinite(value) else str(value)
            case datetime():
                return iso(value)
            case _:
                return f"({type(value).__name__})"

    def _ended(self, text: str) -> str:
        """Cut a text, saying how long it was."""
        size = len(text)
        if found := self._cut.search(text):
            size, text = int(found[1]), text[: max(found.start() - _MARGIN, 0)]
        return text if size <= MAX_TEXT else f"{text[:MAX_TEXT]}... ({size:,} characters)"


def _each_text(value: Json, change: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _each_text(item, change) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_each_text(item, change) for item in value]
    return value
