"""The compensation subgraph, step by step: what it asks on its way down the stack, and what it does with the answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command

from langchain_agentrein import AgentRein, Operation, SessionFrozen, Status, engine
from langchain_agentrein.graphs import build_compensation_graph
from langchain_agentrein.graphs.compensation import CompensationState
from tests.support.driving import SESSION, do, opened
from tests.support.world import Blind, Charge, Mail, Put, World

ON: Any = {"configurable": {"thread_id": "walk"}}
YES, NO = ({"decisions": [{"type": answer}]} for answer in ("approve", "reject"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world.db")


@pytest.fixture
def rein(tmp_path: Path, world: World) -> Iterator[AgentRein]:
    from langchain_agentrein import ApprovalRule

    rules = [ApprovalRule("world.mail", "allow")]
    with opened(f"sqlite:///{tmp_path}/journal.db", world, rules=rules, drain_timeout=0.2) as made:
        yield made


class Walked:
    """A rollback of the session as a node of a graph that can pause."""

    def __init__(self, rein: AgentRein) -> None:
        builder = StateGraph(CompensationState)
        walk = build_compensation_graph(rein, approver=lambda config: "ana")
        builder.add_node("walk", walk)
        builder.add_edge(START, "walk")
        self.graph: Any = builder.compile(checkpointer=InMemorySaver())
        self.asked: list[str] = []

    def run(self, *answers: Any) -> Any:
        """Roll back, answering each question; the report."""
        out = self.graph.invoke({"session_id": SESSION, "cause": "second thoughts"}, ON)
        for answer in answers:
            [interrupt] = out["__interrupt__"]
            self.asked += [one["name"] for one in interrupt.value["action_requests"]]
            out = self.graph.invoke(Command(resume=answer), ON)
        assert "__interrupt__" not in out
        return out["report"]


def lost(rein: AgentRein, world: World, op: Operation) -> None:
    """Do it, and lose the reply: nobody can tell whether it happened."""
    world.set("lose reply", 1)
    with pytest.raises(TimeoutError):
        do(rein, op, world)


@pytest.mark.parametrize(("answer", "undone"), [(YES, ["b", "a", "a"]), (NO, ["b", "a"])])
def test_a_person_says_whether_it_happened_and_the_walk_goes_on(
    rein: AgentRein, world: World, answer: Any, undone: list[str]
) -> None:
    do(rein, Blind(thing="a"), world)
    lost(rein, world, Blind(thing="a"))
    do(rein, Blind(thing="b"), world)
    walked = Walked(rein)

    report = walked.run(answer)

    assert walked.asked == ["agentrein_undo"]
    assert [name for _, name in world.events("undo")] == undone
    assert report["complete"]
    [doubtful] = [action for action in rein.actions(session=SESSION) if action.error is not None]
    assert doubtful.status is (Status.COMPENSATED if answer is YES else Status.FAILED)


def test_nobody_is_asked_about_what_nothing_could_undo(rein: AgentRein, world: World) -> None:
    do(rein, Blind(thing="a"), world)
    lost(rein, world, Mail(thing="m"))

    report = Walked(rein).run()

    assert world.events("undo") == [("undo", "a")]
    assert sorted(str(line["outcome"]) for line in report["lines"]) == ["compensated", "in_doubt"]


@pytest.mark.parametrize("answer", [YES, NO])
def test_the_plan_is_asked_about_once_and_the_harmless_is_done_either_way(
    rein: AgentRein, world: World, answer: Any
) -> None:
    do(rein, Blind(thing="a"), world)
    do(rein, Charge(thing="c"), world)
    walked = Walked(rein)

    walked.run(answer)

    assert walked.asked == ["agentrein_rollback"]
    assert [name for _, name in world.events("undo")] == (["c", "a"] if answer is YES else ["a"])
    status = rein.sessions()[0].status
    assert status == ("rolled_back" if answer is YES else "stuck")


def test_nobody_else_walks_while_a_person_thinks_about_the_plan(rein: AgentRein, world: World) -> None:
    do(rein, Blind(thing="a"), world)
    do(rein, Charge(thing="c"), world)
    walked = Walked(rein)
    walked.graph.invoke({"session_id": SESSION, "cause": "second thoughts"}, ON)

    rein.recover()

    assert world.events("undo") == []


def test_the_walk_waits_for_the_one_that_is_stuck(rein: AgentRein, world: World) -> None:
    for thing in ("a", "b"):
        do(rein, Blind(thing=thing), world)
    world.set("fail undo", 3)
    walked = Walked(rein)

    report = walked.run(NO)

    assert walked.asked == ["agentrein_undo"], "what lies below it waits, and is not asked about"
    assert world.events("undo") == []
    assert sorted(str(line["outcome"]) for line in report["lines"]) == ["executed", "stuck"]


def test_nor_is_a_conflict_from_before_asked_about_below_it(rein: AgentRein, world: World) -> None:
    edited = do(rein, Put(thing="a", fields={"n": 1}), world)
    world.put("a", {"n": 2})
    rein.rollback(session=SESSION, only=[edited.id])
    assert rein.action(edited.id).status is Status.CONFLICT
    do(rein, Blind(thing="b"), world)
    world.set("fail undo", 3)
    walked = Walked(rein)

    walked.run(NO)

    assert walked.asked == ["agentrein_undo"]
    assert world.get("a") == {"n": 2}


class Died(BaseException):
    """The process dies here."""


def cut_off_between_two_questions(rein: AgentRein, world: World, monkeypatch: pytest.MonkeyPatch) -> Walked:
    """A walk that a person let go on, and that died on its way to a colleague's edit."""
    do(rein, Put(thing="a", fields={"n": 1}), world)
    do(rein, Charge(thing="c"), world)
    world.put("a", {"n": 2})
    walked = Walked(rein)
    [about] = walked.graph.invoke({"session_id": SESSION, "cause": "second thoughts"}, ON)["__interrupt__"]
    assert about.value["action_requests"][0]["name"] == "agentrein_rollback"
    real = engine.next_back

    def dies(core: Any, session_id: str, below: int | None) -> Any:
        if below is not None:
            raise Died
        return real(core, session_id, below)

    with monkeypatch.context() as patch:
        patch.setattr(engine, "next_back", dies)
        with pytest.raises(Died):
            walked.graph.invoke(Command(resume=YES), ON)
    assert world.events("undo") == [("undo", "c")]
    return walked


