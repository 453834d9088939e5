"""What a tool returned, as JSON, so that a repeated call can be given it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import BaseMessage, message_to_dict, messages_from_dict
from langgraph.types import Command, Overwrite, Send

from langchain_agentrein.action import Json
from langchain_agentrein.journal import jsonable

MESSAGE, COMMAND, SEND, OVERWRITE, TUPLE, PAIRS, PLAIN = (
    "message",
    "command",
    "send",
    "overwrite",
    "tuple",
    "pairs",
    "plain",
)
RECORD = "$record"
"""Marks, inside a value, something that is more than JSON."""
MAX_DEPTH = 50


def encode(value: Any, depth: int = 0) -> Json:
    """`value` as `{"kind": str, ...}`. Never raises.

    Messages, `Command`, `Send`, `Overwrite` and tuples come back as they were, at any reasonable
    depth; a model or a dataclass comes back as a dictionary, and what has no JSON as its `repr`.
    """
    if depth > MAX_DEPTH:
        return {"kind": PLAIN, "value": jsonable(value)}
    if isinstance(value, BaseMessage):
        return {"kind": MESSAGE, "message": jsonable(message_to_dict(value))}
    if isinstance(value, Command):
        fields = {"graph": value.graph, "update": value.update, "resume": value.resume, "goto": value.goto}
        return {"kind": COMMAND, **{name: _inner(item, depth) for name, item in fields.items()}}
    if isinstance(value, Send):
        return {"kind": SEND, "node": value.node, "arg": _inner(value.arg, depth)}
    if isinstance(value, Overwrite):
        return {"kind": OVERWRITE, "value": _inner(value.value, depth)}
    if isinstance(value, tuple):
        return {"kind": TUPLE, "items": [_inner(item, depth) for item in value]}
    if isinstance(value, Mapping):
        if all(isinstance(name, str) and name != RECORD for name in value):
            return {"kind": PLAIN, "value": {name: _inner(item, depth) for name, item in value.items()}}
        return {
            "kind": PAIRS,
            "items": [[_inner(name, depth), _inner(item, depth)] for name, item in value.items()],
        }
    if isinstance(value, list):
        return {"kind": PLAIN, "value": [_inner(item, depth) for item in value]}
    return {"kind": PLAIN, "value": jsonable(value)}


def _inner(value: Any, depth: int) -> Json:
    record = encode(value, depth + 1)
    return record["value"] if record["kind"] == PLAIN else {RECORD: record}


def decode(record: Json) -> Any:
    """The value again.

    Args:
        record: What `encode` returned.
    """
    kind = record["kind"]
    if kind == MESSAGE:
        return messages_from_dict([record["message"]])[0]
    if kind == COMMAND:
        return Command(**{name: _decoded(record[name]) for name in ("graph", "update", "resume", "goto")})
    if kind == SEND:
        return Send(record["node"], _decoded(record["arg"]))
    if kind == OVERWRITE:
        return Overwrite(_decoded(record["value"]))
    if kind == TUPLE:
        return tuple(_decoded(item) for item in record["items"])
    if kind == PAIRS:
        return {_decoded(name): _decoded(item) for name, item in record["items"]}
    return _decoded(record["value"])


def _decoded(value: Json) -> Any:
    if isinstance(value, Mapping):
        if set(value) == {RECORD}:
            return decode(value[RECORD])
        return {name: _decoded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    return value
