"""What a tool returned, as JSON, so that a repeated call can be given it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import BaseMessage, ToolMessage, message_to_dict, messages_from_dict
from langgraph.types import Command, Send

from langchain_agentrein.action import Json
from langchain_agentrein.journal import jsonable

MESSAGE, COMMAND, SEND, ITEMS, PLAIN = "message", "command", "send", "items", "plain"


def encode(value: Any) -> Json:
    """`value` as `{"kind": str, ...}`. What has no JSON is kept as its `repr`."""
    if isinstance(value, BaseMessage):
        return {"kind": MESSAGE, "message": jsonable(message_to_dict(value))}
    if isinstance(value, Command):
        goto = value.goto if isinstance(value.goto, list | tuple) else [value.goto]
        return {
            "kind": COMMAND,
            "graph": value.graph,
            "update": _deep(value.update),
            "resume": _deep(value.resume),
            "goto": [_deep(item) for item in goto],
        }
    if isinstance(value, Send):
        return {"kind": SEND, "node": value.node, "arg": _deep(value.arg)}
    if isinstance(value, list) and any(isinstance(item, BaseMessage | Command) for item in value):
        return {"kind": ITEMS, "items": [encode(item) for item in value]}
    return {"kind": PLAIN, "value": jsonable(value)}


def _deep(value: Any) -> Json:
    """Encode messages wherever they stand in a state update."""
    if isinstance(value, BaseMessage | Command | Send):
        return {"$record": encode(value)}
    if isinstance(value, Mapping):
        return {str(name): _deep(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_deep(item) for item in value]
    return jsonable(value)


def decode(record: Json, tool_call_id: str | None) -> Any:
    """The value again; a message answers the call that asks now."""
    kind = record.get("kind") if isinstance(record, Mapping) else None
    if kind == MESSAGE:
        message = messages_from_dict([record["message"]])[0]
        if isinstance(message, ToolMessage) and tool_call_id:
            return message.model_copy(update={"tool_call_id": tool_call_id})
        return message
    if kind == COMMAND:
        return Command(
            graph=record["graph"],
            update=_shallow(record["update"], tool_call_id),
            resume=_shallow(record["resume"], tool_call_id),
            goto=[_shallow(item, tool_call_id) for item in record["goto"]],
        )
    if kind == SEND:
        return Send(record["node"], _shallow(record["arg"], tool_call_id))
    if kind == ITEMS:
        return [decode(item, tool_call_id) for item in record["items"]]
    if kind == PLAIN:
        return record["value"]
    return record


def _shallow(value: Json, tool_call_id: str | None) -> Any:
    if isinstance(value, Mapping):
        if set(value) == {"$record"}:
            return decode(value["$record"], tool_call_id)
        return {name: _shallow(item, tool_call_id) for name, item in value.items()}
    if isinstance(value, list):
        return [_shallow(item, tool_call_id) for item in value]
    return value