@pytest.mark.parametrize("answer", [YES, NO])
def test_after_a_crash_an_answer_does_not_count_for_the_next_question(
    rein: AgentRein, world: World, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    walked = cut_off_between_two_questions(rein, world, monkeypatch)

    [about] = walked.graph.invoke(None, ON)["__interrupt__"]

    assert about.value["action_requests"][0]["name"] == "agentrein_undo"
    assert world.get("a") == {"n": 2}, "the colleague's edit stands until a person says otherwise"
    out = walked.graph.invoke(Command(resume=answer), ON)
    assert "__interrupt__" not in out
    assert world.get("a") == (None if answer is YES else {"n": 2})


def test_the_timeline_tells_who_left_a_colleagues_edit(rein: AgentRein, world: World) -> None:
    do(rein, Put(thing="a", fields={"n": 1}), world)
    world.put("a", {"n": 2})

    Walked(rein).run(NO)

    nodes = rein.timeline(session=SESSION).to_dict()["nodes"]
    [about] = [node for node in nodes if node["kind"] == "interrupt"]
    [answer] = about["answers"]
    assert (answer["decision"], answer["by"], answer["reason"]) == ("reject", "ana", "left as it is")


def test_from_its_first_step_on_nothing_new_is_done(rein: AgentRein, world: World) -> None:
    do(rein, Put(thing="a", fields={"x": 1}), world)
    steps = build_compensation_graph(rein).stream({"session_id": SESSION, "cause": "second thoughts"})
    assert "prepare" in next(steps)
    with pytest.raises(SessionFrozen):
        do(rein, Put(thing="b", fields={"x": 1}), world)
    assert "finish" in list(steps)[-1]
    assert (world.get("a"), world.get("b")) == (None, None)
