"""Why the agent acts: the reasoning inside an AI message, whichever provider wrote it."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage

from langchain_agentrein.action import Intent

MAX_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class Capture:
    """How much of the reasoning is kept.

    Attributes:
        enabled: Without, only goal, model and run are kept.
        limit: Characters; the beginning and the end are kept.
    """

    enabled: bool = True
    limit: int = MAX_CHARACTERS


CAPTURE: contextvars.ContextVar[Capture] = contextvars.ContextVar("agentrein_capture", default=Capture())  # noqa: B039


@contextlib.contextmanager
def capturing(capture: Capture) -> Iterator[None]:
    """Use `capture` inside the block."""
    token = CAPTURE.set(capture)
    try:
        yield
    finally:
        CAPTURE.reset(token)


def intent_of(message: AIMessage, *, goal: str = "", run_id: str | None = None) -> Intent:
    """Why the calls in `message` were made: its reasoning, or else its text."""
    model = str(message.response_metadata.get("model_name") or message.response_metadata.get("model") or "")
    text, source = reasoning_of(message), "reasoning"
    if not text:
        text, source = message.text.strip(), "text"
    text, source = limited(text, source)
    return Intent(text, source, goal, model=model, run_id=run_id)


def limited(text: str, source: str) -> tuple[str, str]:
    """As much of a reason as is kept here, and its source; both empty where nothing is."""
    capture = CAPTURE.get()
    return (shorten(text, capture.limit), source) if text and capture.enabled else ("", "")


def reasoning_of(message: AIMessage) -> str:
    """Its reasoning: standard blocks, Anthropic's `thinking`, or `additional_kwargs["reasoning_content"]`."""
    try:
        blocks = message.content_blocks
    except Exception:  # noqa: BLE001 - LangChain translates a provider's blocks; a malformed one must not cost the call
        blocks = []
    found = [str(block.get("reasoning") or "") for block in blocks if block.get("type") == "reasoning"]
    if not any(found) and isinstance(message.content, list):
        found = [_thinking(block) for block in message.content if isinstance(block, dict)]
    if not any(found):
        found = [str(message.additional_kwargs.get("reasoning_content") or "")]
    return "\n".join(part.strip() for part in found if part.strip())


def _thinking(block: Mapping[str, Any]) -> str:
    return str(block.get("thinking") or "") if block.get("type") == "thinking" else ""


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters: the beginning and the end."""
    if len(text) <= limit:
        return text
    half = (limit - 5) // 2
    return f"{text[:half]} ... {text[-half:]}" if half > 0 else text[: max(limit, 0)]


KEPT = 10_000
"""Calls that are remembered at the most, the newest."""

_heard: OrderedDict[str, tuple[str | None, Intent]] = OrderedDict()
_lock = threading.Lock()


def hear(message: AIMessage, run_id: str) -> None:
    """Remember why the calls in `message` were made, for an executor that does not see the message."""
    intent = intent_of(message, run_id=run_id)
    with _lock:
        for call in message.tool_calls:
            if call["id"]:
                _heard[call["id"]] = (message.id, intent)
                _heard.move_to_end(call["id"])
        while len(_heard) > KEPT:
            _heard.popitem(last=False)


def captured(tool_call_id: str | None, message_id: str | None = None) -> Intent | None:
    """What was heard of a tool call, if a handler was listening.

    Args:
        message_id: The message that made the call, if it is known: some servers number their calls
            anew in each message, and what was heard of another message is not about this call.
    """
    if not tool_call_id:
        return None
    heard_in, intent = _heard.get(tool_call_id, (None, None))
    return None if message_id and heard_in and message_id != heard_in else intent
