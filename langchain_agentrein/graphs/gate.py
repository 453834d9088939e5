"""The gate: between model and tools it asks once for every call that may not simply run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, ToolCall, ToolMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import BaseTool
from pydantic import ValidationError

from langchain_agentrein import engine, identity
from langchain_agentrein.action import Action, Status
from langchain_agentrein.engine import Call, Considered
from langchain_agentrein.flow import Flow, Step, arun, run
from langchain_agentrein.graphs.ask import (
    Approver,
    Question,
    about_call,
    approver_of,
    ask_all,
    decision_of,
    has_checkpointer,
    no_checkpointer,
)
from langchain_agentrein.graphs.beside import Beside, request_of
from langchain_agentrein.graphs.state import EDITS_CHANNEL
from langchain_agentrein.identity import Caller
from langchain_agentrein.operation import Operation
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.session import pauses
from langchain_agentrein.tool import ReversibleTool, root_message

HITL_EDITS = "hitl_edited_tool_calls"
"""Where LangChain's own approval middleware keeps what a person edited."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """A call that waits for a decision, or was decided against.

    Attributes:
        tool: `None`: this process has not seen it.
    """

    call: ToolCall
    tool: ReversibleTool | None
    found: Considered

    @property
    def action(self) -> Action:
        return self.found.action


class Gate:
    """Considers the calls of one AI message.

    Args:
        tool: Finds a tool by name; `None`: unknown here, so the executor decides when it runs.
        approver: `(config) -> name` of who answers, where the server does not say.
        per_call: Leave the asking to each call as it starts; only denials are answered here.
        beside: What LangChain's own approval middleware gates in the same agent.
    """

    def __init__(
        self,
        rein: AgentRein,
        tool: Callable[[str], ReversibleTool | None],
        *,
        approver: Approver | None = None,
        per_call: bool = False,
        beside: Beside | None = None,
    ) -> None:
        self.rein, self.tool, self.approver, self.per_call = rein, tool, approver, per_call
        self.beside = beside if beside is not None else Beside()

    def flow(
        self, state: Mapping[str, Any], config: RunnableConfig, runtime: Any, messages: Sequence[Any]
    ) -> Flow[dict[str, Any]]:
        """The state's update: messages that answer refused calls, and what was edited.

        Raises:
            GraphInterrupt: A person must decide.
            ConfigError: A person must decide, and the graph cannot pause.
        """
        calls = pending(messages)
        edits = state.get(HITL_EDITS) or {}
        considered: list[_Pending] = []
        for call in calls:
            found = yield from self._consider(_as_edited(call, edits), state, config, runtime, messages)
            if found is not None:
                considered.append(found)
        waiting = [one for one in considered if one.action.status is Status.PROPOSED]
        decided: dict[str, Action] = {}
        answers: dict[str, dict[str, Any]] = {}
        if waiting and not self.per_call:
            if not has_checkpointer(config):
                raise no_checkpointer(", ".join(sorted({one.call["name"] for one in waiting})))
            given = yield Step(ask_all, ([self._question(one, state) for one in waiting],))
            by = approver_of(config, runtime, self.approver)
            # What is proposed only now was not what they answered about: that question had lapsed before a crash.
            stale = any(one.found.fresh for one in waiting)
            for one, answer in zip(waiting, given, strict=True):
                if stale:
                    lapsed = yield Step(self.rein.journal.move, (one.action, Status.EXPIRED))
                    decided[one.action.id] = lapsed
                    continue
                decision = decision_of(answer, one.action, by)
                decided[one.action.id] = yield from engine.decide(self.rein.core, one.action, decision)
                answers[one.call["id"] or ""] = answer
        return self._update(considered, decided, answers)

    def _consider(
        self,
        call: ToolCall,
        state: Mapping[str, Any],
        config: RunnableConfig,
        runtime: Any,
        messages: Sequence[Any],
    ) -> Flow[_Pending | None]:
        where = Caller(
            thread_id=(config.get("configurable") or {}).get("thread_id"),
            namespace=identity.namespace((config.get("configurable") or {}).get("checkpoint_ns") or ""),
            tool_call_id=call["id"],
            messages=messages,
            state=state,
            in_graph=True,
        )
        tool = self.tool(call["name"])
        if tool is None:
            # Another process asked, whose model was offered the tools: its record has the question.
            recalled = yield from engine.recall(self.rein.core, identity.call_key(where, call["name"]))
            return None if recalled is None else _Pending(call, None, recalled)
        if tool.read_only:
            return None
        try:
            args = tool.visible_args(call["args"])
            tool.validate_args(args)
            op: Operation = tool.operation.from_args(args)
        except ValidationError:
            return None  # the tool itself will tell the model what does not fit
        session = yield Step(identity.session_of, (where, self.rein.journal))
        ask = Call(
            session=session,
            key=identity.call_key(where, op.name),
            thread_id=where.thread_id,
            tool_call_id=call["id"],
            message_id=root_message(where),
            intent=tool.intent(where, session.goal, call["args"]),
            pauses=pauses(),
            insist=self.beside.insists(request_of(call, state, runtime)) if self.beside.stands else "",
        )
        found: Considered | None = yield from engine.consider(self.rein.core, op, tool.client, ask)
        return None if found is None else _Pending(call, tool, found)

    def _question(self, one: _Pending, state: Mapping[str, Any]) -> Question:
        check = one.tool.validate_args if one.tool is not None else None
        ours = about_call(
            one.action, one.found.assessment, self.rein.journal.redactor, tool=one.call["name"], check=check
        )
        return self.beside.shaped(ours, one.call, state)

    def _update(
        self,
        considered: Sequence[_Pending],
        decided: Mapping[str, Action],
        answers: Mapping[str, dict[str, Any]],
    ) -> dict[str, Any]:
        messages: list[ToolMessage] = []
        edited: dict[str, dict[str, Any]] = {}
        for one in considered:
            call_id = one.call["id"] or ""
            action = decided.get(one.action.id, one.action)
            if action.status is Status.APPROVED and action.approved_args is not None:
                edited[call_id] = self.rein.journal.redactor.mask(action.approved_args)
            elif action.status in (Status.REJECTED, Status.DENIED, Status.EXPIRED):
                messages.append(_answer(one.call, action, answers.get(call_id)))
        update: dict[str, Any] = {EDITS_CHANNEL: edited}
        if messages:
            update["messages"] = messages
        return update


def _answer(call: ToolCall, action: Action, answer: Any) -> ToolMessage:
    """What the model is told instead of a result."""
    approval = action.approval
    kind = approval.decision if approval is not None else ""
    said = (answer or {}).get("message") or (approval.reason if approval is not None else None)
    if action.status is not Status.REJECTED:
        content = f"{call['name']} was {action.status}" + (f": {said}" if said else "") + ". It did not run."
    elif kind == "respond":
        content = said or ""
    else:
        because = f" with reason: {said}" if (answer or {}).get("message") else ""
        content = (
            f"A person rejected this call of `{call['name']}`{because}. It did not run. "
            "Do not call it again like this unless you are asked to."
        )
    return ToolMessage(
        content,
        tool_call_id=call["id"] or "",
        name=call["name"],
        status="success" if kind == "respond" else "error",
    )


def pending(messages: Sequence[Any]) -> list[ToolCall]:
    """The calls of the last AI message that have no answer yet."""
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    for message in reversed(messages):
        if isinstance(message, AIMessage):
            return [call for call in message.tool_calls if call["id"] not in answered]
    return []


def _as_edited(call: ToolCall, edits: Mapping[str, Any]) -> ToolCall:
    edit = edits.get(call["id"] or "")
    return call if edit is None else {**call, "name": edit["name"], "args": edit["args"]}


def build_gate(
    rein: AgentRein,
    tools: Sequence[BaseTool] = (),
    *,
    messages_key: str = "messages",
    approver: Approver | None = None,
) -> RunnableLambda[Any, Any]:
    """A gate for a hand-built graph: a node between the model and its `ToolNode`.

    It asks once for all gated calls of the last AI message, and changes nothing in the state: what a
    person decided is in the journal, where the executor finds it. A refused call is answered with why.

        builder.add_node("gate", build_gate(rein, tools))
        builder.add_edge("model", "gate")
        builder.add_conditional_edges("gate", tools_condition)

    Args:
        tools: The tools of the `ToolNode`, as `rein.tools(...)` made them.
        messages_key: The state's key for messages.
    """
    from langchain_agentrein.toolkits.base import reversible_form

    known = {tool.name: reversible_form(tool) for tool in tools}
    gate = Gate(rein, known.get, approver=approver)

    def flow(state: Mapping[str, Any], config: RunnableConfig) -> Flow[dict[str, Any]]:
        messages = state[messages_key]
        runtime = (config.get("configurable") or {}).get("__pregel_runtime")
        yield from gate.flow(state, config, runtime, messages)
        return {}

    def sync(state: Mapping[str, Any], config: RunnableConfig) -> dict[str, Any]:
        return run(flow(state, config))

    async def asynchronous(state: Mapping[str, Any], config: RunnableConfig) -> dict[str, Any]:
        return await arun(flow(state, config))

    return RunnableLambda(sync, afunc=asynchronous, name="gate")
