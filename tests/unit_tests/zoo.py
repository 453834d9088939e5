"""Every kind of tool that people write, each made anew, so that a plain and a wrapped one can be compared."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from langchain_core.callbacks import AsyncCallbackManagerForToolRun, CallbackManagerForToolRun
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolCallId, StructuredTool, Tool, ToolException, tool
from langgraph.graph import END
from langgraph.prebuilt import InjectedState, InjectedStore, ToolRuntime
from langgraph.types import Command, Send
from pydantic import BaseModel, Field
from pydantic import v1 as pydantic_v1


@dataclass
class Specimen:
    """One kind of tool.

    Attributes:
        make: Makes it anew.
        args: A call's arguments.
        invalid: Whether its schema refuses them.
        in_graph: Whether LangGraph must inject something.
    """

    make: Callable[[], BaseTool]
    args: dict[str, Any] = field(default_factory=dict)
    invalid: bool = False
    in_graph: bool = False
    raises: bool = False


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Line(BaseModel):
    """A line of an order."""

    sku: str = Field(description="What is bought")
    count: int = 1


class Order(BaseModel):
    """An order."""

    lines: list[Line]
    due: datetime.date
    colour: Colour = Colour.RED


def returning(value: Callable[[], Any], **options: Any) -> Callable[[], BaseTool]:
    """Makes a tool that returns `value()`."""

    def make() -> BaseTool:
        @tool(**options)
        def give(x: str = "x") -> Any:
            """Give it."""
            return value()

        return give

    return make


def raising(error: Exception, **options: Any) -> Callable[[], BaseTool]:
    """Makes a tool that raises."""

    def make() -> BaseTool:
        @tool
        def fail(x: int = 1) -> str:
            """Fail."""
            raise error

        return fail.model_copy(update=options)

    return make


def _command() -> BaseTool:
    @tool
    def steer(to: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
        """Steer the graph."""
        return Command(
            update={"messages": [ToolMessage("steered", tool_call_id=tool_call_id)], "steps": ("a", 1)},
            goto=[Send("there", {"to": to}), END],
        )

    return steer


def _parent() -> BaseTool:
    @tool
    def hand_off(tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
        """Hand off."""
        return Command(
            graph=Command.PARENT,
            goto="other",
            update={"messages": [HumanMessage("hi"), ToolMessage("done", tool_call_id=tool_call_id)]},
        )

    return hand_off


def _commands() -> BaseTool:
    @tool
    def several(tool_call_id: Annotated[str, InjectedToolCallId]) -> list[Any]:
        """Say several things."""
        return [Command(update={"n": 1}), ToolMessage("done", tool_call_id=tool_call_id)]

    return several


def _message() -> BaseTool:
    @tool
    def say(tool_call_id: Annotated[str, InjectedToolCallId]) -> ToolMessage:
        """Say it."""
        return ToolMessage("said", artifact={"n": 1}, tool_call_id=tool_call_id, status="error")

    return say


def _typed() -> BaseTool:
    @tool
    def order(
        order: Order, when: datetime.datetime, colour: Colour = Colour.BLUE, note: str | None = None
    ) -> str:
        """Order things."""
        return f"{order!r} {when!r} {colour!r} {note!r}"

    return order


def _parsed_docstring() -> BaseTool:
    @tool(parse_docstring=True)
    def greet(name: str, times: int = 2) -> str:
        """Greet someone.

        Args:
            name: Who is greeted.
            times: How often.
        """
        return name * times

    return greet


def _schema_dict() -> BaseTool:
    async def call(**arguments: Any) -> tuple[str, Any]:
        return f"called with {sorted(arguments.items())}", {"structured": True}

    return StructuredTool(
        name="mcp_write",
        description="A tool of an MCP server.",
        args_schema={
            "type": "object",
            "properties": {"path": {"type": "string", "title": "Path"}, "mode": {"enum": ["a", "w"]}},
            "required": ["path"],
        },
        coroutine=call,
        response_format="content_and_artifact",
        metadata={"_meta": {"server": "files"}},
    )


def _schema_v1() -> BaseTool:
    class Old(pydantic_v1.BaseModel):
        """Old arguments."""

        a: int
        b: str = "b"

    def old(a: int, b: str) -> str:
        return f"{a}{b}"

    return StructuredTool(name="old", description="An old tool.", args_schema=Old, func=old)


def _no_args() -> BaseTool:
    @tool
    def ping() -> str:
        """Ping."""
        return "pong"

    return ping


def _single() -> BaseTool:
    return Tool(name="search", func=lambda query: f"found {query}", description="Search.")


def _both() -> BaseTool:
    def plus(a: int, b: int = 2) -> int:
        """Add."""
        return a + b

    async def aplus(a: int, b: int = 2) -> str:
        """Add."""
        return f"async {a + b}"

    return StructuredTool.from_function(plus, coroutine=aplus)


def _async_only() -> BaseTool:
    @tool
    async def wait(seconds: float) -> str:
        """Wait."""
        return f"waited {seconds}"

    return wait


def _configured() -> BaseTool:
    @tool
    def tagged(x: int, config: RunnableConfig) -> str:
        """Read the config."""
        return f"{x} {config['configurable'].get('user')}"

    return tagged


class Custom(BaseTool):
    """A tool written as a class, with a run manager."""

    name: str = "custom"
    description: str = "A tool written as a class."

    def _run(self, x: int, run_manager: CallbackManagerForToolRun | None = None) -> str:
        return f"{x} {run_manager is not None}"


class CustomAsync(Custom):
    """The same, with an async twin of its own."""

    async def _arun(self, x: int, run_manager: AsyncCallbackManagerForToolRun | None = None) -> str:
        return f"async {x} {run_manager is not None}"


class NoSync(Custom):
    """A class that only has the async twin."""

    def _run(self, x: int, run_manager: Any = None) -> str:
        raise NotImplementedError("use ainvoke")

    async def _arun(self, x: int, run_manager: Any = None) -> str:
        return f"async {x}"


def _with_state() -> BaseTool:
    @tool
    def stateful(
        x: int,
        state: Annotated[dict[str, Any], InjectedState],
        n: Annotated[int, InjectedState("n")],
        store: Annotated[Any, InjectedStore()],
        tool_call_id: Annotated[str, InjectedToolCallId],
    ) -> str:
        """Use what is injected."""
        return f"{x} {len(state['messages'])} {n} {store.get(('a',), 'b').value} {tool_call_id}"

    return stateful


def _with_runtime() -> BaseTool:
    @tool
    def lively(x: int, runtime: ToolRuntime) -> str:
        """Use the runtime."""
        runtime.stream_writer({"progress": x})
        runtime.emit_output_delta("almost")
        return f"{x} {runtime.state['n']} {runtime.tool_call_id}"

    return lively


def _with_named_runtime() -> BaseTool:
    @tool
    def zealous(x: int, zz: ToolRuntime[Any, Any]) -> str:
        """Use the runtime, under another name."""
        return f"{x} {zz.state['n']} {zz.tool_call_id}"

    return zealous


def _strict() -> BaseTool:
    class Strict(BaseModel):
        """Strict arguments."""

        model_config = {"extra": "forbid", "frozen": True}
        a: int = Field(alias="aAa")

    def strict(**given: Any) -> str:
        return str(sorted(given.items()))

    return StructuredTool(name="strict", description="Strict.", args_schema=Strict, func=strict)


BLOCKS = [{"type": "text", "text": "a"}, {"type": "image", "url": "https://example.com/a.png"}]

ZOO: dict[str, Specimen] = {
    "str": Specimen(returning(lambda: "ok")),
    "none": Specimen(returning(lambda: None)),
    "int": Specimen(returning(lambda: 7)),
    "dict": Specimen(returning(lambda: {"a": [1, {"b": None}], "ü": "ß"})),
    "list": Specimen(returning(lambda: [1, "b", {"c": 2.5}])),
    "empty list": Specimen(returning(list)),
    "tuple": Specimen(returning(lambda: (1, 2))),
    "model": Specimen(returning(lambda: Line(sku="a"))),
    "object": Specimen(returning(lambda: datetime.timedelta(1))),
    "content blocks": Specimen(returning(lambda: list(BLOCKS))),
    "artifact": Specimen(
        returning(lambda: ("text", {"rows": [1, 2]}), response_format="content_and_artifact")
    ),
    "odd artifact": Specimen(
        returning(lambda: (list(BLOCKS), datetime.date(2026, 1, 2)), response_format="content_and_artifact")
    ),
    "no artifact": Specimen(returning(lambda: "alone", response_format="content_and_artifact"), raises=True),
    "return direct": Specimen(returning(lambda: "at once", return_direct=True)),
    "extras": Specimen(returning(lambda: "ok", extras={"cache_control": {"type": "ephemeral"}})),
    "message": Specimen(_message),
    "command": Specimen(_command, {"to": "x"}),
    "command to parent": Specimen(_parent),
    "list of commands": Specimen(_commands),
    "raises": Specimen(raising(ValueError("no")), raises=True),
    "tool exception": Specimen(raising(ToolException("no")), raises=True),
    "handled": Specimen(raising(ToolException("no"), handle_tool_error=True)),
    "handled by text": Specimen(raising(ToolException("no"), handle_tool_error="sorry")),
    "handled by function": Specimen(raising(ToolException("no"), handle_tool_error=lambda e: f"sorry: {e}")),
    "handled with blocks": Specimen(raising(ToolException("no"), handle_tool_error=lambda e: list(BLOCKS))),
    "invalid": Specimen(raising(ValueError("never")), {"x": "one"}, invalid=True, raises=True),
    "invalid, handled": Specimen(
        raising(ValueError("never"), handle_validation_error=True), {"x": "one"}, invalid=True
    ),
    "invalid, handled by function": Specimen(
        raising(ValueError("never"), handle_validation_error=lambda e: f"{len(e.errors())} errors"),
        {"x": "one"},
        invalid=True,
    ),
    "typed": Specimen(
        _typed,
        {
            "order": {"lines": [{"sku": "a"}], "due": "2026-01-02", "colour": "blue"},
            "when": "2026-01-02T03:04:05Z",
        },
    ),
    "docstring": Specimen(_parsed_docstring, {"name": "ana"}),
    "json schema": Specimen(_schema_dict, {"path": "/a", "mode": "w"}),
    "pydantic 1": Specimen(_schema_v1, {"a": 1}),
    "strict": Specimen(_strict, {"aAa": 1}),
    "no arguments": Specimen(_no_args),
    "no arguments, some given": Specimen(_no_args, {"made": "up"}),
    "single": Specimen(_single, {"__arg1": "cats"}),
    "sync and async": Specimen(_both, {"a": 1}),
    "async only": Specimen(_async_only, {"seconds": 0.5}),
    "config": Specimen(_configured, {"x": 1}),
    "class": Specimen(Custom, {"x": 1}),
    "class with async": Specimen(CustomAsync, {"x": 1}),
    "class without sync": Specimen(NoSync, {"x": 1}),
    "state and store": Specimen(_with_state, {"x": 1}, in_graph=True),
    "runtime": Specimen(_with_runtime, {"x": 1}, in_graph=True),
    "named runtime": Specimen(_with_named_runtime, {"x": 1}, in_graph=True),
}
