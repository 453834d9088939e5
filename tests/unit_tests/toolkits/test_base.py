"""Toolkits: which tools they give, and how they bind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from langchain_core.tools import BaseTool, BaseToolkit, StructuredTool, tool

from langchain_agentrein import (
    AgentRein,
    ApprovalRequired,
    ConfigError,
    Operation,
    Reversal,
    ReversibleTool,
    ReversibleToolkit,
    Risk,
    UnboundTool,
    reversible,
)
from langchain_agentrein.toolkits.base import Toolkit, reversible_form
from tests.unit_tests.test_tool import nothing
from tests.unit_tests.zoo import ZOO


@pytest.fixture
def rein(tmp_path: Path) -> Iterator[AgentRein]:
    with AgentRein(f"sqlite:///{tmp_path}/journal.db") as rein:
        yield rein


class Lift(Operation):
    """Lift something."""

    name, risk, reversal = "zoobase.things.lift", Risk.LOW, Reversal.EXACT
    thing: str

    def do(self, api: list[str], action: Any) -> dict[str, str]:
        api.append(self.thing)
        return {"thing": self.thing}

    def undo(self, api: list[str], action: Any) -> None:
        api.remove(self.thing)


class See(Operation):
    """See what was lifted."""

    name, read_only = "zoobase.things.see", True

    def do(self, api: list[str], action: Any) -> list[str]:
        return list(api)


class Things(Toolkit):
    """The things."""

    connector: ClassVar[str] = "zoobase"
    operations: ClassVar[tuple[type[Operation], ...]] = (Lift, See)


class Elsewhere(BaseToolkit):
    """Somebody else's toolkit."""

    def get_tools(self) -> list[BaseTool]:
        return [ZOO["class"].make()]


def names(tools: list[BaseTool]) -> list[str]:
    return [one.name for one in tools]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["zoobase_things_lift", "zoobase_things_see"]),
        ({"include": ["zoobase.things.see"]}, ["zoobase_things_see"]),
        ({"include": ["zoobase_things_lift"]}, ["zoobase_things_lift"]),
        ({"exclude": ["zoobase.things.see"]}, ["zoobase_things_lift"]),
        ({"read_only": True}, ["zoobase_things_see"]),
        ({"include": []}, []),
    ],
)
def test_a_toolkit_gives_what_it_is_asked_for(options: dict[str, Any], expected: list[str]) -> None:
    assert names(Things(client=[], **options).get_tools()) == expected


@pytest.mark.parametrize("options", [{"include": ["zoobase.things.lit"]}, {"exclude": ["lift"]}])
def test_a_name_that_is_not_there_is_told(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="has no operation"):
        Things(client=[], **options).get_tools()


def test_without_an_environment_it_says_so() -> None:
    with pytest.raises(ConfigError, match="build it with a client"):
        Things.from_env()


def test_a_client_is_never_shown() -> None:
    kit = Things(client=["secret"])
    [lift, _] = kit.get_tools()
    assert "secret" not in repr(kit) + repr(lift) + str(kit.model_dump())


def test_unbound_tools_read_but_do_not_act() -> None:
    lift, see = Things(client=["a"]).get_tools()
    assert see.invoke({}) == ["a"]
    with pytest.raises(UnboundTool):
        lift.invoke({"thing": "b"})


def test_bound_tools_act_and_are_undone(rein: AgentRein) -> None:
    client: list[str] = []
    lift, see = rein.tools(Things(client=client))
    with rein.session() as session:
        lift.invoke({"thing": "b"})
        assert see.invoke({}) == ["b"]
    assert rein.rollback(session=session.id).complete
    assert client == []


def test_anything_that_is_a_tool_goes_in(rein: AgentRein) -> None:
    def plain(x: int) -> int:
        """Plain."""
        return x

    async def awaited(x: int) -> int:
        """Awaited."""
        return x

    made = reversible(ZOO["str"].make(), undo=nothing)
    kit = ReversibleToolkit(Things(client=[]), Elsewhere(), [plain, (awaited,)], made, rein=rein)
    tools = kit.get_tools()
    assert names(tools) == ["zoobase_things_lift", "zoobase_things_see", "custom", "plain", "awaited", "give"]
    assert all(isinstance(one, ReversibleTool) and one.rein is rein for one in tools)
    with pytest.raises(ConfigError, match="neither"):
        ReversibleToolkit(7).get_tools()
    with pytest.raises(ConfigError, match="'plain'"):
        rein.tools(plain, plain)


def test_what_is_bound_already_keeps_its_rationale(rein: AgentRein) -> None:
    asking = reversible(ZOO["str"].make(), undo=nothing).bound(rein, rationale=True)
    assert [one.rationale for one in rein.tools(asking)] == [True]  # type: ignore[attr-defined]
    assert [one.rationale for one in ReversibleToolkit(asking).get_tools()] == [True]  # type: ignore[attr-defined]
    assert [one.rationale for one in ReversibleToolkit(asking, rationale=True).get_tools()] == [True]  # type: ignore[attr-defined]


def test_a_plain_tool_is_asked_about_and_a_reading_one_passes(rein: AgentRein) -> None:
    [unknown] = rein.tools(ZOO["str"].make())
    with pytest.raises(ApprovalRequired, match="says nothing"):
        unknown.invoke({})
    reading = ZOO["str"].make().model_copy(update={"metadata": {"readOnlyHint": True}})
    [read] = rein.tools(reading)
    assert read.invoke({}) == "ok"


@pytest.mark.parametrize("name", ["task", "write_todos", "transfer_to_sales", "transfer_back_to_supervisor"])
def test_what_only_steers_other_agents_passes(name: str) -> None:
    steering = StructuredTool.from_function(lambda: "ok", name=name, description="Steer.")
    assert reversible_form(steering).read_only


def test_a_reversible_tool_is_its_own_form() -> None:
    made = reversible(ZOO["str"].make(), undo=nothing)
    assert reversible_form(made) is made


def test_a_tool_whose_server_says_that_it_destroys_is_not_taken_for_reading() -> None:
    @tool
    def wipe() -> str:
        """Wipe."""
        return "gone"

    wipe.metadata = {"readOnlyHint": False, "destructiveHint": True}
    assert not reversible_form(wipe).read_only


def test_a_plain_tool_does_not_cost_its_reversible_twin_the_undo(rein: AgentRein) -> None:
    undone: list[Any] = []

    @tool
    def reserve(room: str) -> str:
        """Reserve a room."""
        return room

    ours = reversible(reserve, undo=lambda action: undone.append(action.receipt)).bound(rein)
    with rein.session() as session:
        ours.invoke({"room": "a"})
    rein.tools(reserve)
    assert rein.rollback(session=session.id).complete
    assert undone == ["a"]
