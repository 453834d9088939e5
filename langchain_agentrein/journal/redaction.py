"""Which values are secrets, and how they are hidden from whoever reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TypeAlias

from langchain_agentrein.action import Json
from langchain_agentrein.journal.codec import MAX_DEPTH, Hidden, leaves
from langchain_agentrein.journal.packed import Packed

IsSecret: TypeAlias = Callable[[str, Json], bool]
"""`(key, value) -> bool`: whether the leaf `value`, found under `key`, is a secret."""

REDACTED = "[redacted]"

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_KEY = re.compile(
    r"(?:^|_)(?:passwords?|passwd|passphrase|pwd|secrets?|api_?keys?|access_?key|secret_?key|private_?key"
    r"|signing_?key|encryption_?key|token|bearer|authorization|credentials?|cookies?|session_?id"
    r"|ssn|card_?number|cvc|cvv|iban)(?:_?hash|_?value|_?\d+)?$"
)
_HARMLESS = re.compile(r"(?:^|_)(?:page|sync|next|continuation|cursor|request|resume|start|stop)_token$")
"""Tokens that open nothing: where a listing goes on, or what tells two requests apart."""
_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"
    r"|\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,}|\bwhsec_[A-Za-z0-9]{16,}"
    r"|\bsk-(?=[A-Za-z0-9_\-]*\d)[A-Za-z0-9_\-]{20,}"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_\-]{20,}"
    r"|\bxox[abeoprs]-[A-Za-z0-9\-]{10,}|\bxapp-[A-Za-z0-9\-]{10,}"
    r"|(?<=hooks\.slack\.com/services/)[A-Z0-9]+/[A-Z0-9]+/[A-Za-z0-9]+"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_\-]{35}|\bya29\.[0-9A-Za-z_\-]{20,}"
    r"|\bGOCSPX-[0-9A-Za-z_\-]{20,}"
    r"|\bpat-(?:na|eu)\d-[0-9a-f\-]{20,}|\b(?:ntn|secret)_[A-Za-z0-9]{30,}"
    r"|\bSG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}|\bhf_[A-Za-z0-9]{30,}|\bnpm_[A-Za-z0-9]{30,}"
    r"|\beyJ[A-Za-z0-9_\-]{10,}\.eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]*"
    r"|(?i:\bbearer\s+)(?=[A-Za-z0-9._\-]*\d)[A-Za-z0-9._\-]{16,}"
    r"|(?<=://)[^/\s:@]*:[^/\s:@]+(?=@)"
)
_ASSIGNED = re.compile(
    r"""(?<![\w.\-])(?P<key>[\w.\-]{1,64}+)\\*["'`]?\s{0,4}(?:=>|:=|[=:])\s{0,4}"""
    r"""(?P<open>\\*["'])(?P<value>(?:(?P=open){2}|(?!(?P=open))(?:\\.|[^\n\\]))+)(?P=open)"""
    r"""|(?<=[?&])(?P<field>[\w.\-]{1,64}+)=(?P<argument>[^&#\s"'<>]+)"""
    r"""|(?i:\bauthorization\\*["']?\s*[:=]\s*\\*["']?(?P<scheme>basic|token|digest|apikey)\s+)(?P<proof>[^\s"'\\]+)"""
    r"""|(?i:\bx-(?P<header>(?:[a-z\-]*-)?(?:key|token|secret)):[ \t]*)(?P<content>[^\s"'\\]+)"""
)
"""What gives a name its value inside a text: in JSON, SQL or code, in a URL's query, in a header."""
_SAID = ("value", "argument", "proof", "content")
_TELLING = (
    *(
        "passw",
        "passphrase",
        "pwd",
        "secret",
        "key",
        "token",
        "bearer",
        "authorization",
        "credential",
        "cookie",
    ),
    *("session", "ssn", "card", "cvc", "cvv", "iban"),
)
"""Without one of these nothing in a text names a secret."""
_PLACEHOLDER = re.compile(
    r"\$\w+|\$\{[^}]*\}|\{\{.*\}\}|\{\w*\}|<[\w \-]+>|%\(\w+\)s|:\w+|\[redacted\]|\*+|(?i:true|false|null|none|string)"
)
"""What stands where a secret will be."""
_SIGNS = (
    *(
        "-----BEGIN",
        "_live_",
        "_test_",
        "whsec_",
        "sk-",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat_",
    ),
    *("glpat-", "xox", "xapp-", "hooks.slack.com/services/", "AKIA", "ASIA", "AIza", "ya29.", "GOCSPX-"),
    *(
        "pat-na",
        "pat-eu",
        "ntn_",
        "secret_",
        "SG.",
        "hf_",
        "npm_",
        "eyJ",
        "://",
    ),
)
_BEARER = re.compile("bearer", re.IGNORECASE)
"""Each kind of credential has one of these at its beginning; finding them is ten to a hundred times faster."""
WORDS = 64
"""Characters of a key that is remembered: the same few keys come with every call."""
LONG, WINDOW = 10_000, 2_000
"""In a text longer than this, only so much behind each sign is looked at."""


def named(key: str) -> bool:
    """Whether a key names a secret."""
    return bool(key) and (_named(key) if len(key) <= WORDS else _named.__wrapped__(key))


