"""Who calls, in which session, and why: read from LangGraph's config and state, never from the arguments."""

from __future__ import annotations

import contextvars
import hashlib
import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langgraph._internal._constants import CONFIG_KEY_READ

from langchain_agentrein.action import Intent, SessionRecord, SessionStatus
from langchain_agentrein.intent import captured, intent_of, limited
from langchain_agentrein.journal import new_id
from langchain_agentrein.session import CURRENT

if TYPE_CHECKING:
    from langchain_agentrein.journal import Journal

SESSION_CHANNEL = "agentrein_session"
"""The private state channel that holds the id of the session."""
_OURS, _FUNCTIONAL = "__", "__previous__"
"""How LangGraph's own channels begin; the one that only a functional workflow has."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One call as LangGraph knows it.

    Attributes:
        thread_id: The root thread, or `None` without a checkpointer.
        namespace: The path of nested graphs, without the ids of tasks.
        task_ns: The checkpoint namespace of the task that calls.
        messages: The state's messages, if the call has a state.
        state: The rest of the state.
        anchor: The root checkpoint from which the present step runs; a resume keeps it.
        functional: It runs in a functional workflow, whose one step is the whole run.
    """

    thread_id: str | None = None
    namespace: str = ""
    task_ns: str = ""
    tool_call_id: str | None = None
    messages: Sequence[BaseMessage] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    scratchpad: Any = None
    in_graph: bool = False
    anchor: str | None = None
    functional: bool = False

    @property
    def message(self) -> AIMessage | None:
        """The AI message that made the call."""
        return _author(self.messages, self.tool_call_id)


def caller(tool_call_id: str | None, config: RunnableConfig | None, runtime: Any = None) -> Caller:
    """Where a tool call comes from.

    Args:
        config: The config that the tool was invoked with; else the one that is current.
        runtime: The `ToolRuntime` that was injected, if any.
    """
    config = config or getattr(runtime, "config", None) or var_child_runnable_config.get() or {}
    configurable = config.get("configurable") or {}
    read = configurable.get(CONFIG_KEY_READ)
    messages, state = _seen(
        getattr(runtime, "state", None) if runtime is not None else _read(read), tool_call_id
    )
    task_ns = configurable.get("checkpoint_ns") or ""
    return Caller(
        thread_id=configurable.get("thread_id"),
        namespace=namespace(task_ns),
        task_ns=task_ns,
        tool_call_id=tool_call_id,
        messages=messages,
        state=state,
        scratchpad=configurable.get("__pregel_scratchpad"),
        in_graph="__pregel_task_id" in configurable or runtime is not None,
        anchor=(configurable.get("checkpoint_map") or {}).get(""),
        functional=_FUNCTIONAL in _channels(read),
    )


def _channels(read: Any) -> Mapping[str, Any]:
    found = (*getattr(read, "args", ()), None, None)[1]
    return found if isinstance(found, Mapping) else {}


def _read(read: Any) -> Mapping[str, Any]:
    """What we need of the state of the node that runs, for a tool that is called inside it by hand."""
    names = [name for name in _channels(read) if not name.startswith(_OURS) and ":" not in name]
    if "messages" in names:
        names = [name for name in ("messages", SESSION_CHANNEL) if name in names]
    return dict(read(names, False)) if names else {}


def _seen(state: Any, tool_call_id: str | None) -> tuple[list[BaseMessage], Mapping[str, Any]]:
    """The messages and the rest of a state, which may be a mapping, a model, a dataclass or a list."""
    if isinstance(state, list):
        return _messages(state), {}
    if not isinstance(state, Mapping):
        state = dict(getattr(state, "__dict__", None) or {})
    messages = _messages(state.get("messages"))
    if _author(messages, tool_call_id) is None:  # under `messages_key=` they go by another name
        others = (_messages(value) for value in state.values())
        messages = next((other for other in others if _author(other, tool_call_id) is not None), messages)
    return messages, state


def _messages(value: Any) -> list[BaseMessage]:
    return [one for one in value if isinstance(one, BaseMessage)] if isinstance(value, list | tuple) else []


def _author(messages: Sequence[BaseMessage], tool_call_id: str | None) -> AIMessage | None:
    if tool_call_id is None:
        return None
    for message in reversed(messages):
        if isinstance(message, AIMessage) and any(call["id"] == tool_call_id for call in message.tool_calls):
            return message
    return None


def namespace(checkpoint_ns: str) -> str:
    """The path of the graph that a task runs in, without the ids of tasks, which change in a replay."""
    return "|".join(part.partition(":")[0] for part in checkpoint_ns.split("|")[:-1])


def _count() -> Callable[[], int]:
    return itertools.count().__next__


