"""A process that ends between two words of the gate: no verdict flips, and no answer counts for another question."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from langchain_agentrein import Action, AgentRein, ApprovalRule, Status
from langchain_agentrein.journal import Journal
from tests.support.agents import Hotel, calls, script

ON: Any = {"configurable": {"thread_id": "1"}}
APPROVE, REJECT = {"type": "approve"}, {"type": "reject"}


class Processes:
    """One conversation, gone on with by one process after the other."""

    def __init__(self, path: Path, hotel: Hotel, rooms: str = "ab", **options: Any) -> None:
        self.path, self.hotel, self.options = path, hotel, options
        self.saver = InMemorySaver()
        self.model = script(
            calls(*(("book", {"room": room}) for room in rooms)), AIMessage("done"), AIMessage("done")
        )

    def next(self) -> tuple[AgentRein, Any]:
        rules = [ApprovalRule("book", "ask")]
        rein = AgentRein(f"sqlite:///{self.path}/journal.db", rules=rules, **self.options)
        middleware = rein.middleware(approver=lambda config: "ana")
        agent = create_agent(self.model, [self.hotel.book], middleware=[middleware], checkpointer=self.saver)
        return rein, agent


def ends_after(monkeypatch: pytest.MonkeyPatch, to: Status) -> None:
    """The process ends once a row has come to a status, and before it does anything more."""
    move = Journal.move

    def moved(self: Journal, action: Action, status: Status, **changes: Any) -> Action:
        done = move(self, action, status, **changes)
        if status is to:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(Journal, "move", moved)


@pytest.mark.parametrize("first", [APPROVE, REJECT])
@pytest.mark.parametrize("again", ["resumed", "answered again"])
def test_between_two_decisions_of_one_answer(
    tmp_path: Path, hotel: Hotel, monkeypatch: pytest.MonkeyPatch, first: Any, again: str
) -> None:
    processes = Processes(tmp_path, hotel)
    rein, agent = processes.next()
    agent.invoke({"messages": "book"}, ON)
    second = REJECT if first is APPROVE else APPROVE
    answer = Command(resume={"decisions": [first, second]})
    with monkeypatch.context() as patched:
        ends_after(patched, Status.APPROVED if first is APPROVE else Status.REJECTED)
        with pytest.raises(KeyboardInterrupt):
            agent.invoke(answer, ON)
    rein.close()

    rein, agent = processes.next()
    with pytest.raises(ValueError, match=r"1 request\(s\) wait for a decision, 2 came"):
        agent.invoke(answer if again == "answered again" else None, ON)
    assert hotel.rooms == [], "half an answer starts nothing, and none counts for another call"
    agent.invoke(Command(resume={"decisions": [second]}), ON)

    assert hotel.rooms == (["a"] if first is APPROVE else ["b"])
    rein.close()


@pytest.mark.parametrize("again", ["resumed", "answered again"])
@pytest.mark.parametrize("process", ["the same", "another"])
def test_between_a_question_that_lapsed_and_its_telling(
    tmp_path: Path, hotel: Hotel, monkeypatch: pytest.MonkeyPatch, process: str, again: str
) -> None:
    processes = Processes(tmp_path, hotel, "a", approval_ttl=1.0)
    rein, agent = processes.next()
    agent.invoke({"messages": "book"}, ON)
    time.sleep(1.1)
    answer = Command(resume={"decisions": [APPROVE]})
    with monkeypatch.context() as patched:
        ends_after(patched, Status.EXPIRED)
        with pytest.raises(KeyboardInterrupt):
            agent.invoke(answer, ON)
    if process == "another":
        rein.close()
        rein, agent = processes.next()

    out = agent.invoke(answer if again == "answered again" else None, ON)

    assert hotel.rooms == [], "an answer that came too late counts for nothing"
    if process == "another":  # it has not seen the tools yet, and so asks as the call starts
        assert "__interrupt__" in out
    else:
        assert out["messages"][2].content.startswith("book was expired")
    rein.close()
