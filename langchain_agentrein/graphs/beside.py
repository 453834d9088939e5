"""LangChain's own approval middleware beside ours: our gate asks in its place, so that nobody is asked twice.

Its approval could not stand in for ours: what it leaves in the state names neither the call nor the
arguments that a person saw. So it is the other way round. What it gates is one more reason for our
gate and our executor to ask; its question shapes ours; and it asks only about the calls that ours does
not answer for, such as those of a read-only tool.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any

from langchain.agents.middleware import HumanInTheLoopMiddleware, InterruptOnConfig
from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.messages import ToolCall
from langgraph.config import get_config
from langgraph.prebuilt import ToolRuntime
from langgraph.runtime import get_runtime

from langchain_agentrein.graphs.ask import DECISIONS, Question
from langchain_agentrein.graphs.state import OURS_CHANNEL

REASON = "HumanInTheLoopMiddleware gates it"
_FRAMES = 3
"""How far up the list may be: a comprehension is a frame of its own before Python 3.12."""


@dataclasses.dataclass(frozen=True)
class Unasked:
    """Their condition, for what our gate does not answer for.

    Attributes:
        own: As the user gave it.
    """

    own: Callable[[ToolCallRequest], bool] | None

    def __call__(self, request: ToolCallRequest) -> bool:
        return request.tool_call["id"] not in (request.state.get(OURS_CHANNEL) or ()) and self.gates(request)

    def gates(self, request: ToolCallRequest) -> bool:
        """Whether it would have asked."""
        return self.own is None or self.own(request)


class Beside:
    """What the `HumanInTheLoopMiddleware` of the same agent gates, as far as there is one."""

    def __init__(self) -> None:
        self._theirs: list[HumanInTheLoopMiddleware[Any, Any, Any]] = []

    @property
    def stands(self) -> bool:
        """Whether there is one."""
        return bool(self._theirs)

    def look(self, us: Any, frame: FrameType | None) -> None:
        """Find our neighbour in the list that `create_agent` is going through.

        `create_agent` tells a middleware nothing of the others, but asks each for its name while it holds
        the list. Where this finds nothing, both ask.
        """
        for _ in range(_FRAMES):
            listed = frame.f_locals.get("middleware") if frame is not None else None
            if isinstance(listed, Sequence) and any(one is us for one in listed):
                for one in listed:
                    if isinstance(one, HumanInTheLoopMiddleware):
                        self.adopt(one)
                return
            frame = frame.f_back if frame is not None else None

    def adopt(self, theirs: HumanInTheLoopMiddleware[Any, Any, Any]) -> None:
        """Have it leave to our gate what that answers for; in an agent without us it asks as ever."""
        if not any(one is theirs for one in self._theirs):
            self._theirs.append(theirs)
        for name, config in theirs.interrupt_on.items():
            if not isinstance(config.get("when"), Unasked):
                theirs.interrupt_on[name] = {**config, "when": Unasked(config.get("when"))}

    def insists(self, request: ToolCallRequest) -> str:
        """Why a person must decide about a call, whatever our policy says; empty: they need not."""
        config = self._config(request.tool_call["name"])
        if config is None:
            return ""
        when = config.get("when")
        return REASON if not isinstance(when, Unasked) or when.gates(request) else ""

    def shaped(self, question: Question, call: ToolCall, state: Mapping[str, Any]) -> Question:
        """Our question, with their description and only the decisions that they allow."""
        config = self._config(call["name"])
        if config is None:
            return question
        told = config.get("description")
        if callable(told):
            told = told(call, state, get_runtime())  # type: ignore[arg-type]
        return dataclasses.replace(
            question,
            description=f"{told}\n\n{question.description}" if told else question.description,
            allowed=tuple(kind for kind in DECISIONS if kind in config["allowed_decisions"]),
        )

    def _config(self, name: str) -> InterruptOnConfig | None:
        configs = (theirs.interrupt_on.get(name) for theirs in self._theirs)
        return next((config for config in configs if config is not None), None)


def request_of(call: ToolCall, state: Any, runtime: Any) -> ToolCallRequest:
    """A call between model and tools, as LangChain's batched mode shows it to a condition: without its tool."""
    seen: ToolRuntime[Any, Any] = ToolRuntime(
        state=state,
        context=runtime.context,
        config=get_config(),
        stream_writer=runtime.stream_writer,
        tool_call_id=call["id"],
        store=runtime.store,
        execution_info=runtime.execution_info,
        server_info=runtime.server_info,
    )
    return ToolCallRequest(tool_call=call, tool=None, state=state, runtime=seen)
