"""One call has one effect, however LangGraph runs it again."""

from __future__ import annotations

import asyncio
import contextlib
import operator
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ToolRetryMiddleware
from langchain_core.messages import AnyMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, RetryPolicy, Send, interrupt
from typing_extensions import TypedDict

from langchain_agentrein import (
    AgentRein,
    Happened,
    InDoubt,
    NotDone,
    NotHappened,
    ReversibleTool,
    SessionFailed,
    Status,
    UnboundTool,
    Unknown,
    reversible,
)
from tests.support.models import says, scripted_model
from tests.unit_tests.test_tool import nothing

CONFIG: Any = {"configurable": {"thread_id": "t"}}


class State(TypedDict, total=False):
    """Messages, and a tally."""

    messages: Annotated[list[AnyMessage], add_messages]
    results: Annotated[list[Any], operator.add]
    item: Any


class World:
    """What the tools do, counted."""

    def __init__(self) -> None:
        self.ran: list[Any] = []
        self.error: Exception | None = None
        self.undone: list[Any] = []

    def tool(self, name: str = "act", **declared: Any) -> ReversibleTool:
        """A tool that acts, and then raises what it is told to."""

        def act(n: int) -> str:
            """Act."""
            self.ran.append(n)
            if self.error is not None:
                raise self.error
            return f"acted {n}"

        act.__name__ = name
        undo = declared.pop("undo", lambda action: self.undone.append(action.args["n"]))
        made = reversible(act, undo=undo, **declared)
        assert isinstance(made, ReversibleTool)
        return made


