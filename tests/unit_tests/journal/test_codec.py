"""Payloads: whatever JSON holds comes back as it was; what is no JSON is refused, or said."""

from __future__ import annotations

import dataclasses
import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from langchain_agentrein.journal import Redactor
from langchain_agentrein.journal.codec import (
    MAX_DEPTH,
    Hidden,
    canonical,
    contains_mask,
    digest,
    jsonable,
    leaves,
    same,
)
from langchain_agentrein.journal.sealing import Vault

KEYS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["$bytes", "$sealed", "$sealed_bytes", "$masked", "$pairs", "$", "password", "api_key"]),
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(10**400), max_value=10**400),
    st.floats(),
    st.text(alphabet=st.characters(), max_size=20),
    # Only halves: two that make a pair are one character, in JSON as well.
    st.text(alphabet=st.characters(categories=["Cs"], max_codepoint=0xDBFF), max_size=3),
    st.binary(max_size=20),
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)
SEALING = Vault("x3a0Vwz6Y0ZSc1Hq7pPNgnhZ1xLMqVNlBTtDhBhDgJo=", Redactor())
PLAIN = Vault(None, Redactor())


def round_trip(vault: Vault, value: Any) -> Any:
    text, blobs = vault.pack({"payload": value})
    text.encode()  # as every database stores it
    json.loads(text)
    return vault.unpack(text, blobs.get)["payload"]


@given(value=JSON)
def test_with_a_key_everything_comes_back(value: Any) -> None:
    assert same(round_trip(SEALING, value), value)


@given(value=JSON)
def test_without_one_everything_but_the_secrets(value: Any) -> None:
    back = round_trip(PLAIN, value)
    assert contains_mask(back) is PLAIN.loses(value)
    if not PLAIN.loses(value):
        assert same(back, value)
    assert same(round_trip(PLAIN, back), back), (
        "what was masked once stays a mask, however often it is written"
    )
    assert contains_mask(round_trip(PLAIN, back)) is contains_mask(back)


@pytest.mark.parametrize(
    "value",
    [
        {"$masked": True},
        {"$pairs": [["a", 1]], "b": {"$bytes": "0" * 64}},
        "\x00 \ud800 \U0001f600 \u2028",
        {"\ud800": "\x00"},
        [math.inf, -math.inf, 2**63, -(2**100), 1e-320],
        {"deep": {"$a": [{"$b": {"$c": None}}]}},
    ],
)
def test_awkward_values(value: Any) -> None:
    assert same(round_trip(PLAIN, value), value)
    assert not contains_mask(round_trip(PLAIN, value))


def test_nan() -> None:
    assert math.isnan(round_trip(PLAIN, math.nan))


def test_the_deepest_value_that_is_taken_comes_back_even_if_every_level_is_spelled_out() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH - 1):
        value = {"$x": value}
    assert round_trip(PLAIN, value) == value
    with pytest.raises(TypeError, match="nested deeper"):
        round_trip(PLAIN, {"a": {"b": value}})


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (object(), "object is not JSON"),
        ({1: 2}, "string keys, not int"),
        ({None: 2}, "string keys"),
        ([{1, 2}], "set is not JSON"),
        (10**5000, "more than 4,000 digits"),
        (datetime.now(UTC), "datetime is not JSON"),
        (1j, "complex is not JSON"),
    ],
    ids=["object", "int key", "no key", "set", "huge", "time", "complex"],
)
def test_what_is_no_json_is_refused(value: Any, why: str) -> None:
    with pytest.raises(TypeError, match=why):
        PLAIN.pack({"payload": value})
    with pytest.raises(TypeError, match=why):
        SEALING.loses(value)


class Model(BaseModel):
    """A model."""

    when: datetime = datetime(2026, 1, 2, tzinfo=UTC)


@dataclasses.dataclass
class Record:
    """A record."""

    inner: Any = None


class Broken:
    """Cannot even be shown."""

    def __repr__(self) -> str:
        raise ZeroDivisionError


@given(value=JSON)
def test_jsonable_leaves_json_alone(value: Any) -> None:
    assert same(jsonable(value), value)


def test_jsonable_says_the_rest_as_near_as_it_can() -> None:
    circle: list[Any] = [1]
    circle += [circle, circle]
    assert jsonable(circle) == [1, "(list, inside itself)", "(list, inside itself)"]
    shared = [1]
    assert jsonable([shared, shared]) == [[1], [1]]
    assert jsonable({1: {2}, "m": Model(), "r": Record((1, b"x")), "b": Broken()}) == {
        "1": [2],
        "m": {"when": "2026-01-02T00:00:00Z"},
        "r": {"inner": [1, b"x"]},
        "b": "(Broken)",
    }
    assert jsonable(10**5000) == hex(10**5000)
    assert jsonable(Model).startswith("<class")
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    assert "nested too deep" in json.dumps(jsonable(deep))
    round_trip(PLAIN, jsonable(deep))


@pytest.mark.parametrize(
    ("one", "other"), [({"a": 1, "b": [2]}, {"b": [2], "a": 1}), ({"x": (1, 2)}, {"x": [1, 2]}), (b"x", b"x")]
)
def test_one_value_has_one_spelling(one: Any, other: Any) -> None:
    assert canonical(one) == canonical(other)
    assert digest("salt", canonical(one)) != digest("pepper", canonical(one))


def test_leaves_know_the_key_above_them() -> None:
    found = set(leaves({"a": [1, {"b": 2}], "c": "x", "d": Hidden()}))
    assert {("a", 1), ("b", 2), ("c", "x"), ("", "a"), ("", "d")} <= found
