"""Keys and sessions, from what LangGraph says of a call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from langchain_agentrein import AgentRein, identity
from langchain_agentrein.action import Action, SessionRecord, Status
from langchain_agentrein.identity import (
    SCOPE,
    SESSION_CHANNEL,
    Caller,
    Scope,
    call_key,
    caller,
    session_id,
    session_of,
)

CALL = {"name": "act", "args": {}, "id": "call_1", "type": "tool_call"}
MESSAGE = AIMessage("", tool_calls=[CALL], id="m1")
IN_NODE = Caller("t", task_ns="node:1", in_graph=True, scratchpad=object())


@pytest.fixture
def rein(tmp_path: Any) -> Iterator[AgentRein]:
    with AgentRein(f"sqlite:///{tmp_path}/journal.db") as rein:
        yield rein


def test_a_message_names_the_call_whatever_task_runs_it() -> None:
    one = Caller("t", "sub", "sub:1|tools:2", "call_1", [MESSAGE], in_graph=True)
    key = call_key(one, "act")
    assert call_key(replace(one, task_ns="sub:9|tools:8"), "act") == key
    others = [
        replace(one, thread_id="u"),
        replace(one, namespace=""),
        replace(one, messages=[MESSAGE.model_copy(update={"id": "m2"})]),
        replace(
            one,
            tool_call_id="call_2",
            messages=[AIMessage("", id="m1", tool_calls=[{**CALL, "id": "call_2"}])],
        ),
    ]
    assert len({key, *(call_key(other, "act") for other in others)}) == 5


def test_without_a_message_the_task_and_the_call_id_name_it() -> None:
    one = replace(IN_NODE, tool_call_id="call_1")
    assert call_key(one, "act") == call_key(replace(one, scratchpad=object()), "act")
    assert call_key(one, "act") != call_key(replace(one, task_ns="node:2"), "act")
    assert call_key(one, "act") != call_key(replace(one, tool_call_id="call_2"), "act")


def test_without_any_id_calls_are_counted_for_each_run_of_the_task() -> None:
    first, again = (replace(IN_NODE, scratchpad=object()) for _ in range(2))
    assert [call_key(first, "act") for _ in range(3)] == [call_key(again, "act") for _ in range(3)]
    assert len({call_key(replace(IN_NODE, scratchpad=first.scratchpad), "act") for _ in range(3)}) == 3


def test_calls_inside_a_call_are_counted_apart() -> None:
    def run(*, replayed: bool) -> list[str]:
        where = replace(IN_NODE, scratchpad=object())
        outer = call_key(where, "outer")
        keys = [outer]
        if not replayed:
            token = SCOPE.set(Scope(outer, where.task_ns))
            keys += [call_key(where, "inner"), call_key(where, "inner")]
            SCOPE.reset(token)
        return [*keys, call_key(where, "next")]

    first, again = run(replayed=False), run(replayed=True)
    assert len(set(first)) == 4
    assert again == [first[0], first[3]]


def test_a_nested_task_is_counted_by_itself() -> None:
    token = SCOPE.set(Scope("outer", "node:1"))
    try:
        nested = replace(IN_NODE, task_ns="node:1|inner:2")
        assert call_key(nested, "act") == call_key(replace(nested, scratchpad=object()), "act")
    finally:
        SCOPE.reset(token)


def test_outside_a_graph_every_call_is_new() -> None:
    assert call_key(Caller(tool_call_id="call_1"), "act") == ""


def test_tasks_that_are_long_over_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_TASKS", 3)
    for _ in range(10):
        call_key(replace(IN_NODE, scratchpad=object()), "act")
    assert len(identity._ordinals) <= 3


@dataclass
class Runtime:
    """What of LangGraph's `ToolRuntime` is looked at."""

    state: Any
    config: Any = None


@dataclass
class DataState:
    """A state that is a dataclass."""

    messages: list[Any]


@pytest.mark.parametrize(
    "state",
    [
        {"messages": [MESSAGE]},
        [MESSAGE],
        DataState([MESSAGE]),
        {"chat": [MESSAGE], "messages": []},
        {"chat": [HumanMessage("x"), MESSAGE], "messages": [HumanMessage("y")], "n": 1},
    ],
)
def test_the_message_is_found_in_any_state(state: Any) -> None:
    assert caller("call_1", {"configurable": {}}, Runtime(state)).message == MESSAGE


def test_a_call_without_an_id_has_no_message() -> None:
    nameless = AIMessage("", id="m", tool_calls=[{**CALL, "id": None}])
    assert caller(None, {"configurable": {}}, Runtime({"messages": [nameless]})).message is None


def test_a_session_is_the_last_human_message_of_its_thread(rein: AgentRein) -> None:
    first, second = HumanMessage("book", id="h1"), HumanMessage("cancel", id="h2")
    here = Caller("t", messages=[first, MESSAGE], in_graph=True)
    one = session_of(here, rein.journal)
    assert (one.goal, one.thread_id) == ("book", "t")
    assert session_of(here, rein.journal).id == one.id == session_id("t", [first])
    assert session_of(replace(here, messages=[first, MESSAGE, second]), rein.journal).id != one.id
    assert session_of(replace(here, thread_id="u"), rein.journal).id != one.id
    assert session_of(replace(here, state={SESSION_CHANNEL: "ses_x"}), rein.journal).id == "ses_x"


def test_equal_human_messages_without_ids_begin_sessions_of_their_own() -> None:
    said = HumanMessage("again")
    assert session_id("t", [said]) != session_id("t", [said, MESSAGE, said])


def test_without_a_human_message_two_first_calls_of_a_step_agree(rein: AgentRein) -> None:
    here = Caller("t", task_ns="a:1", in_graph=True, anchor="checkpoint")
    assert session_of(here, rein.journal).id == session_of(replace(here, task_ns="b:2"), rein.journal).id


def test_without_a_human_message_the_open_session_of_the_thread_goes_on(rein: AgentRein) -> None:
    begun = Action(
        id="", session_id="ses_1", operation="x", operation_version=1, status=Status.EXECUTING, args={}
    )
    rein.journal.begin(begun, SessionRecord(id="ses_1", thread_id="t"))
    later = Caller("t", in_graph=True, anchor="later checkpoint")
    assert session_of(later, rein.journal).id == "ses_1"
    assert session_of(replace(later, functional=True), rein.journal).id != "ses_1"


def test_the_session_that_is_open_around_it_comes_first(rein: AgentRein) -> None:
    with rein.session(intent="outer") as outer:
        where = Caller("t", messages=[HumanMessage("book")], state={SESSION_CHANNEL: "ses_x"})
        assert session_of(where, rein.journal).id == outer.id
