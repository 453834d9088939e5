"""A chat model that replays a script, through `invoke`, `ainvoke`, `stream` and `astream`."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import ToolCall, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import Field

Turn = AIMessage | str | BaseException | Callable[[Sequence[BaseMessage]], AIMessage]
"""A message, its text, an error to raise, or what makes a message of those so far."""


class ScriptExhausted(AssertionError):
    """The agent asked the model once more than the script foresaw."""


class ScriptedModel(BaseChatModel):
    """Answers with its turns, one a call; every message and every tool call that has no id gets a fresh one.

    Attributes:
        seen: The messages that each call was given.
        bound: The names of the tools that were bound last.
    """

    turns: list[Any]
    seen: list[list[BaseMessage]] = Field(default_factory=list)
    bound: list[str] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Runnable[LanguageModelInput, AIMessage]:
        """Note the names; the script needs no schema."""
        self.bound = [
            tool.name if isinstance(tool, BaseTool) else getattr(tool, "__name__", str(tool))
            for tool in tools
        ]
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._next(messages))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._next(messages))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> Iterator[ChatGenerationChunk]:
        yield from _chunks(self._next(messages))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in _chunks(self._next(messages)):
            yield chunk

    def _next(self, messages: list[BaseMessage]) -> AIMessage:
        at = len(self.seen)
        self.seen.append(list(messages))
        if at >= len(self.turns):
            raise ScriptExhausted(
                f"the script has {len(self.turns)} turn(s), and was asked for turn {at + 1}"
            )
        turn = self.turns[at]
        if isinstance(turn, BaseException):
            raise turn
        if callable(turn):
            turn = turn(messages)
        return _fresh(AIMessage(turn) if isinstance(turn, str) else turn)


def scripted_model(*turns: Turn) -> ScriptedModel:
    """A model with this script."""
    return ScriptedModel(turns=list(turns))


def says(text: str = "", *calls: tuple[str, dict[str, Any]], reasoning: str | None = None) -> AIMessage:
    """A turn: `says("I book", ("book", {"room": "a"}), reasoning="the guest asked")`.

    Args:
        reasoning: What a reasoning model thinks before it speaks, as a standard content block.
    """
    content: Any = text
    if reasoning is not None:
        content = [{"type": "reasoning", "reasoning": reasoning}]
        content += [{"type": "text", "text": text}] if text else []
    return AIMessage(content, tool_calls=[ToolCall(name=name, args=args, id=None) for name, args in calls])


def _fresh(message: AIMessage) -> AIMessage:
    """A copy with ids of its own: the same script may be played twice."""
    named: list[ToolCall] = [
        {**call, "id": call["id"] or f"call_{uuid.uuid4().hex[:12]}"} for call in message.tool_calls
    ]
    return message.model_copy(update={"id": f"msg_{uuid.uuid4().hex[:12]}", "tool_calls": named})


def _chunks(message: AIMessage) -> Iterator[ChatGenerationChunk]:
    """The message as a provider streams it: content first, then each tool call in two halves."""
    blocks = message.content if isinstance(message.content, list) else [message.content]
    for index, block in enumerate(blocks):
        content: Any = block if isinstance(block, str) else [{**block, "index": index}]
        yield ChatGenerationChunk(message=AIMessageChunk(content=content, id=message.id))
    for index, call in enumerate(message.tool_calls):
        args = json.dumps(call["args"])
        half = len(args) // 2
        first = tool_call_chunk(name=call["name"], args=args[:half], id=call["id"], index=index)
        rest = tool_call_chunk(name=None, args=args[half:], id=None, index=index)
        for chunk in (first, rest):
            yield ChatGenerationChunk(
                message=AIMessageChunk(content="", id=message.id, tool_call_chunks=[chunk])
            )
    yield ChatGenerationChunk(message=AIMessageChunk(content="", id=message.id, chunk_position="last"))
