"""What a tool returned comes back from the journal as it was, type by type."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, ToolMessage
from langgraph.graph import END
from langgraph.types import Command, Overwrite, Send
from pydantic import BaseModel

from langchain_agentrein import AgentRein
from langchain_agentrein.engine import Call, Performed
from langchain_agentrein.flow import run
from langchain_agentrein.record import decode, encode
from tests.unit_tests.test_tool import wrapped
from tests.unit_tests.zoo import BLOCKS, returning

EXACT = {
    "str": "ok",
    "empty": "",
    "none": None,
    "number": 1.5,
    "bool": True,
    "bytes": b"\x00\xff",
    "dict": {"a": [1, {"b": None}], "$ref": "x", "$pairs": [], "ü": "ß"},
    "our mark": {"$record": {"kind": "plain"}, "$bytes": "x"},
    "other keys": {1: "a", (2, 3): ["b"]},
    "tuple": (1, ("a", [2])),
    "message": ToolMessage("ok", tool_call_id="1", name="t", artifact={"rows": [1]}, status="error", id="m"),
    "content blocks": ToolMessage(BLOCKS, tool_call_id="1"),
    "call": AIMessage("", tool_calls=[{"name": "a", "args": {"b": 1}, "id": "2", "type": "tool_call"}]),
    "command": Command(update={"messages": [HumanMessage("hi")], "n": 1}, goto="there", resume={"i": [1]}),
    "command with pairs": Command(
        update=[("messages", [HumanMessage("hi")]), ("n", 2)], graph=Command.PARENT
    ),
    "command to several": Command(goto=[Send("a", {"m": AIMessage("x")}), END]),
    "empty command": Command(),
    "overwrite": Command(update={"n": Overwrite([1])}),
    "removal": Command(update={"messages": [RemoveMessage(id="m")]}),
    "list of both": [Command(update={"n": 1}), ToolMessage("ok", tool_call_id="1")],
}


@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in EXACT.items()])
def test_it_comes_back_as_it_was(value: Any) -> None:
    assert decode(encode(value)) == value


class Row(BaseModel):
    """Something with a JSON form."""

    n: int


@pytest.mark.parametrize(
    ("value", "back"),
    [
        (Row(n=1), {"n": 1}),
        ({"when": datetime.date(2026, 1, 2)}, {"when": "2026-01-02"}),
        (datetime.timedelta(1), "datetime.timedelta(days=1)"),
        (
            ToolMessage("x", tool_call_id="1", artifact=Row(n=2)),
            ToolMessage("x", tool_call_id="1", artifact={"n": 2}),
        ),
    ],
)
def test_what_has_no_json_comes_back_as_near_as_it_can_be_said(value: Any, back: Any) -> None:
    assert decode(encode(value)) == back


def test_a_bottomless_value_costs_no_receipt() -> None:
    bottomless: dict[str, Any] = {}
    bottomless["again"] = bottomless
    assert decode(encode(bottomless))["again"]["again"]


@pytest.fixture(scope="module")
def rein(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentRein]:
    with AgentRein(f"sqlite:///{tmp_path_factory.mktemp('record')}/journal.db") as rein:
        yield rein


@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in EXACT.items()])
def test_a_repeated_call_is_given_it_through_the_journal(rein: AgentRein, value: Any, request: Any) -> None:
    ran: list[int] = []

    def act() -> Any:
        ran.append(1)
        return value

    ours = wrapped(rein, returning(act)())
    options = {"tool_call_id": "1" if isinstance(value, ToolMessage) else None}
    given = []
    for _ in range(2):
        visible: dict[str, Any] = {}
        op = ours._parsed(visible, options)
        assert op is not None
        ours._arm(op, visible, (), dict(options), asynchronous=False)
        with rein.session() as session:
            call = Call(session=session.record, key=f"key {request.node.name}")
            performed: Performed = run(rein.perform(op, None, call))
        given.append(ours._given(performed, options))
    assert ran == [1]
    assert given[0] == given[1] == value
