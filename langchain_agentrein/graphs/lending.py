"""Lending: whatever tool an agent holds, what runs is its reversible form, bound to the journal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from langchain.agents.middleware import ModelRequest, ModelResponse
from langchain.agents.middleware.types import ExtendedModelResponse, ToolCallRequest
from langchain_core.messages import AIMessage, ToolCall, ToolMessage
from langchain_core.tools import BaseTool
from langgraph._internal._constants import PUSH
from langgraph.types import Command

from langchain_agentrein import identity
from langchain_agentrein.action import Action
from langchain_agentrein.engine import Decision
from langchain_agentrein.graphs.ask import (
    Approver,
    about_call,
    approver_of,
    ask_all,
    ask_one,
    decision_of,
    has_checkpointer,
)
from langchain_agentrein.graphs.beside import Beside
from langchain_agentrein.graphs.gate import pending
from langchain_agentrein.graphs.state import EDITS_CHANNEL, OURS_CHANNEL, STACK_CHANNEL
from langchain_agentrein.operation import Assessment
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.tool import BINDING, Binding, ReversibleTool
from langchain_agentrein.toolkits.base import reversible_form

InterruptMode: TypeAlias = Literal["batched", "per_call"]


class Lender:
    """The reversible forms of one agent's tools.

    Attributes:
        tools: By name, as far as the agent was seen to hold them.
    """

    def __init__(
        self,
        rein: AgentRein,
        *,
        rationale: bool,
        interrupt_mode: InterruptMode,
        approver: Approver | None,
        beside: Beside,
    ) -> None:
        self.rein, self.rationale, self.beside = rein, rationale, beside
        self.interrupt_mode, self.approver = interrupt_mode, approver
        self.tools: dict[str, ReversibleTool] = {}
        self._checked = False

    def learn(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        """Take note of the tools that the model is offered, and offer them with what we add.

        Raises:
            RuleError: A rule looks like a misspelt name of one of them.
        """
        for tool in request.tools:
            if isinstance(tool, BaseTool):
                self.form(tool)
        if not self._checked:
            operations = [tool.operation.name for tool in self.tools.values()]
            self.rein.policy.check({*self.tools, *operations})
            self._checked = True
        if not self.rationale:
            return request
        shown: list[BaseTool | dict[str, Any]] = [
            self.form(tool) if isinstance(tool, BaseTool) else tool for tool in request.tools
        ]
        return request.override(tools=shown)

    def form(self, tool: BaseTool) -> ReversibleTool:
        """The reversible form of a tool; the same for the same tool."""
        known = self.tools.get(tool.name)
        if known is None or not _is_form_of(known, tool):
            form = reversible_form(tool)
            known = form.bound(form.rein or self.rein, rationale=form.rationale or self.rationale)
            self.tools[tool.name] = known
        return known

    def marked(self, response: Any, adopted: list[str]) -> Any:
        """A model's response, with which the state learns of what our gate answers for.

        Args:
            adopted: Ids of effects that a crash cut off, and that a person chose to keep.
        """
        if isinstance(response, AIMessage):
            response = ModelResponse(result=[response])
        update: dict[str, Any] = {STACK_CHANNEL: adopted} if adopted else {}
        if self.beside.stands:
            calls = [call for one in response.result for call in getattr(one, "tool_calls", ())]
            update[OURS_CHANNEL] = self.answers_for(calls)
        if not update:
            return response
        return ExtendedModelResponse(model_response=response, command=Command(update=update))

    def answers_for(self, calls: Sequence[ToolCall]) -> list[str]:
        """The ids of the calls that our gate can ask about: those that act."""
        known = ((call["id"], self.tools.get(call["name"])) for call in calls)
        return [id_ for id_, tool in known if id_ and tool is not None and not tool.read_only]

    def lend(self, request: ToolCallRequest) -> ToolCallRequest:
        """Replace the tool, and those that another middleware could pick instead, by reversible ones."""
        if request.tool is None:
            return request
        tools: list[BaseTool] = [self.form(tool) for tool in request.runtime.tools]
        runtime = replace(request.runtime, tools=tools)
        return replace(request, tool=self.form(request.tool), runtime=runtime)

    @contextlib.contextmanager
    def bound(self, request: ToolCallRequest) -> Iterator[identity.Caller]:
        """Lend the executor the call as we see it, and a way to ask, for the duration of the block."""
        runtime = request.runtime
        where = identity.caller(request.tool_call["id"], runtime.config, runtime)
        ask = self._asker(request) if may_ask(request) else None
        token = BINDING.set(Binding(self.rein, where, ask, self.beside.insists(request), self.approver))
        try:
            yield where
        finally:
            BINDING.reset(token)

    def _asker(self, request: ToolCallRequest) -> Callable[[Action, Assessment], Decision]:
        tool_call_id, runtime = request.tool_call["id"], request.runtime

        def ask(action: Action, assessment: Assessment) -> Decision:
            # The action may be an inner agent's, not the call that we lend to.
            name = action.operation.replace(".", "_")
            tool = self.tools.get(name)
            check = tool.validate_args if tool is not None else None
            question = about_call(action, assessment, self.rein.journal.redactor, tool=name, check=check)
            if action.tool_call_id == tool_call_id:
                question = self.beside.shaped(question, request.tool_call, request.state)
            if self.interrupt_mode == "per_call":
                answer = ask_one(question, action.tool_call_id or tool_call_id)
            else:
                [answer] = ask_all([question])
            return decision_of(answer, action, approver_of(runtime.config, runtime, self.approver))

        return ask


def may_ask(request: ToolCallRequest) -> bool:
    """Whether a running call can ask a person: the run can pause, and the answer can only reach this call.

    Calls that share a task, as after a jump to the tools, share the count by which LangGraph hands out answers:
    the yes to one could be taken by another.
    """
    config = request.runtime.config
    path = (config.get("metadata") or {}).get("langgraph_path") or ()
    alone = path[:1] == (PUSH,) or len(pending(request.state["messages"])) < 2
    return has_checkpointer(config) and alone


def _is_form_of(known: ReversibleTool, tool: BaseTool) -> bool:
    if known is tool or known.inner is tool:
        return True
    return isinstance(tool, ReversibleTool) and known.operation is tool.operation


def noticed(request: ToolCallRequest, result: ToolMessage | Command[Any]) -> ToolMessage | Command[Any]:
    """Tell the model where a person changed its call."""
    edited = (request.state.get(EDITS_CHANNEL) or {}).get(request.tool_call["id"])
    if edited is None or not isinstance(result, ToolMessage) or not isinstance(result.content, str):
        return result
    notice = f"Note: a person changed this call before it ran. It ran with {edited}."
    return result.model_copy(update={"content": f"{notice}\n\n{result.content}"})
