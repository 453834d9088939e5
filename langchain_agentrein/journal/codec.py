"""Payloads as JSON, nothing executable: what may be journaled, and how anything else is said.

`bytes` are kept beside the text, by hash. A dictionary whose keys could be taken for our own marks
is spelled out as pairs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time
from typing import Any

from langchain_agentrein.action import Json

BYTES, SEALED, SEALED_BYTES, MASKED, PAIRS = "$bytes", "$sealed", "$sealed_bytes", "$masked", "$pairs"
PACKED = "$packed"
"""Beside bytes that are compressed JSON."""
MAX_DEPTH = 100
"""Levels of nesting; Python's own recursion limit is not far above, in a deep graph."""
MAX_BITS = 14_000
"""Of an integer: Python refuses to write, or to read, one of more than 4,300 digits."""


class Hidden(dict[str, Json]):
    """What stands in a payload that was read where a secret is not: it was masked, or its key is not here.

    A dictionary of the caller's that only looks like this is no `Hidden`.
    """


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


def leaves(
    value: Json, key: str = "", sticky: Callable[[str], bool] | None = None
) -> Iterator[tuple[str, Json]]:
    """Every leaf of `value` with the key above it; a key of a dictionary is a leaf as well, without one.

    Args:
        sticky: A key for which this is true stands above everything inside its value.
    Raises:
        TypeError: It holds something that is neither JSON nor bytes, or is nested too deep.
    """
    waiting = [(key, value, 0)]
    while waiting:
        above, item, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise TypeError(f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(item, Hidden):
            continue
        if isinstance(item, Mapping):
            for name, inner in item.items():
                refuse_odd_key(name)
                yield "", name
                waiting.append((above if sticky is not None and sticky(above) else name, inner, depth + 1))
        elif isinstance(item, list | tuple):
            waiting += [(above, inner, depth + 1) for inner in item]
        else:
            refuse_odd(item)
            yield above, item


def refuse_odd_key(name: Any) -> None:
    """Let no key of a dictionary pass that is no text.

    Raises:
        TypeError: It is not.
    """
    if not isinstance(name, str):
        raise TypeError(f"a JSON object has string keys, not {type(name).__name__}")


def refuse_odd(leaf: Any) -> None:
    """Let nothing pass that is neither a JSON leaf nor bytes.

    Raises:
        TypeError: It is not.
    """
    if leaf is not None and not isinstance(leaf, bool | int | float | str | bytes):
        raise TypeError(f"{type(leaf).__name__} is not JSON")
    if isinstance(leaf, int) and leaf.bit_length() > MAX_BITS:
        raise TypeError("an integer of more than 4,000 digits is not JSON")


def jsonable(value: Any) -> Json:
    """`value` as JSON, as near as it can be said; what has no JSON becomes its `repr`. Never raises."""
    return _said(value, 0, set())


def _said(value: Any, depth: int, around: set[int]) -> Json:
    if isinstance(value, Hidden):
        return value
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        return hex(value)
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if depth > MAX_DEPTH // 2:
        return f"({type(value).__name__}, nested too deep)"
    if id(value) in around:
        return f"({type(value).__name__}, inside itself)"
    around = around | {id(value)}
    try:
        if isinstance(value, Mapping):
            return {str(name): _said(item, depth + 1, around) for name, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [_said(item, depth + 1, around) for item in value]
        if isinstance(value, date | time):
            return value.isoformat()
        if callable(dump := getattr(value, "model_dump", None)) and not isinstance(value, type):
            return _said(dump(mode="json"), depth + 1, around)
        if is_dataclass(value) and not isinstance(value, type):
            named = {field.name: getattr(value, field.name) for field in fields(value)}
            return _said(named, depth + 1, around)
        return repr(value)
    except Exception:  # noqa: BLE001 - a broken `__repr__` must not cost the receipt of an effect
        return f"({type(value).__name__})"


def told_whole(value: Any) -> bool:
    """Whether `jsonable` would say all of it, rather than that it is nested too deep."""
    level: dict[int, Any] = {id(value): value}
    for depth in range(MAX_DEPTH):
        nested = [one for one in level.values() if isinstance(one, Mapping | list | tuple | set | frozenset)]
        if not nested:
            return True
        if depth > MAX_DEPTH // 2:
            return False
        level = {
            id(inner): inner
            for one in nested
            for inner in (one.values() if isinstance(one, Mapping) else one)
        }
    return False


def same(one: Json, other: Json) -> bool:
    """Whether two JSON values say the same: NaN is NaN, 1 is 1.0, and `True` is not 1."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(item, other[name]) for name, item in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other or (one != one and other != other))


def contains_mask(value: Json) -> bool:
    """Whether a secret is missing in it: it was masked, or sealed with a key that is not here."""
    return any(True for _ in _hidden(value))


def contains_masked(value: Json) -> bool:
    """Whether a secret in it was masked, and so is lost."""
    return any(MASKED in one for one in _hidden(value))


def _hidden(value: Json) -> Iterator[Hidden]:
    if isinstance(value, Hidden):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _hidden(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _hidden(item)
