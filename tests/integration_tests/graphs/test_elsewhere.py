"""A run that paused in one process goes on in another, which has built the same agent anew."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from langchain_agentrein import AgentRein, ApprovalRule, InDoubt, SessionFailed, Status, reversible
from tests.support.agents import Hotel, calls, script

ON: Any = {"configurable": {"thread_id": "1"}}
GO = {"messages": "book the rooms"}
BOOK_TWO = calls(("book", {"room": "a"}), ("book", {"room": "b"}))
APPROVE, REJECT = {"type": "approve"}, {"type": "reject", "message": "too dear"}


@pytest.fixture
def saver(tmp_path: Path) -> Iterator[SqliteSaver]:
    with SqliteSaver.from_conn_string(f"{tmp_path}/checkpoints.db") as saver:
        yield saver


def anew(path: Path, saver: SqliteSaver, hotel: Hotel, *turns: Any, **options: Any) -> Any:
    """The agent as a fresh process builds it: nothing in it has seen the tools or the conversation."""
    rein = AgentRein(f"sqlite:///{path}/journal.db", backoff=0.01, rules=[ApprovalRule("book", "ask")])

    @tool
    def launch(rocket: str) -> str:
        """Launch a rocket."""
        hotel.log.append(f"launch {rocket}")
        return "gone"

    tools = [hotel.book, hotel.charge, launch]
    return create_agent(script(*turns), tools, middleware=[rein.middleware(**options)], checkpointer=saver)


def test_the_answer_to_the_gate_counts(tmp_path: Path, saver: SqliteSaver, hotel: Hotel) -> None:
    anew(tmp_path, saver, hotel, BOOK_TWO).invoke(GO, ON)

    out = anew(tmp_path, saver, hotel, "done").invoke(Command(resume={"decisions": [APPROVE, REJECT]}), ON)

    assert "__interrupt__" not in out, "nobody is asked again"
    assert hotel.log == ["book a"]
    assert "too dear" in next(message.text for message in out["messages"] if "rejected" in message.text)


def test_an_edit_in_another_process_runs_with_the_persons_arguments(
    tmp_path: Path, saver: SqliteSaver, hotel: Hotel
) -> None:
    anew(tmp_path, saver, hotel, calls(("book", {"room": "a"}))).invoke(GO, ON)
    edit = {"type": "edit", "edited_action": {"name": "book", "args": {"room": "z"}}}

    anew(tmp_path, saver, hotel, "done").invoke(Command(resume={"decisions": [edit]}), ON)

    assert hotel.log == ["book z"]


def test_a_tool_that_declares_nothing_is_asked_about_once(
    tmp_path: Path, saver: SqliteSaver, hotel: Hotel
) -> None:
    anew(tmp_path, saver, hotel, calls(("launch", {"rocket": "v2"}))).invoke(GO, ON)

    anew(tmp_path, saver, hotel, "done").invoke(Command(resume={"decisions": [APPROVE]}), ON)

    assert hotel.log == ["launch v2"]


def test_what_fails_in_another_process_is_walked_back_with_what_the_first_one_did(
    tmp_path: Path, saver: SqliteSaver, hotel: Hotel
) -> None:
    one = calls(("book", {"room": "a"}))
    first = anew(tmp_path, saver, hotel, one, AIMessage("", tool_calls=BOOK_TWO.tool_calls[1:]))
    first.invoke(GO, ON)
    first.invoke(Command(resume={"decisions": [APPROVE]}), ON)
    assert hotel.log == ["book a"]

    second = anew(tmp_path, saver, hotel, calls(("charge", {"amount": 1})))
    with pytest.raises(SessionFailed):
        second.invoke(Command(resume={"decisions": [APPROVE]}), ON)

    assert [line for line in hotel.log if "charge" not in line] == [
        "book a",
        "book b",
        "cancel b",
        "cancel a",
    ]


def test_nobody_is_asked_about_a_call_that_is_still_under_way(tmp_path: Path) -> None:
    begun, end, log = threading.Event(), threading.Event(), []

    @reversible(undo=lambda action: None)
    def sign(name: str) -> str:
        """Sign a contract."""
        log.append(name)
        begun.set()
        end.wait(20)
        return name

    with AgentRein(f"sqlite:///{tmp_path}/journal.db", lease=0.3) as rein:
        agent: Any = create_agent(
            script(calls(("sign", {"name": "a"})), AIMessage("signed")),
            [sign],
            middleware=[rein.middleware()],
            checkpointer=InMemorySaver(),
        )
        signing = threading.Thread(target=agent.invoke, args=({"messages": "sign"}, ON))
        signing.start()
        assert begun.wait(20)
        try:
            with pytest.raises(InDoubt, match="still under way elsewhere"):
                agent.invoke(None, ON)
        finally:
            end.set()
            signing.join(20)
        assert [action.status for action in rein.actions(thread="1")] == [Status.EXECUTED]
    assert log == ["a"]
