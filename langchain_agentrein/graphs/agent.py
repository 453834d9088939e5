"""Agents and graphs that undo what they did when they fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph._internal._config import patch_config
from langgraph._internal._constants import CONFIG_KEY_DURABILITY, CONFIG_KEY_NODE_ERROR
from langgraph._internal._runnable import RunnableCallable, coerce_to_runnable
from langgraph.errors import NodeError
from langgraph.graph import END, StateGraph
from langgraph.types import Command, Send

from langchain_agentrein import engine, identity
from langchain_agentrein.action import SessionRecord, SessionStatus
from langchain_agentrein.engine import Scope
from langchain_agentrein.errors import ConfigError, SessionFailed
from langchain_agentrein.flow import Flow, Step, arun, run
from langchain_agentrein.graphs.ask import Approver, no_checkpointer
from langchain_agentrein.graphs.compensation import build_compensation_graph
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.report import RollbackReport

ROLLBACK_NODE = "agentrein_rollback"
UNDER_WAY = (SessionStatus.OPEN, SessionStatus.ROLLING_BACK)
"""A failure meets its session again after a pause: then it is frozen already."""


def create_reversible_agent(
    model: str | BaseChatModel,
    tools: Sequence[Any],
    *,
    rein: AgentRein,
    middleware: Sequence[Any] = (),
    middleware_options: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    """`create_agent` with our middleware first, reversible tools, and checkpoints written before each step.

    Args:
        tools: Tools, functions and toolkits.
        rein: Where to journal, and by which policy.
        middleware: Further middleware, after ours.
        middleware_options: For `rein.middleware(...)`.
        options: For `create_agent`; `checkpointer` above all.
    Raises:
        ConfigError: A tool must be asked about, and there is no checkpointer to pause with.
    """
    bound = rein.tools(*tools)
    if not options.get("checkpointer"):
        _refuse_unasked(rein, bound)
    agent = create_agent(
        model,
        bound,
        middleware=[rein.middleware(**(middleware_options or {})), *middleware],
        **options,
    )
    if not options.get("checkpointer"):
        return agent  # there is nothing to be durable, and LangGraph would wait for a checkpoint that never comes
    # Under `async`, LangGraph's default, a kill can lose the message that made a call.
    return agent.with_config({"configurable": {CONFIG_KEY_DURABILITY: "sync"}})


def _refuse_unasked(rein: AgentRein, tools: Sequence[Any]) -> None:
    """Without a checkpointer nobody can be asked: say so when the agent is built, not when it acts."""
    asked = [tool.name for tool in tools if not tool.read_only and rein.policy.may_ask(tool.operation)]
    if asked:
        raise no_checkpointer(", ".join(sorted(asked)))


def add_compensation(
    builder: StateGraph[Any, Any, Any, Any],
    *,
    rein: AgentRein,
    chain: bool = False,
    reraise: bool = True,
    approver: Approver | None = None,
) -> StateGraph[Any, Any, Any, Any]:
    """Make a graph undo its session when one of its nodes raises. Call it last, before `compile()`.

    Args:
        builder: The graph, with its nodes.
        chain: The builder has a default error handler: run it after the walk, instead of raising.
        reraise: Whether the run raises `SessionFailed` after the walk; `False` ends it quietly.
        approver: `(config) -> name` of who answers, where the server does not say.
    Raises:
        ConfigError: The builder has a default error handler already, and `chain` is not set.
    """
    theirs: Any = builder._node_defaults.error_handler
    if theirs is not None and not chain:
        raise ConfigError(
            "this graph has a default error handler, which ours would replace: pass chain=True to run it after "
            "the walk, or set it per node"
        )
    if ROLLBACK_NODE in builder.nodes:
        raise ConfigError("this graph has its compensation already: call add_compensation once")
    compensation = build_compensation_graph(rein, approver=approver)
    after = coerce_to_runnable(theirs, name="after_rollback", trace=False) if theirs is not None else None
    rein.unwinds = True

    def handler(state: Any, error: NodeError, config: RunnableConfig) -> Command[Any]:
        task = run(_freeze(rein, state, error, config))
        return Command(goto=Send(ROLLBACK_NODE, {**task, "state": state if after is not None else None}))

    async def ahandler(state: Any, error: NodeError, config: RunnableConfig) -> Command[Any]:
        task = await arun(_freeze(rein, state, error, config))
        return Command(goto=Send(ROLLBACK_NODE, {**task, "state": state if after is not None else None}))

    def walk(task: dict[str, Any], config: RunnableConfig) -> Any:
        if task["known"]:
            compensation.invoke(task)
        if after is not None:
            return after.invoke(task["state"], _with_error(config, task))
        return run(_end(rein, task, reraise=reraise))

    async def awalk(task: dict[str, Any], config: RunnableConfig) -> Any:
        if task["known"]:
            await compensation.ainvoke(task)
        if after is not None:
            return await after.ainvoke(task["state"], _with_error(config, task))
        return await arun(_end(rein, task, reraise=reraise))

    builder.set_node_defaults(
        error_handler=RunnableCallable(handler, ahandler, name="agentrein_failed", trace=False)
    )
    node: Any = RunnableLambda(walk, afunc=awalk, name=ROLLBACK_NODE)
    builder.add_node(
        ROLLBACK_NODE, node, error_handler=RunnableCallable(_raise, name="agentrein_ended", trace=False)
    )
    return builder


def _with_error(config: RunnableConfig, task: dict[str, Any]) -> RunnableConfig:
    """Hand the failure to the graph's own handler as LangGraph would have; it may come from another process."""
    failure = task["failure"]
    error = SessionFailed(task["cause"], session_id=task["session_id"], error=failure)
    node_error = NodeError(node=failure["node"], error=error)
    return patch_config(config, configurable={CONFIG_KEY_NODE_ERROR: node_error})


