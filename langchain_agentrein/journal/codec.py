"""Payloads to text and back: JSON only, nothing executable.

`bytes` are kept beside the text, by hash. A dictionary whose keys could be taken for our own marks
is spelled out as pairs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time
from typing import Any

from langchain_agentrein.action import Json

BYTES, SEALED, SEALED_BYTES, MASKED, PAIRS = "$bytes", "$sealed", "$sealed_bytes", "$masked", "$pairs"
MASK = {MASKED: True}
"""Stands where a secret was that nothing could seal."""
MAX_DEPTH = 200


def canonical(value: Json) -> str:
    """The one spelling of a JSON value, to digest."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_spell)


def _spell(value: Any) -> Any:
    if isinstance(value, bytes):
        return {BYTES: hashlib.sha256(value).hexdigest()}
    raise TypeError(f"{type(value).__name__} is not JSON")


def digest(salt: str, value: str) -> str:
    """A salted SHA-256, in hex."""
    return hashlib.sha256(f"{salt}\n{value}".encode()).hexdigest()


def transform(value: Json, leaf: Callable[[str, Json], Json], key: str = "", depth: int = 0) -> Json:
    """Copy `value`, passing every leaf, with the key above it, through `leaf`.

    Raises:
        TypeError: It holds something that is neither JSON nor bytes, or is nested too deep.
    """
    if depth > MAX_DEPTH:
        raise TypeError(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise TypeError(f"a JSON object has string keys, not {type(name).__name__}")
        return {name: transform(item, leaf, name, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [transform(item, leaf, key, depth + 1) for item in value]
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return leaf(key, value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def jsonable(value: Any, depth: int = 0) -> Json:
    """`value` as JSON, as near as it can be said; what has no JSON becomes its `repr`. Never raises."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if depth > MAX_DEPTH // 2:
        return f"({type(value).__name__}, nested too deep)"
    if isinstance(value, Mapping):
        return {str(name): jsonable(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item, depth + 1) for item in value]
    if isinstance(value, date | time):
        return value.isoformat()
    try:
        if callable(dump := getattr(value, "model_dump", None)):
            return jsonable(dump(mode="json"), depth + 1)
        if is_dataclass(value) and not isinstance(value, type):
            return jsonable({field.name: getattr(value, field.name) for field in fields(value)}, depth + 1)
        return repr(value)
    except Exception:  # a broken `__repr__` must not cost the receipt of an effect
        return f"({type(value).__name__})"


def escape(value: Json) -> Json:
    """Spell out dictionaries whose keys look like our marks."""
    if isinstance(value, dict):
        if any(name.startswith("$") for name in value):
            return {PAIRS: [[name, escape(item)] for name, item in value.items()]}
        return {name: escape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [escape(item) for item in value]
    return value


def contains_mask(value: Json) -> bool:
    """Whether a secret is missing in it: masked when it was written, or sealed with a key that is not here."""
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in (MASKED, SEALED, SEALED_BYTES):
            return True
        return any(contains_mask(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(contains_mask(item) for item in value)
    return False
