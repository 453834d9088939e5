"""LangChain's own standard tests, for wrapped tools and for operations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import BaseTool
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

from langchain_agentrein import AgentRein, Operation, Reversal, ReversibleTool, reversible
from tests.unit_tests.test_tool import nothing
from tests.unit_tests.zoo import ZOO


class Stack(Operation):
    """Stack something."""

    name, reversal = "zoostandard.stack", Reversal.COMPENSATING
    thing: str

    def do(self, api: list[str], action: Any) -> dict[str, str]:
        api.append(self.thing)
        return {"thing": self.thing}

    def undo(self, api: list[str], action: Any) -> None:
        api.remove(self.thing)


class Bound:
    """Binds the tool of the class that it is mixed into."""

    made: ReversibleTool
    args: dict[str, Any]

    @pytest.fixture
    def tool(self, tmp_path: Path) -> Iterator[BaseTool]:
        with AgentRein(f"sqlite:///{tmp_path}/journal.db") as rein:
            yield self.made.bound(rein)

    @property
    def tool_constructor(self) -> BaseTool:
        return self.made

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return self.args


def standard(made: ReversibleTool, args: dict[str, Any] | None = None) -> tuple[type[Any], type[Any]]:
    """LangChain's two suites for a tool; neither may be mixed with the other."""
    facts = {"made": made, "args": args or {}, "__module__": __name__}
    return type("Unit", (Bound, ToolsUnitTests), facts), type(
        "Integration", (Bound, ToolsIntegrationTests), facts
    )


def wrapped(name: str) -> tuple[type[Any], type[Any]]:
    """The suites for a wrapped tool of the zoo."""
    return standard(reversible(ZOO[name].make(), undo=nothing), ZOO[name].args)


TestFunction, TestFunctionCalled = wrapped("docstring")
TestTyped, TestTypedCalled = wrapped("typed")
TestArtifact, TestArtifactCalled = wrapped("artifact")
TestClass, TestClassCalled = wrapped("class with async")
TestJsonSchema, _ = wrapped("json schema")  # a tool of an MCP server has no sync call to test
TestOperation, TestOperationCalled = standard(ReversibleTool.of_operation(Stack, []), {"thing": "cup"})