@dataclass(frozen=True, slots=True)
class Scope:
    """A tool that is running, for the tools that it calls itself.

    Attributes:
        key: Its own call's; empty where every call is new.
        task_ns: The task that it was called in.
    """

    key: str
    task_ns: str
    next: Callable[[], int] = field(default_factory=_count)


SCOPE: contextvars.ContextVar[Scope | None] = contextvars.ContextVar("agentrein_scope", default=None)


def call_key(where: Caller, operation: str) -> str:
    """What identifies the call over interrupt and resume, retry, replay and another worker.

    With a message: thread, namespace, message and tool call. Without one, for a tool that another
    tool calls: that one's key, and which of its calls it is. Else (a functional task, a tool invoked
    by hand inside a node): the task and an ordinal, which survive a resume but not a replay. Outside
    a graph every call is new, and the key is empty.
    """
    message = where.message
    if message is not None and message.id:
        return _digest("message", where.thread_id, where.namespace, message.id, where.tool_call_id)
    if not where.in_graph:
        return ""
    if where.tool_call_id:
        return _digest("call", where.thread_id, where.task_ns, where.tool_call_id, operation)
    scope = SCOPE.get()
    if scope is not None and scope.key and scope.task_ns == where.task_ns:
        # Counted apart: when the outer call is answered from its record, its inner calls do not happen.
        return _digest("inner", scope.key, str(scope.next()), operation)
    return _digest("task", where.thread_id, where.task_ns, str(_ordinal(where.scratchpad)), operation)


def _digest(*parts: str | None) -> str:
    return hashlib.sha256("\n".join(part or "" for part in parts).encode()).hexdigest()


_ordinals: OrderedDict[int, tuple[Any, Iterator[int]]] = OrderedDict()
_ordinals_lock = threading.Lock()
_TASKS = 4_096


def _ordinal(scratchpad: Any) -> int:
    """How many calls this run of the task made before.

    LangGraph makes a scratchpad for each run of a task, so a resumed or retried task counts from
    the beginning.
    """
    with _ordinals_lock:
        known = _ordinals.get(id(scratchpad))
        if known is None:
            known = _ordinals[id(scratchpad)] = (
                scratchpad,
                itertools.count(),
            )  # kept, so the id stays its own
        _ordinals.move_to_end(id(scratchpad))
        while len(_ordinals) > _TASKS:
            _ordinals.popitem(last=False)
        return next(known[1])


def session_of(where: Caller, journal: Journal, *, agent_id: str | None = None) -> SessionRecord:
    """The session that a call belongs to.

    In this order: the one that is open around it; the one in the graph's state; the one of its
    thread and last human message; the run of a functional workflow; the thread's unfinished one; a new one.
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
    # Two tasks of one step may both be the first to ask: what they derive must be the same.
    anchored = _session("run", where.thread_id, where.anchor) if where.anchor else new_id("ses")
    if where.thread_id is not None and not where.functional:
        latest = journal.sessions(thread_id=where.thread_id, limit=1)
        if latest and latest[0].status in (SessionStatus.OPEN, SessionStatus.ROLLING_BACK):
            return latest[
                0
            ]  # one that is being rolled back refuses new calls: a session of their own would not
    return replace(facts, id=anchored)


def session_id(thread_id: str | None, messages: Sequence[BaseMessage]) -> str:
    """The id of the session that the last human message began."""
    human = last_human(messages)
    if human is None:
        return new_id("ses")
    position = sum(isinstance(message, HumanMessage) for message in messages)
    return _session("session", thread_id, human.id or f"{position}:{human.text}")


def _session(*parts: str | None) -> str:
    return "ses_" + _digest(*parts)[:26]


def last_human(messages: Sequence[BaseMessage]) -> HumanMessage | None:
    """The message that says what the session is for."""
    return next((message for message in reversed(messages) if isinstance(message, HumanMessage)), None)


def intent_for(where: Caller, goal: str, rationale: str | None = None) -> Intent:
    """Why: what the model was asked to say, what its message says, or what a callback handler heard of it.

    Args:
        rationale: The model's answer to our question, if it was asked.
    """
    message = where.message
    heard = captured(where.tool_call_id, message.id if message is not None else None)
    intent = intent_of(message, goal=goal) if message is not None else Intent(goal=goal)
    if heard is not None:
        text, source = (intent.text, intent.source) if intent.text else limited(heard.text, heard.source)
        model = intent.model or heard.model
        intent = replace(intent, run_id=heard.run_id, text=text, source=source, model=model)
    if rationale:
        text, source = limited(rationale, "rationale")
        intent = replace(intent, text=text or intent.text, source=source or intent.source)
    return intent
