"""A wrapped tool shows what the plain one shows and returns what it returns; only the journal knows the difference."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, StructuredTool, ToolException, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.types import Command

from langchain_agentrein import (
    AgentRein,
    ApprovalRequired,
    ApprovalRule,
    ConfigError,
    Happened,
    InDoubt,
    NotDone,
    NotHappened,
    Operation,
    Reversal,
    ReversibleTool,
    Risk,
    Status,
    UnboundTool,
    reversible,
)
from langchain_agentrein.tool_schema import RUNTIME
from tests.unit_tests.zoo import ZOO, Specimen

OUTSIDE = [pytest.param(specimen, id=name) for name, specimen in ZOO.items() if not specimen.in_graph]
ALL = [pytest.param(specimen, id=name) for name, specimen in ZOO.items()]


@pytest.fixture
def rein(tmp_path: Path) -> Iterator[AgentRein]:
    with AgentRein(f"sqlite:///{tmp_path}/journal.db") as rein:
        yield rein


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentRein]:
    """One journal for all comparisons, which do not look at it."""
    with AgentRein(f"sqlite:///{tmp_path_factory.mktemp('shared')}/journal.db") as rein:
        yield rein


def nothing(action: Any) -> None:
    """An undo that has nothing to do."""


def wrapped(rein: AgentRein, plain: BaseTool, **declared: Any) -> ReversibleTool:
    """`plain`, reversible and bound."""
    bound = reversible(plain, **{"undo": nothing, **declared}).bound(rein)
    assert isinstance(bound, ReversibleTool)
    return bound


def given(specimen: Specimen, tool: BaseTool, *, called: bool) -> Any:
    """The input of a call: bare arguments, or a model's tool call."""
    args = dict(specimen.args)
    return {"type": "tool_call", "id": "call_1", "name": tool.name, "args": args} if called else args


def outcome(call: Any) -> Any:
    """What a call returned or raised, to be compared."""
    try:
        return call()
    except Exception as error:
        return type(error), str(error)


async def aoutcome(coroutine: Any) -> Any:
    """The same, awaited."""
    try:
        return await coroutine
    except Exception as error:
        return type(error), str(error)