@lru_cache(maxsize=4096)
def _named(key: str) -> bool:
    words = re.sub(r"[\s.\-]+", "_", _HUMP.sub("_", key)).lower()
    return _KEY.search(words) is not None and _HARMLESS.search(words) is None


def shaped(text: str) -> bool:
    """Whether a text holds what looks like a well-known kind of credential."""
    if len(text) <= LONG:
        return (_signed(text) and _VALUE.search(text) is not None) or any(_assigned(text))
    if any(any(_assigned(text, max(0, at - 128), at + 2 * WINDOW)) for at in _telling(text)):
        return True
    places = [place for sign in _SIGNS for place in _places(text, sign)]
    places += [found.start() for found in _BEARER.finditer(text)]
    if len(places) * WINDOW > len(text):
        return _VALUE.search(text) is not None
    return any(_VALUE.search(text, max(0, at - 16), at + WINDOW) for at in places)


def _signed(text: str) -> bool:
    for sign in _SIGNS:
        if sign in text:
            return True
    return _BEARER.search(text) is not None


def _assigned(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Where in a text the value of a name stands that names a secret."""
    if "=" not in text and ":" not in text:
        return
    part = text[start:end]
    low = part.lower()
    if not any(word in low for word in _TELLING):
        return
    for found in _ASSIGNED.finditer(part):
        key = found["key"] or found["field"]
        group = next(name for name in _SAID if found[name] is not None)
        if (key is None or named(key)) and not _PLACEHOLDER.fullmatch(found[group]):
            yield start + found.start(group), start + found.end(group)


def _telling(text: str) -> Iterator[int]:
    """Where to look in a long text: one place for each window in which something may be named."""
    low = text.encode("ascii", "replace").lower()  # as long as the text, which its lower case may not be
    windows = set()
    for word in _TELLING:
        at = low.find(word.encode())
        while at >= 0:
            windows.add(at // WINDOW)
            at = low.find(word.encode(), (at // WINDOW + 1) * WINDOW)
    yield from (window * WINDOW for window in windows)


def hidden(text: str) -> str:
    """A text with the credentials in it replaced."""
    done, parts = 0, []
    for start, end in _assigned(text):
        parts += [text[done:start], REDACTED]
        done = end
    return _VALUE.sub(REDACTED, "".join([*parts, text[done:]]))


def _places(text: str, sign: str) -> Iterator[int]:
    at = text.find(sign)
    while at >= 0:
        yield at
        at = text.find(sign, at + 1)


def is_secret(key: str, value: Json) -> bool:
    """The built-in detector: by the key's name, or by the shape of well-known credentials."""
    if value is None or isinstance(value, bool) or value in ("", b""):
        return False
    if named(key):
        return True
    if isinstance(value, bytes):
        return shaped(value.decode("latin-1"))
    return isinstance(value, str) and shaped(value)


def legible(value: Json) -> Json:
    """A copy in which what was masked, or cannot be opened here, says so."""
    if isinstance(value, Hidden):
        return REDACTED
    if isinstance(value, dict):
        return {name: legible(item) for name, item in value.items()}
    if isinstance(value, list):
        return [legible(item) for item in value]
    return value


class Redactor:
    """Hides secrets in whatever is shown, logged, traced or exported."""

    def __init__(self, extra: IsSecret | None = None) -> None:
        self._extra = extra

    def is_secret(self, key: str, value: Json) -> bool:
        """Whether this leaf must not be shown. A detector that raises counts as "yes"."""
        if isinstance(value, Packed):
            return named(key) or any(self.is_secret(*leaf) for leaf in leaves(value.value(), sticky=named))
        if is_secret(key, value):
            return True
        if self._extra is None or value is None:
            return False
        try:
            return bool(self._extra(key, value))
        except Exception:  # noqa: BLE001 - fail closed: better hidden than shown
            return True

    def mask(self, value: Json) -> Json:
        """A copy to show: secrets replaced, the words around them kept.

        Raises:
            TypeError: It holds something that is neither JSON nor bytes, or is nested too deep.
        """
        return self._masked(value, "", 0)

    def text(self, text: str) -> str:
        """A text to show."""
        masked = self._leaf("", text)
        return masked if isinstance(masked, str) else REDACTED

    def _masked(self, value: Json, key: str, depth: int) -> Json:
        if depth > MAX_DEPTH:
            raise TypeError(f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, Hidden):
            return REDACTED
        if isinstance(value, Mapping):
            inner = key if named(key) else None
            return {
                self._name(name): self._masked(item, inner or name, depth + 1) for name, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._masked(item, key, depth + 1) for item in value]
        if value is None or isinstance(value, bool | int | float | str | bytes):
            return self._leaf(key, value)
        raise TypeError(f"{type(value).__name__} is not JSON")

    def _name(self, name: Json) -> str:
        if not isinstance(name, str):
            raise TypeError(f"a JSON object has string keys, not {type(name).__name__}")
        return str(self._leaf("", name))

    def _leaf(self, key: str, value: Json) -> Json:
        if not self.is_secret(key, value):
            return value
        if isinstance(value, str) and not named(key) and shaped(value):
            return hidden(value)
        return REDACTED