def _raise(state: Any, error: NodeError) -> None:
    """The walk itself failed, or ends in `SessionFailed`: neither may start another walk."""
    raise error.error


def _freeze(rein: AgentRein, state: Any, error: NodeError, config: RunnableConfig) -> Flow[dict[str, Any]]:
    """The first act of any failure: no new actions of this session."""
    runtime = _State(state)
    where = identity.caller(None, config, runtime)
    session: SessionRecord = yield Step(identity.session_of, (where, rein.journal))
    failure = {**_told(error.error), "node": error.node}
    known = (yield Step(rein.journal.session, (session.id,))) is not None
    if not known and where.thread_id is not None:
        # What a subgraph with messages of its own did is in the thread's open session.
        opened = yield Step(
            lambda: rein.journal.sessions(thread_id=where.thread_id, statuses=UNDER_WAY, limit=1)
        )
        known, session = bool(opened), (opened[0] if opened else session)
    if known:
        yield from engine.freeze(rein.core, Scope((session.id,)), failure=failure)
        failure = yield from _first(rein, session.id, failure)
    cause = f"node `{failure['node']}` failed with {failure['type']}: {failure['message']}"
    return {"session_id": session.id, "cause": cause, "failure": failure, "known": known}


def _first(rein: AgentRein, session_id: str, failure: dict[str, Any]) -> Flow[dict[str, Any]]:
    """The failure that froze the session: a sibling that met the freeze is no cause of anything."""
    frozen: SessionRecord = yield Step(rein.journal.session, (session_id,))
    recorded = frozen.failure
    return recorded if isinstance(recorded, dict) and "node" in recorded else failure


def _told(error: BaseException | str) -> dict[str, str]:
    """What a node raised; where the run paused since, LangGraph has kept no more than how it is written."""
    if isinstance(error, BaseException):
        return engine.told(error)
    name, _, message = error.removesuffix(")").partition("(")
    return {"type": name, "message": message.strip("'\"")}


class _State:
    """A node's state in the shape in which a tool's runtime lends it."""

    def __init__(self, state: Any) -> None:
        self.state = state
        self.config = None


def _end(rein: AgentRein, task: dict[str, Any], *, reraise: bool) -> Flow[Command[Any]]:
    if not reraise:
        return Command(goto=END)
    report: RollbackReport = yield from engine.report(rein.core, Scope((task["session_id"],)))
    raise SessionFailed(
        f"session {task['session_id']} failed: {task['cause']}. {report}",
        session_id=task["session_id"],
        report=report,
        error={"type": task["failure"]["type"], "message": task["failure"]["message"]},
    )
