"""A model that follows a script: it calls nobody, and needs no key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

Call = tuple[str, dict[str, Any]]
Turn = tuple[str, str, tuple[Call, ...]]
"""Reasoning, text, calls."""
Script = Callable[[Sequence[BaseMessage]], Sequence[Turn]]
"""The turns, given the conversation so far."""


class ScriptedModel(BaseChatModel):
    """Says the next turn of its script, and its last one from then on."""

    script: Script

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> ScriptedModel:
        """The script knows its tools."""
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any
    ) -> ChatResult:
        said = sum(isinstance(message, AIMessage) for message in messages)
        turns = self.script(messages)
        message = _message(said, *turns[min(said, len(turns) - 1)])
        return ChatResult(generations=[ChatGeneration(message=message)])


def _message(number: int, reasoning: str, text: str, calls: Sequence[Call]) -> AIMessage:
    content: list[str | dict[str, Any]] = []
    if reasoning:
        content.append({"type": "reasoning", "reasoning": reasoning})
    content.append({"type": "text", "text": text})
    return AIMessage(
        content=content,
        tool_calls=[
            {"name": name, "args": args, "id": f"call_{number}_{place}", "type": "tool_call"}
            for place, (name, args) in enumerate(calls)
        ],
        response_metadata={"model_name": "scripted"},
    )
