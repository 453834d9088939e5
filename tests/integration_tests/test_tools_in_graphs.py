"""Wrapped tools in real graphs, beside plain ones: the same states, the same streams."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain.agents import AgentState, create_agent
from langchain_core.messages import AnyMessage, BaseMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.prebuilt import ToolNode
from langgraph.store.memory import InMemoryStore
from pydantic import Field
from typing_extensions import TypedDict

from langchain_agentrein import AgentRein, reversible
from tests.support.models import ScriptedModel, says
from tests.unit_tests.test_tool import Counter, nothing
from tests.unit_tests.zoo import ZOO, Specimen

SPECIMENS = [pytest.param(specimen, id=name) for name, specimen in ZOO.items()]


class State(TypedDict, total=False):
    """A state with what the tools ask for."""

    messages: Annotated[list[AnyMessage], add_messages]
    n: int
    steps: Any


class AgentStateWithN(AgentState[Any]):
    """An agent's state, with what the tools ask for."""

    n: int
    steps: Any


class Seeing(ScriptedModel):
    """A model that reads the schemas it is given, as every real one does."""

    schemas: list[Any] = Field(default_factory=list)

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        schemas = [convert_to_openai_tool(tool) for tool in tools]
        for schema in schemas:  # LangChain leaves a title in the schema of its class `Tool`
            schema["function"]["parameters"]["properties"].get("__arg1", {}).pop("title", None)
        self.schemas.append(schemas)
        return super().bind_tools(tools, **options)


@pytest.fixture
def rein(tmp_path: Path) -> Iterator[AgentRein]:
    with AgentRein(f"sqlite:///{tmp_path}/journal.db") as rein:
        rein.unwinds = True  # these graphs are not meant to be unwound
        yield rein


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentRein]:
    """One journal for all comparisons, which do not look at it."""
    with AgentRein(f"sqlite:///{tmp_path_factory.mktemp('shared')}/journal.db") as rein:
        rein.unwinds = True
        yield rein


def node_graph(tool: BaseTool) -> Any:
    """A ToolNode, where a command may go anywhere."""
    builder = StateGraph(State)
    builder.add_node("tools", ToolNode([tool], handle_tool_errors=False))
    for name in ("there", "other"):
        builder.add_node(name, lambda state: {})
    builder.add_edge(START, "tools")
    builder.add_edge("tools", END)
    return builder.compile(store=stored(), checkpointer=InMemorySaver())


def stored() -> InMemoryStore:
    """A store with one thing in it."""
    store = InMemoryStore()
    store.put(("a",), "b", {"c": 1})
    return store


def seen(value: Any) -> Any:
    """A value without the ids that differ from run to run."""
    if isinstance(value, BaseMessage):
        return type(value), seen(value.model_dump(exclude={"id"}))
    if isinstance(value, dict):
        return {name: seen(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [seen(item) for item in value]
    return (
        re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "…", repr(value)) if not isinstance(value, str | int) else value
    )


def turn(tool: BaseTool, specimen: Specimen) -> Any:
    """The message that calls it."""
    message = says("", (tool.name, specimen.args))
    message.tool_calls[0]["id"] = "call_1"
    return message


CONFIG: Any = {"configurable": {"thread_id": "t", "user": "ana"}}


def thread() -> Any:
    """A thread of its own."""
    return {"configurable": {"thread_id": uuid.uuid4().hex, "user": "ana"}}


@pytest.mark.parametrize("specimen", SPECIMENS)
def test_a_tool_node_gives_the_same_state_stream_and_events(shared: AgentRein, specimen: Specimen) -> None:
    def run(tool: BaseTool) -> Any:
        heard = Counter()
        chunks: Any = []
        state = {"messages": [("user", "go"), turn(tool, specimen)], "n": 5}
        graph = node_graph(tool)
        config = {**thread(), "callbacks": [heard]}
        try:
            for chunk in graph.stream(state, config, stream_mode=["updates", "custom", "tools"]):
                chunks.append(chunk)
        except Exception as error:
            chunks.append((type(error), str(error)))
        return seen(chunks), seen(graph.get_state(config).values), seen(heard.events)

    plain = specimen.make()
    assert run(reversible(specimen.make(), undo=nothing).bound(shared)) == run(plain)


@pytest.mark.parametrize("specimen", SPECIMENS)
@pytest.mark.parametrize("bound", ["by rein.tools", "by the middleware"])
async def test_an_agent_gives_the_same_messages(shared: AgentRein, specimen: Specimen, bound: str) -> None:
    async def run(tool: BaseTool, middleware: Any) -> Any:
        model = Seeing(turns=[turn(tool, specimen), says("done")])
        agent = create_agent(
            model,
            [tool],
            middleware=middleware,
            state_schema=AgentStateWithN,
            store=stored(),
            checkpointer=InMemorySaver(),
        )
        try:
            result = await agent.ainvoke({"messages": [("user", "go")], "n": 5}, thread())
        except Exception as error:
            return type(error), str(error), seen(model.schemas)
        return seen(result["messages"]), seen(model.schemas)

    made = reversible(specimen.make(), undo=nothing)
    if bound == "by rein.tools":
        [ours] = shared.tools(made)
        assert await run(ours, []) == await run(specimen.make(), [])
    elif not specimen.raises:
        assert await run(made, [shared.middleware()]) == await run(specimen.make(), [])


def test_several_calls_in_one_node_each_run_once(rein: AgentRein) -> None:
    ran: list[int] = []

    @reversible(undo=nothing)
    def add(n: int) -> str:
        """Add."""
        ran.append(n)
        return str(n)

    message = says("", ("add", {"n": 1}), ("add", {"n": 1}), ("add", {"n": 2}))
    for number, call in enumerate(message.tool_calls):
        call["id"] = f"call_{number}"
    result = node_graph(add.bound(rein)).invoke({"messages": [("user", "go"), message]}, CONFIG)
    assert sorted(ran) == [1, 1, 2]
    assert [one.content for one in result["messages"][2:]] == ["1", "1", "2"]
    [session] = rein.sessions()
    assert session.goal == "go"


def test_injected_arguments_are_not_journaled(rein: AgentRein) -> None:
    for name in ("state and store", "runtime", "named runtime"):
        specimen = ZOO[name]
        tool = reversible(specimen.make(), undo=nothing).bound(rein)
        config = {"configurable": {"thread_id": name}}
        node_graph(tool).invoke({"messages": [("user", "go"), turn(tool, specimen)], "n": 5}, config)
        [action] = rein.actions(thread=name)
        assert action.args == {"x": 1}
        assert action.message_id is not None


def test_a_forged_injected_argument_is_dropped(rein: AgentRein) -> None:
    tool = reversible(ZOO["state and store"].make(), undo=nothing).bound(rein)
    forged = says("", (tool.name, {"x": 1, "n": 666, "agentrein_runtime": {"state": {}}}))
    forged.tool_calls[0]["id"] = "call_1"
    result = node_graph(tool).invoke({"messages": [("user", "go"), forged], "n": 5}, CONFIG)
    assert result["messages"][-1].content.startswith("1 2 5 ")
    [action] = rein.actions(thread="t")
    assert action.args == {"x": 1}
