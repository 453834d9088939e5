"""The reason behind a call, whichever provider wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk

from langchain_agentrein import intent
from langchain_agentrein.identity import Caller, intent_for
from langchain_agentrein.intent import Capture, capturing, hear, intent_of, shorten

CALL = {"name": "act", "args": {}, "id": "call_1", "type": "tool_call"}


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Nothing was heard before, and nothing stays."""
    intent._heard.clear()
    yield
    intent._heard.clear()


MESSAGES: dict[str, tuple[AIMessage, str, str]] = {
    "standard blocks": (
        AIMessage([{"type": "reasoning", "reasoning": "think"}, {"type": "text", "text": "say"}]),
        "think",
        "reasoning",
    ),
    "several blocks": (
        AIMessage([{"type": "reasoning", "reasoning": " a "}, {"type": "reasoning", "reasoning": "b"}]),
        "a\nb",
        "reasoning",
    ),
    "anthropic": (
        AIMessage(
            [{"type": "thinking", "thinking": "think", "signature": "x"}, {"type": "text", "text": "say"}],
            response_metadata={"model_provider": "anthropic", "model_name": "claude"},
        ),
        "think",
        "reasoning",
    ),
    "anthropic, unnamed": (AIMessage([{"type": "thinking", "thinking": "think"}]), "think", "reasoning"),
    "openai": (
        AIMessage(
            [{"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "think"}]}],
            response_metadata={"model_provider": "openai"},
        ),
        "think",
        "reasoning",
    ),
    "deepseek": (AIMessage("say", additional_kwargs={"reasoning_content": "think"}), "think", "reasoning"),
    "text": (AIMessage(" say "), "say", "text"),
    "nothing": (AIMessage(""), "", ""),
    "an empty reasoning block": (
        AIMessage([{"type": "reasoning", "reasoning": ""}, {"type": "text", "text": "say"}]),
        "say",
        "text",
    ),
}


@pytest.mark.parametrize(
    ("message", "text", "source"), [pytest.param(*expected, id=name) for name, expected in MESSAGES.items()]
)
def test_the_reason_is_found(message: AIMessage, text: str, source: str) -> None:
    found = intent_of(message, goal="book a room", run_id="run")
    assert (found.text, found.source, found.goal, found.run_id) == (text, source, "book a room", "run")


def test_the_reason_is_found_in_merged_chunks() -> None:
    whole = AIMessageChunk([{"type": "reasoning", "reasoning": "th", "index": 0}])
    whole += AIMessageChunk([{"type": "reasoning", "reasoning": "ink", "index": 0}])
    whole += AIMessageChunk([{"type": "text", "text": "say", "index": 1}])
    assert intent_of(whole).text == "think"


@pytest.mark.parametrize("key", ["model_name", "model"])
def test_the_model_is_named(key: str) -> None:
    assert intent_of(AIMessage("x", response_metadata={key: "gpt-5"})).model == "gpt-5"


def test_a_malformed_message_costs_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any) -> Any:
        raise KeyError("type")

    monkeypatch.setattr(AIMessage, "content_blocks", property(broken))
    assert intent_of(AIMessage("say")).text == "say"


def test_capture_is_limited_and_can_be_off() -> None:
    message = AIMessage("a" * 50 + "b" * 50, response_metadata={"model": "m"})
    with capturing(Capture(limit=15)):
        assert intent_of(message).text == "aaaaa ... bbbbb"
    with capturing(Capture(enabled=False)):
        off = intent_of(message, goal="g")
    assert (off.text, off.source, off.goal, off.model) == ("", "", "g", "m")


@pytest.mark.parametrize("limit", range(8))
def test_what_is_shortened_fits(limit: int) -> None:
    assert len(shorten("abcdefghijkl", limit)) <= limit


def test_what_a_handler_heard_fills_in_where_the_message_is_not_seen() -> None:
    hear(AIMessage("because", tool_calls=[CALL], response_metadata={"model": "m"}), "run")
    found = intent_for(Caller(tool_call_id="call_1"), "goal")
    assert (found.text, found.goal, found.run_id, found.model) == ("because", "goal", "run", "m")
    assert intent_for(Caller(tool_call_id="call_2"), "goal").text == ""


def test_the_message_itself_comes_first_and_the_handler_adds_the_run() -> None:
    message = AIMessage("mine", tool_calls=[CALL], id="m1")
    hear(AIMessage("mine", tool_calls=[CALL], id="m1"), "run")
    found = intent_for(Caller(tool_call_id="call_1", messages=[message]), "goal")
    assert (found.text, found.run_id) == ("mine", "run")


def test_what_was_heard_of_another_message_is_not_about_this_call() -> None:
    hear(AIMessage("other", tool_calls=[CALL], id="m1"), "run")
    message = AIMessage("", tool_calls=[CALL], id="m2")
    found = intent_for(Caller(tool_call_id="call_1", messages=[message]), "goal")
    assert (found.text, found.run_id) == ("", None)


def test_where_capture_is_off_a_handler_does_not_bring_it_back() -> None:
    hear(AIMessage("secret", tool_calls=[CALL]), "run")
    with capturing(Capture(enabled=False)):
        found = intent_for(Caller(tool_call_id="call_1"), "goal")
    assert (found.text, found.run_id) == ("", "run")


def test_only_the_newest_calls_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intent, "KEPT", 2)
    for number in range(3):
        hear(AIMessage("x", tool_calls=[{**CALL, "id": f"call_{number}"}]), "run")
    assert set(intent._heard) == {"call_1", "call_2"}