@pytest.fixture
def rein(tmp_path: Path) -> Iterator[AgentRein]:
    with AgentRein(f"sqlite:///{tmp_path}/journal.db", backoff=0.01) as rein:
        rein.unwinds = True  # these graphs are not meant to be unwound
        yield rein


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(params=["memory", "sqlite"])
def saver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A checkpointer."""
    if request.param == "memory":
        yield InMemorySaver()
        return
    with SqliteSaver.from_conn_string(f"{tmp_path}/checkpoints.db") as saver:
        yield saver


def graph_of(*nodes: tuple[str, Any], saver: Any = None, **options: Any) -> Any:
    """A chain of nodes."""
    builder = StateGraph(State)
    for name, node in nodes:
        builder.add_node(name, node, **options)
    for before, after in zip(
        [START, *(name for name, _ in nodes)], [*(name for name, _ in nodes), END], strict=True
    ):
        builder.add_edge(before, after)
    return builder.compile(checkpointer=saver or InMemorySaver())


def go(*calls: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """An input in which the model has made its calls already."""
    message = says("I act", *calls)
    for number, call in enumerate(message.tool_calls):
        call["id"] = f"call_{number}"
    return {"messages": [("user", "do it"), message]}


# -- resumed -------------------------------------------------------------------------------------


def test_a_node_that_interrupts_after_the_effect_acts_once(rein: AgentRein, world: World, saver: Any) -> None:
    act = world.tool().bound(rein)

    def node(state: State) -> Any:
        first = act.invoke({"n": 1})
        second = act.invoke({"n": 1})
        answer = interrupt("really?")
        third = act.invoke({"n": 3})
        return {"results": [first, second, answer, third]}

    graph = graph_of(("node", node), saver=saver)
    graph.invoke({"messages": [("user", "do it")]}, CONFIG)
    assert world.ran == [1, 1]
    result = graph.invoke(Command(resume="yes"), CONFIG)
    assert world.ran == [1, 1, 3]
    assert result["results"] == ["acted 1", "acted 1", "yes", "acted 3"]
    assert len(rein.sessions()) == 1


def test_a_tool_node_whose_other_tool_interrupts_acts_once(rein: AgentRein, world: World, saver: Any) -> None:
    @tool
    def ask() -> str:
        """Ask."""
        return str(interrupt("really?"))

    tools = ToolNode([world.tool().bound(rein), ask])
    graph = graph_of(("tools", tools), saver=saver)
    graph.invoke(go(("act", {"n": 1}), ("ask", {}), ("act", {"n": 1})), CONFIG)
    result = graph.invoke(Command(resume="yes"), CONFIG)
    assert world.ran == [1, 1]
    assert [one.content for one in result["messages"][2:]] == ["acted 1", "yes", "acted 1"]


@pytest.mark.parametrize("awaited", [False, True])
async def test_a_tool_that_pauses_itself_acts_once(rein: AgentRein, awaited: bool) -> None:
    ran: list[str] = []

    if awaited:

        @reversible(undo=nothing)
        async def careful(n: int) -> str:
            """Ask first."""
            answer = interrupt(f"{n}?")
            ran.append(answer)
            return f"{n}: {answer}"

    else:

        @reversible(undo=nothing)
        def careful(n: int) -> str:
            """Ask first."""
            answer = interrupt(f"{n}?")
            ran.append(answer)
            return f"{n}: {answer}"

    graph = graph_of(("tools", ToolNode([careful.bound(rein)])))
    if awaited:
        await graph.ainvoke(go(("careful", {"n": 1})), CONFIG)
        result = await graph.ainvoke(Command(resume="yes"), CONFIG)
    else:
        graph.invoke(go(("careful", {"n": 1})), CONFIG)
        result = graph.invoke(Command(resume="yes"), CONFIG)
    assert ran == ["yes"]
    assert result["messages"][-1].content == "1: yes"
    [action] = rein.actions(thread="t")
    assert (action.status, action.paused) == (Status.EXECUTED, False)


@pytest.mark.parametrize(
    ("found", "ran", "status"),
    [
        (Happened("booked 1"), 1, Status.EXECUTED),
        (NotHappened(), 2, Status.EXECUTED),
        (Unknown("the index lags"), 1, Status.IN_DOUBT),
        (None, 2, Status.EXECUTED),
    ],
)
def test_a_tool_that_pauses_itself_after_its_effect(
    rein: AgentRein, found: Any, ran: int, status: Status
) -> None:
    effects: list[int] = []

    @reversible(undo=nothing, probe=None if found is None else lambda action: found)
    def hasty(n: int) -> str:
        """Book, then ask."""
        effects.append(n)
        return f"booked {n}: {interrupt('fine?')}"

    graph = graph_of(("tools", ToolNode([hasty.bound(rein)])))
    graph.invoke(go(("hasty", {"n": 1})), CONFIG)
    with pytest.raises(InDoubt) if status is Status.IN_DOUBT else contextlib.nullcontext():
        graph.invoke(Command(resume="yes"), CONFIG)

    assert effects == [1] * ran, "it runs again only where its probe says that nothing happened, or has none"
    [action] = rein.actions(thread="t")
    assert (action.status, action.paused) == (status, False)


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_functional_workflow_acts_once_for_each_call(
    rein: AgentRein, world: World, kind: str
) -> None:
    act = world.tool().bound(rein)

    @task
    def twice(n: int) -> list[str]:
        done = [act.invoke({"n": n}), act.invoke({"n": n})]
        if n == 2:
            done.append(interrupt("really?"))
        return done

    @task
    async def atwice(n: int) -> list[str]:
        done = list(await asyncio.gather(act.ainvoke({"n": n}), act.ainvoke({"n": n})))
        if n == 2:
            done.append(interrupt("really?"))
        return done

    @entrypoint(checkpointer=InMemorySaver())
    def flow(n: int) -> Any:
        act.invoke({"n": 0})
        return [future.result() for future in [twice(1), twice(2)]]

    @entrypoint(checkpointer=InMemorySaver())
    async def aflow(n: int) -> Any:
        await act.ainvoke({"n": 0})
        return await asyncio.gather(atwice(1), atwice(2))

    if kind == "sync":
        flow.invoke(1, CONFIG)
        result = flow.invoke(Command(resume="yes"), CONFIG)
    else:
        await aflow.ainvoke(1, CONFIG)
        result = await aflow.ainvoke(Command(resume="yes"), CONFIG)
    assert sorted(world.ran) == [0, 1, 1, 2, 2]
    assert list(result) == [["acted 1", "acted 1"], ["acted 2", "acted 2", "yes"]]
    assert len(rein.sessions()) == 1
    again = flow.invoke(1, CONFIG) if kind == "sync" else await aflow.ainvoke(1, CONFIG)
    assert again
    assert sorted(world.ran) == [0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    assert len(rein.sessions()) == 2


def test_a_tool_that_calls_tools_acts_once_over_a_resume(rein: AgentRein, world: World) -> None:
    inner = world.tool("inner").bound(rein)

    @reversible(undo=nothing)
    def outer(n: int) -> str:
        """Call others."""
        world.ran.append(f"outer {n}")
        return " ".join([inner.invoke({"n": n}), inner.invoke({"n": n})])

    both = outer.bound(rein)

    def node(state: State) -> Any:
        done = [both.invoke({"n": 1}), inner.invoke({"n": 7})]
        return {"results": [*done, interrupt("really?")]}

    graph = graph_of(("node", node))
    graph.invoke({"messages": [("user", "do it")]}, CONFIG)
    result = graph.invoke(Command(resume="yes"), CONFIG)
    assert world.ran == ["outer 1", 1, 1, 7]
    assert result["results"] == ["acted 1 acted 1", "acted 7", "yes"]
    assert len({action.session_id for action in rein.actions(thread="t")}) == 1


# -- retried -------------------------------------------------------------------------------------


def test_a_node_that_is_retried_acts_once(rein: AgentRein, world: World) -> None:
    act, tries = world.tool().bound(rein), []

    def node(state: State) -> Any:
        done = [act.invoke({"n": 1}), act.invoke({"n": 1})]
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError("flaky")
        return {"results": done}

    graph = graph_of(
        ("node", node), retry_policy=RetryPolicy(initial_interval=0.01, max_attempts=3, jitter=False)
    )
    result = graph.invoke({"messages": [("user", "do it")]}, CONFIG)
    assert len(tries) == 3
    assert world.ran == [1, 1]
    assert result["results"] == ["acted 1", "acted 1"]


RETRY = {"max_retries": 3, "initial_delay": 0.0, "jitter": False, "on_failure": "continue"}


@pytest.mark.parametrize("place", ["inside", "outside", "alone"])
@pytest.mark.parametrize(
    ("error", "declared", "times"),
    [
        (TimeoutError("lost"), {}, 1),
        (TimeoutError("lost"), {"probe": lambda action: Unknown("who knows")}, 1),
        (TimeoutError("lost"), {"probe": lambda action: Happened("acted")}, 1),
        (TimeoutError("lost"), {"probe": lambda action: NotHappened()}, 4),
        (NotDone("busy"), {}, 4),
        (ValueError("busy"), {"not_done": (ValueError,)}, 4),
    ],
)
def test_a_retry_middleware_does_again_only_what_was_not_done(
    rein: AgentRein, world: World, error: Exception, declared: dict[str, Any], times: int, place: str
) -> None:
    world.error = error
    retry = ToolRetryMiddleware(**RETRY)
    middleware: list[Any] = {
        "inside": [rein.middleware(), retry],
        "outside": [retry, rein.middleware()],
        "alone": [retry],
    }[place]
    agent = create_agent(
        scripted_model(says("", ("act", {"n": 1})), says("done")),
        rein.tools(world.tool(**declared)),
        middleware=middleware,
    )
    if place == "outside" and times > 1:
        times = 1  # ours catches first, so that siblings finish; there is nothing left to retry
    with contextlib.suppress(InDoubt, SessionFailed):
        agent.invoke({"messages": [("user", "do it")]})
    assert len(world.ran) == times


def test_the_reply_to_a_retried_call_is_the_one_of_the_try_that_worked(rein: AgentRein, world: World) -> None:
    world.error = NotDone("busy")

    @tool
    def calm() -> str:
        """Calm down."""
        world.error = None
        return "calm"

    act = world.tool().bound(rein)
    graph = graph_of(
        ("first", ToolNode([act], handle_tool_errors=True)), ("calm", lambda state: calm.invoke({}) and {})
    )
    graph.invoke(go(("act", {"n": 1})), CONFIG)
    second = graph_of(("again", ToolNode([act])))
    result = second.invoke({"messages": graph.get_state(CONFIG).values["messages"][:2]}, CONFIG)
    assert result["messages"][-1].content == "acted 1"
    assert [action.status for action in rein.actions(thread="t")] == [Status.FAILED, Status.EXECUTED]
    assert [action.generation for action in rein.actions(thread="t")] == [1, 2]


# -- replayed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["agent", "tool node", "by hand", "other key"])
def test_a_replay_from_an_old_checkpoint_gives_the_recorded_result(
    rein: AgentRein, world: World, saver: Any, how: str
) -> None:
    act = world.tool().bound(rein)
    start: Any = go(("act", {"n": 1}))
    if how == "agent":
        model = scripted_model(says("", ("act", {"n": 1})), says("done"), says("done"))
        graph = create_agent(model, [act], checkpointer=saver)
        start = {"messages": [("user", "do it")]}
    elif how == "tool node":
        graph = graph_of(("before", lambda state: {}), ("tools", ToolNode([act])), saver=saver)
    elif how == "by hand":

        def node(state: State) -> Any:
            return {"messages": [act.invoke(call) for call in state["messages"][-1].tool_calls]}

        graph = graph_of(("before", lambda state: {}), ("tools", node), saver=saver)
    else:

        class Chat(TypedDict, total=False):
            chat: Annotated[list[AnyMessage], add_messages]

        builder = StateGraph(Chat)
        builder.add_node("before", lambda state: {})
        builder.add_node("tools", ToolNode([act], messages_key="chat"))
        builder.add_edge(START, "before")
        builder.add_edge("before", "tools")
        graph = builder.compile(checkpointer=saver)
        start = {"chat": start["messages"]}
    first = graph.invoke(start, CONFIG)
    old = next(state for state in graph.get_state_history(CONFIG) if state.next == ("tools",))
    again = graph.invoke(None, old.config)
    assert world.ran == [1]
    key = "chat" if how == "other key" else "messages"
    ours = [[one for one in result[key] if isinstance(one, ToolMessage)] for result in (first, again)]
    assert [one.content for one in ours[0]] == [one.content for one in ours[1]] == ["acted 1"]


def test_a_fork_with_other_arguments_is_a_conflict_and_tells_the_model(rein: AgentRein, world: World) -> None:
    graph = graph_of(("before", lambda state: {}), ("tools", ToolNode([world.tool().bound(rein)])))
    start = go(("act", {"n": 1}))
    graph.invoke(start, CONFIG)
    old = next(state for state in graph.get_state_history(CONFIG) if state.next == ("tools",))
    message = old.values["messages"][-1]
    forked = message.model_copy(update={"tool_calls": [{**message.tool_calls[0], "args": {"n": 2}}]})
    fork = graph.update_state(old.config, {"messages": [forked]}, as_node="before")
    result = graph.invoke(None, fork)
    assert world.ran == [1]
    assert "other arguments" in result["messages"][-1].content


# -- many at once, and inside one another --------------------------------------------------------


def test_a_fan_out_acts_once_for_each_branch(rein: AgentRein, world: World) -> None:
    act = world.tool().bound(rein)
    paused: list[int] = []

    def branch(state: State) -> Any:
        done = act.invoke({"n": state["item"]})
        if state["item"] == 2:
            paused.append(interrupt("really?"))
        return {"results": [done]}

    builder = StateGraph(State)
    builder.add_node("branch", branch)
    builder.add_conditional_edges(
        START, lambda state: [Send("branch", {"item": n}) for n in (1, 2, 2)], ["branch"]
    )
    graph = builder.compile(checkpointer=InMemorySaver())
    graph.invoke({"messages": [("user", "do it")]}, CONFIG)
    waiting = [one.id for one in graph.get_state(CONFIG).interrupts]
    graph.invoke(Command(resume=dict.fromkeys(waiting, 1)), CONFIG)
    assert sorted(world.ran) == [1, 2, 2]
    assert len(rein.sessions()) == 1


def test_equal_calls_of_one_message_both_run_and_are_both_undone(rein: AgentRein, world: World) -> None:
    model = scripted_model(says("", ("act", {"n": 1}), ("act", {"n": 1})), says("done"))
    agent = create_agent(
        model, rein.tools(world.tool()), middleware=[rein.middleware()], checkpointer=InMemorySaver()
    )
    agent.invoke({"messages": [("user", "do it")]}, CONFIG)
    assert world.ran == [1, 1]
    assert rein.rollback(thread="t").complete
    assert world.undone == [1, 1]


def test_an_agent_inside_a_tool_joins_the_session(rein: AgentRein, world: World) -> None:
    inner = create_agent(
        scripted_model(says("inner reason", ("act", {"n": 2})), says("inner done")),
        [world.tool()],
        middleware=[rein.middleware()],
        name="inner",
    )

    @reversible(undo=nothing)
    def delegate(what: str) -> str:
        """Delegate."""
        return str(inner.invoke({"messages": [("user", what)]})["messages"][-1].text)

    model = scripted_model(says("", ("act", {"n": 1}), ("delegate", {"what": "more"})), says("done"))
    outer = create_agent(
        model, [world.tool(), delegate], middleware=[rein.middleware()], checkpointer=InMemorySaver()
    )
    result = outer.invoke({"messages": [("user", "do it")]}, CONFIG)
    assert result["messages"][-1].text == "done"
    [session] = rein.sessions()
    assert (session.status, session.goal) == ("completed", "do it")
    assert [action.operation for action in rein.actions(thread="t")].count("act") == 2
    assert rein.rollback(thread="t").complete
    assert sorted(world.undone) == [1, 2]


def test_an_agent_inside_a_tool_joins_the_session_without_the_middleware_too(
    rein: AgentRein, world: World
) -> None:
    inner = create_agent(
        scripted_model(says("", ("act", {"n": 2})), says("inner done")), rein.tools(world.tool())
    )

    @reversible(undo=nothing)
    def delegate() -> str:
        """Delegate."""
        return str(inner.invoke({"messages": [("user", "more")]})["messages"][-1].text)

    model = scripted_model(says("", ("delegate", {})), says("done"))
    outer = create_agent(model, rein.tools(delegate), checkpointer=InMemorySaver())
    outer.invoke({"messages": [("user", "do it")]}, CONFIG)
    assert [session.goal for session in rein.sessions()] == ["do it"]
    assert [action.operation for action in rein.actions(thread="t")] == ["delegate", "act"]


def test_a_forged_injected_argument_does_not_confuse_the_gate(rein: AgentRein) -> None:
    ran: list[Any] = []

    @reversible
    def act(n: int, tool_call_id: Annotated[str, InjectedToolCallId]) -> str:
        """Act, for good."""
        ran.append((n, tool_call_id))
        return "acted"

    model = scripted_model(says("", ("act", {"n": 1, "tool_call_id": "forged"})), says("done"))
    agent = create_agent(model, [act], middleware=[rein.middleware()], checkpointer=InMemorySaver())
    agent.invoke({"messages": [("user", "do it")]}, CONFIG)
    agent.invoke(Command(resume={"decisions": [{"type": "approve"}]}), CONFIG)
    [action] = rein.actions(thread="t")
    assert (action.status, action.args) == (Status.EXECUTED, {"n": 1})
    [(n, tool_call_id)] = ran
    assert n == 1
    assert tool_call_id == action.tool_call_id


def test_a_failure_of_an_agent_inside_a_tool_is_undone_by_the_opener(rein: AgentRein, world: World) -> None:
    @reversible(undo=nothing, not_done=(ValueError,))
    def break_down() -> str:
        """Break."""
        raise ValueError("broken")

    inner = create_agent(
        scripted_model(says("", ("act", {"n": 2})), says("", ("break_down", {}))),
        rein.tools(world.tool(), break_down),
        middleware=[rein.middleware()],
    )

    # What the inner agent does has records of its own; the delegation itself changes nothing.
    @reversible(undo=nothing, not_done=(Exception,))
    def delegate() -> str:
        """Delegate."""
        return str(inner.invoke({"messages": [("user", "more")]}))

    model = scripted_model(says("", ("act", {"n": 1})), says("", ("delegate", {})))
    outer = create_agent(
        model,
        rein.tools(world.tool(), delegate),
        middleware=[rein.middleware()],
        checkpointer=InMemorySaver(),
    )
    with pytest.raises(Exception, match="broken"):
        outer.invoke({"messages": [("user", "do it")]}, CONFIG)
    [session] = rein.sessions()
    assert session.status == "rolled_back"
    assert world.undone == [2, 1]


def test_a_subgraph_as_a_node_shares_the_session_and_acts_once(rein: AgentRein, world: World) -> None:
    agent = create_agent(scripted_model(says("", ("act", {"n": 1})), says("done")), rein.tools(world.tool()))
    graph = graph_of(
        ("agent", agent), ("act", lambda state: world.tool().bound(rein).invoke({"n": 2}) and {})
    )
    graph.invoke({"messages": [("user", "do it")]}, CONFIG)
    assert world.ran == [1, 2]
    [session] = rein.sessions()
    assert (session.goal, session.thread_id) == ("do it", "t")


def test_a_session_that_is_open_around_a_graph_is_joined(rein: AgentRein, world: World) -> None:
    graph = graph_of(("tools", ToolNode([world.tool().bound(rein)])))
    with rein.session(intent="the whole") as session:
        graph.invoke(go(("act", {"n": 1})), CONFIG)
        world.tool().bound(rein).invoke({"n": 2})
    assert [action.args["n"] for action in session.actions()] == [1, 2]
    assert [one.id for one in rein.sessions()] == [session.id]


def test_two_messages_of_a_thread_are_two_sessions(rein: AgentRein, world: World) -> None:
    model = scripted_model(says("", ("act", {"n": 1})), says("a"), says("", ("act", {"n": 1})), says("b"))
    agent = create_agent(
        model, rein.tools(world.tool()), middleware=[rein.middleware()], checkpointer=InMemorySaver()
    )
    agent.invoke({"messages": [("user", "first")]}, CONFIG)
    agent.invoke({"messages": [("user", "second")]}, CONFIG)
    assert world.ran == [1, 1]
    assert {session.goal for session in rein.sessions()} == {"first", "second"}
    rein.rollback(thread="t")
    assert world.undone == [1]


# -- warned, bound, asked why --------------------------------------------------------------------


def test_the_first_call_in_a_graph_that_nothing_unwinds_warns_once(rein: AgentRein, world: World) -> None:
    rein.unwinds = False
    graph = graph_of(("tools", ToolNode([world.tool().bound(rein)])))
    with pytest.warns(UserWarning, match="nothing unwinds"):
        graph.invoke(go(("act", {"n": 1})), CONFIG)
    graph.invoke(go(("act", {"n": 2})), {"configurable": {"thread_id": "u"}})  # warnings are errors here
    assert world.ran == [1, 2]


def test_what_the_middleware_or_a_session_unwinds_does_not_warn(rein: AgentRein, world: World) -> None:
    rein.unwinds = False
    agent = create_agent(
        scripted_model(says("", ("act", {"n": 1})), says("done")),
        [world.tool()],
        middleware=[rein.middleware()],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        agent.invoke({"messages": [("user", "do it")]})
        with rein.session():
            graph_of(("tools", ToolNode([world.tool().bound(rein)]))).invoke(go(("act", {"n": 1})), CONFIG)


def test_an_unbound_tool_binds_through_the_middleware_and_not_without(rein: AgentRein, world: World) -> None:
    def agent(*middleware: Any) -> Any:
        return create_agent(
            scripted_model(says("", ("act", {"n": 1})), says("done")),
            [world.tool()],
            middleware=list(middleware),
        )

    with pytest.raises(UnboundTool):
        agent().invoke({"messages": [("user", "do it")]})
    assert world.ran == []
    agent(rein.middleware()).invoke({"messages": [("user", "do it")]})
    assert world.ran == [1]


@pytest.mark.parametrize("how", ["invoke", "stream", "ainvoke", "astream"])
@pytest.mark.parametrize("middleware", [True, False])
async def test_the_reason_is_journaled_streamed_or_not(
    rein: AgentRein, world: World, how: str, middleware: bool
) -> None:
    turn = says("I act", ("act", {"n": 1}), reasoning="they asked for it")
    agent = create_agent(
        scripted_model(turn, says("done")),
        rein.tools(world.tool()),
        middleware=[rein.middleware()] if middleware else [],
        checkpointer=InMemorySaver(),
    )
    given: Any = {"messages": [("user", "do it")]}
    if how == "invoke":
        agent.invoke(given, CONFIG)
    elif how == "stream":
        list(agent.stream(given, CONFIG, stream_mode=["messages", "updates"]))
    elif how == "ainvoke":
        await agent.ainvoke(given, CONFIG)
    else:
        [chunk async for chunk in agent.astream(given, CONFIG, stream_mode="messages")]
    [action] = rein.actions(thread="t")
    assert (action.intent.text, action.intent.source, action.intent.goal) == (
        "they asked for it",
        "reasoning",
        "do it",
    )


def test_capture_can_be_limited_and_off_in_an_agent(rein: AgentRein, world: World) -> None:
    for options, text in (({"intent_limit": 11}, "the ...  it"), ({"capture_intent": False}, "")):
        agent = create_agent(
            scripted_model(says("they asked for it", ("act", {"n": 1})), says("done")),
            [world.tool()],
            middleware=[rein.middleware(**options)],
            checkpointer=InMemorySaver(),
        )
        config: Any = {"configurable": {"thread_id": f"t {text}"}}
        agent.invoke({"messages": [("user", "do it")]}, config)
        [action] = rein.actions(thread=f"t {text}")
        assert (action.intent.text, action.intent.goal) == (text, "do it")


@pytest.mark.parametrize("gated", [False, True])
def test_a_rationale_reaches_the_journal_and_not_the_tool(rein: AgentRein, world: World, gated: bool) -> None:
    declared: dict[str, Any] = {"undo": None} if gated else {}
    agent = create_agent(
        scripted_model(says("", ("act", {"n": 1, "rationale": "the guest is ill"})), says("done")),
        [world.tool(**declared)],
        middleware=[rein.middleware(rationale=True)],
        checkpointer=InMemorySaver(),
    )
    result = agent.invoke({"messages": [("user", "do it")]}, CONFIG)
    if gated:
        [asked] = result["__interrupt__"]
        assert "the guest is ill" in asked.value["action_requests"][0]["description"]
        agent.invoke(Command(resume={"decisions": [{"type": "approve"}]}), CONFIG)
    [action] = rein.actions(thread="t")
    assert world.ran == [1]
    assert (action.args, action.intent.text, action.intent.source) == (
        {"n": 1},
        "the guest is ill",
        "rationale",
    )