class Counter(BaseCallbackHandler):
    """Counts the events of tools."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def on_tool_start(self, serialized: Any, input_str: str, **kwargs: Any) -> None:
        self.events.append(("start", serialized, input_str, kwargs["inputs"], kwargs.get("tool_call_id")))

    def on_tool_end(self, output: Any, **kwargs: Any) -> None:
        self.events.append(("end", output, kwargs.get("name")))

    def on_tool_error(self, error: BaseException, **kwargs: Any) -> None:
        self.events.append(("error", type(error), str(error)))


@pytest.mark.parametrize("called", [False, True], ids=["args", "tool call"])
@pytest.mark.parametrize("specimen", OUTSIDE)
def test_returns_what_the_plain_tool_returns(shared: AgentRein, specimen: Specimen, called: bool) -> None:
    plain, ours = specimen.make(), wrapped(shared, specimen.make())
    expected = outcome(lambda: plain.invoke(given(specimen, plain, called=called)))
    assert outcome(lambda: ours.invoke(given(specimen, ours, called=called))) == expected


@pytest.mark.parametrize("called", [False, True], ids=["args", "tool call"])
@pytest.mark.parametrize("specimen", OUTSIDE)
async def test_returns_what_the_plain_tool_returns_when_awaited(
    shared: AgentRein, specimen: Specimen, called: bool
) -> None:
    plain, ours = specimen.make(), wrapped(shared, specimen.make())
    expected = await aoutcome(plain.ainvoke(given(specimen, plain, called=called)))
    assert await aoutcome(ours.ainvoke(given(specimen, ours, called=called))) == expected


@pytest.mark.parametrize("specimen", OUTSIDE)
def test_callbacks_hear_the_same(shared: AgentRein, specimen: Specimen) -> None:
    plain, ours, before, after = specimen.make(), wrapped(shared, specimen.make()), Counter(), Counter()
    outcome(lambda: plain.invoke(given(specimen, plain, called=True), {"callbacks": [before]}))
    outcome(lambda: ours.invoke(given(specimen, ours, called=True), {"callbacks": [after]}))
    assert before.events
    assert after.events == before.events


@pytest.mark.parametrize("specimen", OUTSIDE)
async def test_callbacks_hear_the_same_when_awaited(shared: AgentRein, specimen: Specimen) -> None:
    plain, ours, before, after = specimen.make(), wrapped(shared, specimen.make()), Counter(), Counter()
    await aoutcome(plain.ainvoke(given(specimen, plain, called=True), {"callbacks": [before]}))
    await aoutcome(ours.ainvoke(given(specimen, ours, called=True), {"callbacks": [after]}))
    assert before.events
    assert after.events == before.events


@pytest.mark.parametrize("specimen", ALL)
def test_the_model_sees_the_same_schema(shared: AgentRein, specimen: Specimen) -> None:
    plain, ours = specimen.make(), wrapped(shared, specimen.make())
    shown = convert_to_openai_tool(ours)
    if plain.name == "search":  # LangChain leaves a title in the schema of this one class
        shown["function"]["parameters"]["properties"]["__arg1"]["title"] = "__arg1"
    assert shown == convert_to_openai_tool(plain)
    assert ours.args == plain.args
    assert ours.is_single_input == plain.is_single_input
    assert (ours.name, ours.description, ours.tags, ours.metadata, ours.extras, ours.return_direct) == (
        plain.name,
        plain.description,
        plain.tags,
        plain.metadata,
        plain.extras,
        plain.return_direct,
    )
    assert ours.response_format == plain.response_format


@pytest.mark.parametrize("specimen", ALL)
def test_rationale_is_added_to_the_schema_and_to_nothing_else(shared: AgentRein, specimen: Specimen) -> None:
    plain = specimen.make()
    asking = reversible(specimen.make(), undo=nothing).bound(shared, rationale=True)
    before, after = (convert_to_openai_tool(one)["function"]["parameters"] for one in (plain, asking))
    assert "description" in after["properties"].pop("rationale")
    before["properties"].get("__arg1", {}).pop("title", None)
    assert after["properties"] == before["properties"]
    assert after.get("required") == before.get("required")


@pytest.mark.parametrize("specimen", ALL)
def test_our_argument_is_injected_and_hidden(shared: AgentRein, specimen: Specimen) -> None:
    ours = wrapped(shared, specimen.make())
    assert RUNTIME not in ours.args
    assert RUNTIME in ours._injected_args_keys


def test_a_changed_name_or_description_is_shown(rein: AgentRein) -> None:
    ours = wrapped(rein, ZOO["typed"].make())
    convert_to_openai_tool(ours)
    ours.description = "Another description."
    assert convert_to_openai_tool(ours)["function"]["description"] == "Another description."


def test_rationale_is_journaled_as_intent_and_not_passed_on(rein: AgentRein) -> None:
    seen: list[Any] = []

    def note(**given: Any) -> str:
        seen.append(given)
        return "noted"

    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    plain = StructuredTool(name="note", description="Note.", args_schema=schema, func=note)
    ours = reversible(plain, undo=nothing).bound(rein, rationale=True)
    with rein.session(intent="tidy up") as session:
        ours.invoke({"x": 1, "rationale": "because"})
    [action] = session.actions()
    assert seen == [{"x": 1}]
    assert action.args == {"x": 1}
    assert (action.intent.text, action.intent.source, action.intent.goal) == (
        "because",
        "rationale",
        "tidy up",
    )


def test_a_rationale_of_its_own_stays_the_tools(rein: AgentRein) -> None:
    @tool
    def decide(rationale: str) -> str:
        """Decide."""
        return rationale

    ours = reversible(decide, undo=nothing).bound(rein, rationale=True)
    assert convert_to_openai_tool(ours) == convert_to_openai_tool(decide)
    assert ours.invoke({"rationale": "mine"}) == "mine"


def test_a_call_is_journaled_and_its_own_session_completed(rein: AgentRein) -> None:
    ours = wrapped(rein, ZOO["dict"].make())
    ours.invoke({"x": "y"})
    [session] = rein.sessions()
    [action] = rein.actions(session=session.id)
    assert session.status == "completed"
    assert (action.status, action.args, action.operation) == (Status.EXECUTED, {"x": "y"}, "give")
    assert action.receipt == {"a": [1, {"b": None}], "ü": "ß"}


def test_equal_calls_outside_a_graph_both_run(rein: AgentRein) -> None:
    ran: list[int] = []

    @reversible(undo=nothing)
    def add(n: int) -> str:
        """Add."""
        ran.append(n)
        return "ok"

    ours = add.bound(rein)
    with rein.session() as session:
        ours.invoke({"n": 1})
        ours.invoke({"n": 1})
    assert ran == [1, 1]
    assert len(session.actions()) == 2


def test_invalid_arguments_are_not_journaled(rein: AgentRein) -> None:
    ours = wrapped(rein, ZOO["invalid, handled"].make())
    message = ours.invoke({"type": "tool_call", "id": "1", "name": "fail", "args": {"x": "one"}})
    assert message.status == "error"
    assert rein.sessions() == []


def test_arguments_that_are_read_differently_each_time_do_not_run(rein: AgentRein) -> None:
    from pydantic import BaseModel, model_validator

    readings: list[Any] = []

    class Fickle(BaseModel):
        n: int

        @model_validator(mode="before")
        @classmethod
        def look(cls, data: Any) -> Any:
            readings.append(data)
            if len(readings) == 1:
                raise ValueError("not now")
            return data

    ran: list[int] = []

    def run(n: int) -> None:
        ran.append(n)

    plain = StructuredTool(name="fickle", description="Fickle.", args_schema=Fickle, func=run)
    with pytest.raises(ConfigError, match="same way twice"):
        wrapped(rein, plain).invoke({"n": 1})
    assert ran == []


def test_an_empty_schema_that_forbids_more_is_journaled_like_any_other(rein: AgentRein) -> None:
    from pydantic import BaseModel, ConfigDict

    class Nothing(BaseModel):
        model_config = ConfigDict(extra="forbid")

    plain = StructuredTool(name="ping", description="Ping.", args_schema=Nothing, func=lambda: "pong")
    assert wrapped(rein, plain).invoke({"made": "up"}) == plain.invoke({"made": "up"}) == "pong"
    assert len(rein.sessions()) == 1


def test_an_unbound_mutating_tool_raises_and_an_unbound_reading_one_runs() -> None:
    with pytest.raises(UnboundTool, match=r"rein\.tools"):
        reversible(ZOO["str"].make(), undo=nothing).invoke({})
    assert reversible(ZOO["str"].make(), read_only=True).invoke({}) == "ok"


async def test_an_unbound_mutating_tool_raises_when_awaited() -> None:
    with pytest.raises(UnboundTool):
        await reversible(ZOO["str"].make(), undo=nothing).ainvoke({})


async def test_a_reading_tool_is_not_journaled(rein: AgentRein) -> None:
    ours = reversible(ZOO["str"].make(), read_only=True).bound(rein)
    assert (ours.invoke({}), await ours.ainvoke({})) == ("ok", "ok")
    assert rein.sessions() == []


def test_a_refusal_is_told_to_a_model_and_raised_to_code(tmp_path: Path) -> None:
    with AgentRein(f"sqlite:///{tmp_path}/j.db", rules=[ApprovalRule("give", "ask")]) as rein:
        ours = wrapped(rein, ZOO["str"].make())
        with pytest.raises(ApprovalRequired):
            ours.invoke({})
        message = ours.invoke({"type": "tool_call", "id": "1", "name": "give", "args": {}})
        assert isinstance(message, ToolMessage)
        assert (message.status, message.tool_call_id, message.name) == ("error", "1", "give")


# -- failures ------------------------------------------------------------------------------------


def failing(error: Exception, ran: list[int], **declared: Any) -> Any:
    """A tool that acts, and then fails."""

    @reversible(**{"undo": nothing, **declared})
    def act(n: int = 1) -> str:
        """Act."""
        ran.append(n)
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "declared", "status"),
    [
        (TimeoutError("lost"), {}, Status.IN_DOUBT),
        (NotDone("no"), {}, Status.FAILED),
        (ValueError("no"), {"not_done": (ValueError,)}, Status.FAILED),
        (TimeoutError("lost"), {"probe": lambda action: NotHappened()}, Status.FAILED),
        (NotImplementedError("deep inside"), {}, Status.IN_DOUBT),
    ],
)
@pytest.mark.parametrize("awaited", [False, True])
async def test_a_failure_is_recorded_for_what_it_is(
    rein: AgentRein, error: Exception, declared: dict[str, Any], status: Status, awaited: bool
) -> None:
    ours = failing(error, [], **declared).bound(rein)
    with pytest.raises(type(error), match=str(error)):
        await ours.ainvoke({}) if awaited else ours.invoke({})
    [session] = rein.sessions()
    [action] = rein.actions(session=session.id)
    assert action.status is status
    assert session.status == ("open" if status is Status.IN_DOUBT else "completed")


@pytest.mark.parametrize("awaited", [False, True])
async def test_a_lost_reply_is_found_again_by_the_probe(rein: AgentRein, awaited: bool) -> None:
    ours = failing(TimeoutError("lost"), [], probe=lambda action: Happened({"id": 7})).bound(rein)
    call = {"type": "tool_call", "id": "1", "name": "act", "args": {}}
    message = await ours.ainvoke(call) if awaited else ours.invoke(call)
    assert (message.content, message.status) == ('{"id": 7}', "success")


def test_an_error_that_the_tool_tells_is_believed_only_where_it_is_true(rein: AgentRein) -> None:
    ran: list[int] = []

    def act() -> str:
        """Act."""
        ran.append(1)
        raise ToolException("timeout")

    told = StructuredTool.from_function(act, handle_tool_error=True)
    assert wrapped(rein, told).invoke({}) == "timeout"
    [session] = rein.sessions()
    assert [action.status for action in rein.actions(session=session.id)] == [Status.IN_DOUBT]
    probed = wrapped(rein, told, probe=lambda action: Happened("it is there"))
    assert probed.invoke({}) == "it is there"


def test_a_class_without_a_sync_twin_certainly_did_nothing(rein: AgentRein) -> None:
    with pytest.raises(NotImplementedError):
        wrapped(rein, ZOO["class without sync"].make()).invoke({"x": 1})
    [session] = rein.sessions()
    assert [action.status for action in rein.actions(session=session.id)] == [Status.FAILED]


# -- the same call again -------------------------------------------------------------------------


def test_a_result_that_nobody_recorded_is_said_so(rein: AgentRein) -> None:
    from langchain_agentrein.action import Action
    from langchain_agentrein.engine import Performed

    ours = wrapped(rein, ZOO["str"].make())
    settled = Action(
        id="act", session_id="ses", operation="give", operation_version=1, status=Status.EXECUTED, args={}
    )
    message = ours._given(Performed(settled, replayed=True), {"tool_call_id": "1"})
    assert isinstance(message, ToolMessage)
    assert "not recorded" in str(message.content)


# -- async ---------------------------------------------------------------------------------------


async def test_a_cancelled_effect_keeps_its_receipt(rein: AgentRein) -> None:
    begun, ran = asyncio.Event(), []

    @reversible(undo=nothing)
    async def slow(n: int) -> dict[str, int]:
        """Take a while."""
        begun.set()
        await asyncio.sleep(0.2)
        ran.append(n)
        return {"n": n}

    task = asyncio.ensure_future(slow.bound(rein).ainvoke({"n": 1}))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    [session] = rein.sessions()
    [action] = rein.actions(session=session.id)
    assert (ran, action.status, action.receipt) == ([1], Status.EXECUTED, {"n": 1})


async def test_a_cancelled_thread_keeps_its_receipt(rein: AgentRein) -> None:
    begun, go = threading.Event(), threading.Event()

    @reversible(undo=nothing)
    def slow(n: int) -> int:
        """Take a while."""
        begun.set()
        go.wait(5)
        return n

    task = asyncio.ensure_future(slow.bound(rein).ainvoke({"n": 1}))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    [session] = rein.sessions()
    [action] = rein.actions(session=session.id)
    assert (action.status, action.receipt) == (Status.EXECUTED, 1)


async def test_two_async_tools_run_side_by_side(rein: AgentRein) -> None:
    meeting = asyncio.Barrier(2)

    @reversible(undo=nothing)
    async def meet(n: int) -> int:
        """Meet the other."""
        await asyncio.wait_for(meeting.wait(), 5)
        return n

    ours = meet.bound(rein)
    async with rein.session() as session:
        assert await asyncio.gather(ours.ainvoke({"n": 1}), ours.ainvoke({"n": 2})) == [1, 2]
    assert sorted(action.seq or 0 for action in session.actions()) == [1, 2]


# -- operations of a connector -------------------------------------------------------------------


class Shelf:
    """What the operations below act on."""

    def __init__(self) -> None:
        self.items: dict[str, int] = {}


class Put(Operation):
    """Put something on the shelf."""

    name, risk, reversal = "zooshelf.put", Risk.LOW, Reversal.EXACT
    item: str
    count: int = 1

    def do(self, api: Shelf, action: Any) -> dict[str, Any]:
        api.items[self.item] = self.count
        return {"item": self.item}

    def undo(self, api: Shelf, action: Any) -> None:
        del api.items[self.item]


class APut(Operation):
    """Put something on the shelf, awaited."""

    name, risk, reversal = "zooshelf.aput", Risk.LOW, Reversal.EXACT
    item: str

    async def do(self, api: Shelf, action: Any) -> dict[str, Any]:  # type: ignore[override]
        api.items[self.item] = 1
        return {"item": self.item}

    def undo(self, api: Shelf, action: Any) -> None:
        del api.items[self.item]


class Look(Operation):
    """Look at the shelf."""

    name, read_only = "zooshelf.look", True

    def do(self, api: Shelf, action: Any) -> list[str]:
        return sorted(api.items)


@pytest.mark.parametrize("awaited", [False, True])
async def test_an_operation_runs_as_a_tool(rein: AgentRein, awaited: bool) -> None:
    shelf = Shelf()
    put, look = (ReversibleTool.of_operation(op, shelf).bound(rein) for op in (Put, Look))
    assert (put.name, put.description) == ("zooshelf_put", "Put something on the shelf.")
    assert set(put.args) == {"item", "count"}
    call = {"type": "tool_call", "id": "1", "name": put.name, "args": {"item": "cup"}}
    message = await put.ainvoke(call) if awaited else put.invoke(call)
    assert message.content == '{"item": "cup"}'
    assert (await look.ainvoke({}) if awaited else look.invoke({})) == ["cup"]
    [session] = rein.sessions()
    assert rein.rollback(session=session.id).complete
    assert shelf.items == {}


async def test_an_async_operation_needs_the_async_call(rein: AgentRein) -> None:
    shelf = Shelf()
    put = ReversibleTool.of_operation(APut, shelf).bound(rein)
    assert await put.ainvoke({"item": "cup"}) == {"item": "cup"}
    with pytest.raises(ConfigError, match="async"):
        put.invoke({"item": "pot"})
    assert list(shelf.items) == ["cup"]


def test_an_operation_asked_for_its_rationale(rein: AgentRein) -> None:
    put = ReversibleTool.of_operation(Put, Shelf()).bound(rein, rationale=True)
    assert set(put.args) == {"item", "count", "rationale"}
    with rein.session() as session:
        put.invoke({"item": "cup", "rationale": "tea"})
    [action] = session.actions()
    assert (action.args, action.intent.text) == ({"item": "cup"}, "tea")


def test_an_operation_whose_receipt_is_unknown_says_so() -> None:
    from langchain_agentrein.action import Action
    from langchain_agentrein.engine import Performed
    from langchain_agentrein.tool import UNRECORDED, _result

    settled = Action(
        id="act",
        session_id="s",
        operation="zooshelf.put",
        operation_version=1,
        status=Status.EXECUTED,
        args={},
    )
    assert _result(Put(item="cup"), Performed(settled, replayed=True)) == UNRECORDED


def test_an_in_doubt_call_is_not_tried_again(rein: AgentRein) -> None:
    ran: list[int] = []
    ours = failing(TimeoutError("lost"), ran).bound(rein)
    assert not isinstance(InDoubt, Command)
    with pytest.raises(TimeoutError):
        ours.invoke({})
    assert ran == [1]


@pytest.mark.parametrize(("error", "tries"), [(TimeoutError("no answer"), 1), (NotDone("busy"), 3)])
def test_an_undo_that_may_have_happened_is_not_tried_again(
    rein: AgentRein, error: Exception, tries: int
) -> None:
    undone: list[Any] = []

    def refund(action: Any) -> None:
        undone.append(action.args)
        raise error

    @reversible(undo=refund)
    def pay(amount: int) -> int:
        """Pay."""
        return amount

    with rein.session() as session:
        pay.bound(rein).invoke({"amount": 1})  # type: ignore[attr-defined]
    [line] = session.rollback()
    assert line.outcome == "stuck"
    assert len(undone) == tries
