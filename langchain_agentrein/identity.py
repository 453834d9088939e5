"""Who calls, in which session, and why: read from LangGraph's config and state, never from the arguments."""

from __future__ import annotations

import hashlib
import itertools
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langgraph._internal._constants import CONFIG_KEY_READ

from langchain_agentrein.action import Intent, SessionRecord
from langchain_agentrein.intent import captured, intent_of
from langchain_agentrein.journal import Journal, new_id
from langchain_agentrein.session import CURRENT

SESSION_CHANNEL = "agentrein_session"
"""The private state channel that holds the id of the session."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One call as LangGraph knows it.

    Attributes:
        thread_id: The root thread, or `None` without a checkpointer.
        namespace: The path of nested graphs, without the ids of tasks.
        task_ns: The checkpoint namespace of the task that calls.
        messages: The state's messages, if the call has a state.
        state: The rest of the state.
    """

    thread_id: str | None = None
    namespace: str = ""
    task_ns: str = ""
    tool_call_id: str | None = None
    messages: Sequence[AnyMessage] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    scratchpad: Any = None
    in_graph: bool = False

    @property
    def message(self) -> AIMessage | None:
        """The AI message that made the call."""
        for message in reversed(self.messages):
            if isinstance(message, AIMessage) and any(
                call["id"] == self.tool_call_id for call in message.tool_calls
            ):
                return message
        return None


def caller(tool_call_id: str | None, config: RunnableConfig | None, runtime: Any = None) -> Caller:
    """Where a tool call comes from.

    Args:
        config: The config that the tool was invoked with; else the one that is current.
        runtime: The `ToolRuntime` that was injected, if any.
    """
    config = config or getattr(runtime, "config", None) or var_child_runnable_config.get() or {}
    configurable = config.get("configurable") or {}
    state = getattr(runtime, "state", None)
    if runtime is None:
        state = _read(configurable.get(CONFIG_KEY_READ))
    if isinstance(state, Mapping):
        messages = state.get("messages") or ()
    elif isinstance(state, list):
        messages, state = state, {}
    else:
        messages, state = getattr(state, "messages", ()), {}
    task_ns = configurable.get("checkpoint_ns") or ""
    return Caller(
        thread_id=configurable.get("thread_id"),
        namespace=namespace(task_ns),
        task_ns=task_ns,
        tool_call_id=tool_call_id,
        messages=[message for message in messages if isinstance(message, BaseMessage)],
        state=state,
        scratchpad=configurable.get("__pregel_scratchpad"),
        in_graph="__pregel_task_id" in configurable or runtime is not None,
    )


def _read(read: Any) -> Mapping[str, Any]:
    """What we need of the state of the node that runs, for a tool that is called inside it by hand."""
    channels = getattr(read, "args", (None, {}))[1]
    wanted = [name for name in ("messages", SESSION_CHANNEL) if name in channels]
    return dict(read(wanted, False)) if wanted else {}


def namespace(checkpoint_ns: str) -> str:
    """The path of the graph that a task runs in, without the ids of tasks, which change in a replay."""
    return "|".join(part.partition(":")[0] for part in checkpoint_ns.split("|")[:-1])


def call_key(where: Caller, operation: str) -> str:
    """What identifies the call over interrupt and resume, retry, replay and another worker.

    With a message: thread, namespace, message and tool call. Without one (`messages_key=`, a
    functional task, a tool invoked by hand inside a node): the task and an ordinal, which survive
    a resume but not a replay. Outside a graph every call is new, and the key is empty.
    """
    message = where.message
    if message is not None and message.id:
        return _digest("message", where.thread_id, where.namespace, message.id, where.tool_call_id)
    if not where.in_graph:
        return ""
    if where.tool_call_id:
        return _digest("call", where.thread_id, where.task_ns, where.tool_call_id, operation)
    return _digest("task", where.thread_id, where.task_ns, str(_ordinal(where.scratchpad)), operation)


def _digest(*parts: str | None) -> str:
    return hashlib.sha256("\n".join(part or "" for part in parts).encode()).hexdigest()


_ordinals: OrderedDict[int, tuple[Any, Iterator[int]]] = OrderedDict()
_TASKS = 1_000


def _ordinal(scratchpad: Any) -> int:
    """How many calls this run of the task made before.

    LangGraph makes a scratchpad for each run of a task, so a resumed task counts from the beginning.
    """
    known = _ordinals.get(id(scratchpad))
    if known is None:
        known = _ordinals[id(scratchpad)] = (scratchpad, itertools.count())  # kept, so the id stays its own
        while len(_ordinals) > _TASKS:
            _ordinals.popitem(last=False)
    return next(known[1])


def session_of(where: Caller, journal: Journal, *, agent_id: str | None = None) -> SessionRecord:
    """The session that a call belongs to.

    In this order: the one that is open around it; the one in the graph's state; the one of its
    thread and last human message; the thread's open one; a new one.
    """
    current = CURRENT.get()
    if current is not None and current.rein.journal is journal:
        return current.record
    goal = last_human(where.messages)
    text = goal.text if goal is not None else ""
    stored = where.state.get(SESSION_CHANNEL)
    facts = SessionRecord(id="", goal=text, thread_id=where.thread_id, agent_id=agent_id)
    if stored:
        return replace(facts, id=stored)
    if goal is not None:
        return replace(facts, id=session_id(where.thread_id, where.messages))
    if where.thread_id is not None:
        latest = journal.sessions(thread_id=where.thread_id, limit=1)
        if latest and latest[0].status == "open":
            return latest[0]
    return replace(facts, id=new_id("ses"))


def session_id(thread_id: str | None, messages: Sequence[AnyMessage]) -> str:
    """The id of the session that the last human message began."""
    human = last_human(messages)
    if human is None:
        return new_id("ses")
    position = sum(isinstance(message, HumanMessage) for message in messages)
    return "ses_" + _digest("session", thread_id, human.id or f"{position}:{human.text}")[:26]


def last_human(messages: Sequence[AnyMessage]) -> HumanMessage | None:
    """The message that says what the session is for."""
    return next((message for message in reversed(messages) if isinstance(message, HumanMessage)), None)


def intent_for(where: Caller, goal: str) -> Intent:
    """Why: from the message that made the call, or what a callback handler heard of it."""
    message = where.message
    heard = captured(where.tool_call_id)
    if message is None:
        return replace(heard, goal=heard.goal or goal) if heard is not None else Intent(goal=goal)
    intent = intent_of(message, goal=goal)
    if heard is not None:
        intent = replace(intent, run_id=heard.run_id, text=intent.text or heard.text, source=intent.source or heard.source)
    return intent
