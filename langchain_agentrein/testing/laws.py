"""The laws of every operation, and of those that change nothing."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_agentrein.operation import Operation
from langchain_agentrein.policy import ApprovalRule
from langchain_agentrein.registry import REGISTRY
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.tool import ReversibleTool

LEASE = 0.3
"""Seconds after which a worker that died in a test counts as dead."""
NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
"""What model vendors take as the name of a tool."""


class Laws:
    """What is true of every operation. Besides `operation`, give a fixture `api`, the connector's client."""

    @pytest.fixture
    def operation(self) -> Operation:
        """The operation under test, with arguments that change something."""
        raise NotImplementedError("say which operation is tested: a fixture `operation`")

    @pytest.fixture
    def journal(self, tmp_path_factory: pytest.TempPathFactory) -> str:
        """The journal's URL."""
        return f"sqlite:///{tmp_path_factory.mktemp('journal') / 'agentrein.db'}"

    @pytest.fixture
    def rein(self, journal: str, operation: Operation, api: Any) -> Iterator[AgentRein]:
        """A front door that lets the operation pass."""
        with self.worker(journal, operation, api) as rein:
            yield rein

    def worker(self, journal: str, operation: Operation, api: Any) -> AgentRein:
        """A process's own front door over the same journal."""
        return AgentRein(
            journal,
            rules=[ApprovalRule(operation.name, "allow")],
            clients={operation.connector: api},
            lease=LEASE,
            backoff=0.0,
        )

    def world(self, api: Any) -> Any:
        """The state of the outside world, in a form that compares."""
        raise NotImplementedError("say what the operation acts on: a method `world`")

    # -- the laws ----------------------------------------------------------------------------------

    def test_a_model_can_call_it(self, operation: Operation, api: Any) -> None:
        """It has a name that vendors take, a docstring, and a description of every argument."""
        tool = ReversibleTool.of_operation(type(operation), api)
        function = convert_to_openai_tool(tool)["function"]
        properties = function["parameters"]["properties"]
        assert NAME.match(function["name"]), f"{function['name']!r} is no name for a tool"
        assert function["description"], "the model reads the docstring: write one"
        assert type(operation).__doc__ != Operation.__doc__, "the model reads the docstring: write one"
        assert set(operation.args) <= set(properties), "the model cannot give every argument"
        bare = [name for name, schema in properties.items() if not schema.get("description")]
        assert not bare, f"the model is not told what these arguments mean: {', '.join(bare)}"

    def test_it_is_rebuilt_from_its_record(self, operation: Operation) -> None:
        """Name, version and JSON arguments are all that another process needs."""
        args = json.loads(json.dumps(operation.args))
        cls = REGISTRY.get(operation.name, operation.version, operation.source())
        assert cls.from_args(args) == operation


class ReadingLaws(Laws):
    """The laws of an operation that changes nothing."""

    def test_it_changes_nothing_and_is_not_journaled(
        self, rein: AgentRein, operation: Operation, api: Any
    ) -> None:
        """The world stays as it is, and the journal empty."""
        assert operation.read_only
        before = self.world(api)
        with rein.session(intent="the laws") as session:
            tool = ReversibleTool.of_operation(type(operation), api).bound(rein)
            if operation.is_async:
                asyncio.run(tool.ainvoke(operation.args))
            else:
                tool.invoke(operation.args)
        assert self.world(api) == before
        assert session.actions() == []
