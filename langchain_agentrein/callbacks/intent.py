"""A handler that hears the model's reasoning, for calls whose state does not show it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from langchain_agentrein.intent import MAX_CHARACTERS, Capture, capturing, hear


class IntentCallbackHandler(BaseCallbackHandler):
    """Hears what each AI message says, and keeps it by tool-call id, with the run that said it.

    Pass it in `config={"callbacks": [...]}` or to the model. With the middleware the same intent is
    read from the graph's state; the handler adds the id of the tracing run. It observes and never
    raises: LangChain swallows a handler's errors, so nothing depends on it.

    Args:
        enabled: Without, no reasoning is kept.
        limit: Characters of it that are kept.
    """

    def __init__(self, *, enabled: bool = True, limit: int = MAX_CHARACTERS) -> None:
        self.capture = Capture(enabled, limit)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Keep the reasoning of every tool call in the response."""
        with capturing(self.capture):
            for generations in response.generations:
                for generation in generations:
                    message = generation.message if isinstance(generation, ChatGeneration) else None
                    if isinstance(message, AIMessage) and message.tool_calls:
                        hear(message, str(run_id))
