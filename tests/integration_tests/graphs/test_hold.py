"""Held calls of agents: the model is told, the run goes on, and they are done when its session completes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, HumanInTheLoopMiddleware, ToolRetryMiddleware
from langchain_core.messages import RemoveMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command

from langchain_agentrein import AgentRein, ApprovalRule, SessionFailed, Status, reversible
from langchain_agentrein.action import SessionStatus
from langchain_agentrein.graphs import add_compensation, create_reversible_agent
from tests.support.agents import Hotel, calls, script
from tests.support.driving import opened

ON: Any = {"configurable": {"thread_id": "1", "approver": "ana"}}
GO: Any = {"messages": "book the rooms"}
DOWN = RuntimeError("no model")


def holding(tmp_path: Path, *first: ApprovalRule, after: float = 0, **options: Any) -> AgentRein:
    rules = [*first, ApprovalRule("book", "hold", release_after=after)]
    return opened(f"sqlite:///{tmp_path}/holding.db", rules=rules, **options)


def agent_of(rein: AgentRein, hotel: Hotel, *turns: Any, extra: Any = (), **options: Any) -> Any:
    return create_agent(
        script(*turns),
        [hotel.book, hotel.charge],
        middleware=[rein.middleware(**options), *extra],
        checkpointer=InMemorySaver(),
    )


def book(*rooms: str) -> Any:
    return calls(*(("book", {"room": room}) for room in rooms))


def answers(out: Any) -> list[ToolMessage]:
    return [message for message in out["messages"] if isinstance(message, ToolMessage)]


def statuses(rein: AgentRein) -> list[Status]:
    return [action.status for action in rein.actions(thread="1")]


@pytest.mark.parametrize("drive", ["invoke", "ainvoke"])
async def test_held_calls_are_done_when_the_run_ends(tmp_path: Path, hotel: Hotel, drive: str) -> None:
    with holding(tmp_path) as rein:
        seen: list[list[str]] = []

        def look(messages: Any) -> Any:
            seen.append(list(hotel.rooms))
            return "both are held"

        agent = agent_of(rein, hotel, book("a", "b"), look)
        out = agent.invoke(GO, ON) if drive == "invoke" else await agent.ainvoke(GO, ON)
        assert seen == [[]], "nothing was booked while the model was at work"
        assert [message.status for message in answers(out)] == ["success"] * 2
        assert all("Held, not done" in str(message.content) for message in answers(out))
        assert sorted(hotel.rooms) == ["a", "b"]
        assert rein.sessions()[0].status is SessionStatus.COMPLETED
        assert statuses(rein) == [Status.EXECUTED] * 2
        assert rein.rollback(thread="1").complete
        assert hotel.rooms == []


@pytest.mark.parametrize("on_failure", ["rollback", "keep", "ask"])
def test_a_failed_run_drops_them_and_says_so(tmp_path: Path, hotel: Hotel, on_failure: Any) -> None:
    with holding(tmp_path, on_failure=on_failure) as rein:
        agent = agent_of(rein, hotel, book("a"), calls(("charge", {"amount": 1})), "never")
        with pytest.raises(SessionFailed) as failed:
            agent.invoke(GO, ON)
        assert hotel.log == ["charge 1"]
        assert Status.DROPPED in statuses(rein)
        if on_failure != "keep":
            assert "Held, and never done: 1 dropped." in str(failed.value)
            assert [line.outcome for line in failed.value.report] == ["dropped"]
        told = str(rein.timeline(thread="1"))
        assert "dropped because" in " ".join(told.split())
        rein.recover()
        assert hotel.rooms == []


def test_a_replay_finds_the_held_call_and_later_its_result(tmp_path: Path, hotel: Hotel) -> None:
    with holding(tmp_path, after=3600) as rein:
        agent = agent_of(rein, hotel, book("a"), "done", "done again", "and again")
        agent.invoke(GO, ON)
        [before_tools] = [one for one in agent.get_state_history(ON) if one.next == ("tools",)]
        out = agent.invoke(None, before_tools.config)
        assert "Held, not done" in str(answers(out)[0].content)
        [held] = rein.held()
        assert hotel.rooms == []
        rein.release(held.id, by="ana")
        out = agent.invoke(None, before_tools.config)
        assert '"room": "a"' in str(answers(out)[0].content)
        assert hotel.rooms == ["a"]
        assert statuses(rein) == [Status.EXECUTED]


def test_a_run_that_is_resumed_holds_nothing_twice(tmp_path: Path, hotel: Hotel) -> None:
    with holding(tmp_path) as rein:
        agent = agent_of(rein, hotel, book("a"), DOWN, "done", extra=[ToolRetryMiddleware()])
        with pytest.raises(RuntimeError):
            agent.invoke(GO, ON)
        assert statuses(rein) == [Status.HELD]
        assert agent.invoke(None, ON)["messages"][-1].text == "done"
        assert hotel.rooms == ["a"]


@pytest.mark.parametrize("mode", ["batched", "per_call"])
def test_beside_a_call_that_is_asked_about(tmp_path: Path, hotel: Hotel, mode: Any) -> None:
    vip = ApprovalRule("book", "ask", when=lambda action: action.args["room"] == "vip")
    with holding(tmp_path, vip) as rein:
        agent = agent_of(rein, hotel, book("a", "vip"), "done", interrupt_mode=mode)
        out = agent.invoke(GO, ON)
        assert hotel.rooms == []
        edited = {"type": "edit", "edited_action": {"name": "book", "args": {"room": "b"}}}
        answer = {"decisions": [edited]} if mode == "batched" else edited
        out = agent.invoke(Command(resume=answer), ON)
        assert "__interrupt__" not in out
        assert hotel.log == ["book b", "book a"], (
            "what a person approved runs at once, what is held at the end"
        )


def test_a_new_message_leaves_it_to_a_person(tmp_path: Path, hotel: Hotel) -> None:
    with holding(tmp_path) as rein:
        agent = agent_of(rein, hotel, book("a"), DOWN, "hello")
        with pytest.raises(RuntimeError):
            agent.invoke(GO, ON)
        agent.invoke({"messages": "never mind"}, ON)
        assert [one.status for one in rein.sessions(thread="1")] == [SessionStatus.SUPERSEDED]
        rein.recover()
        [held] = rein.held()
        assert hotel.rooms == []
        rein.release(held.id, by="ana")
        assert hotel.rooms == ["a"]


class Forgetful(AgentMiddleware[Any, Any, Any]):
    """Begins each turn with an empty conversation."""

    def before_agent(self, state: Any, runtime: Any) -> dict[str, Any]:
        return {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES), *state["messages"][-1:]]}


def test_what_is_held_is_no_orphan_when_its_message_is_trimmed(tmp_path: Path, hotel: Hotel) -> None:
    with holding(tmp_path) as rein:
        agent = agent_of(rein, hotel, book("a"), DOWN, book("b"), "done", extra=[Forgetful()])
        with pytest.raises(RuntimeError):
            agent.invoke(GO, ON)
        out = agent.invoke({"messages": "and b"}, ON)
        assert "__interrupt__" not in out
        assert hotel.rooms == ["b"]


@pytest.mark.parametrize("answer", ["approve", "reject"])
def test_what_a_crash_cut_off_is_asked_about(tmp_path: Path, hotel: Hotel, answer: str) -> None:
    with holding(tmp_path) as rein:
        agent = agent_of(rein, hotel, book("a"), DOWN, "done")
        with pytest.raises(RuntimeError):
            agent.invoke(GO, ON)
        [known] = rein.held()
        session = rein.journal.session(known.session_id)
        assert session is not None
        lost = rein.journal.begin(known.with_(call_key="lost", message_id="gone"), session)
        out = agent.invoke(None, ON)
        [request] = out["__interrupt__"][0].value["action_requests"]
        assert request["args"]["actions"] == [lost.id]
        out = agent.invoke(Command(resume={"decisions": [{"type": answer}]}), ON)
        assert out["messages"][-1].text == "done"
        assert len(hotel.rooms) == (1 if answer == "approve" else 2)
        assert rein.action(lost.id).status is (Status.DROPPED if answer == "approve" else Status.EXECUTED)


def test_a_nested_agent_holds_in_the_session_that_it_joins(tmp_path: Path, hotel: Hotel) -> None:
    with holding(tmp_path) as rein:
        inner = create_agent(script(book("a"), "held"), [hotel.book], middleware=[rein.middleware()])
        seen: list[list[str]] = []

        @reversible(read_only=True)
        def ask_porter(what: str) -> str:
            """Ask the porter."""
            said = inner.invoke({"messages": what})["messages"][-1].text
            seen.append(list(hotel.rooms))
            return str(said)

        outer = create_agent(
            script(calls(("ask_porter", {"what": "a room"})), "done"),
            [ask_porter, hotel.book],
            middleware=[rein.middleware()],
            checkpointer=InMemorySaver(),
        )
        outer.invoke(GO, ON)
        assert seen == [[]], "its own end completes nothing"
        assert hotel.rooms == ["a"]
        assert len(rein.sessions()) == 1


def test_what_a_neighbour_gates_waits_for_a_person(tmp_path: Path, hotel: Hotel) -> None:
    with holding(tmp_path) as rein:
        beside = HumanInTheLoopMiddleware(interrupt_on={"book": True})
        agent = agent_of(rein, hotel, book("a"), "done", extra=[beside])
        out = agent.invoke(GO, ON)
        assert "__interrupt__" not in out
        assert "when a person releases it" in str(answers(out)[0].content)
        rein.recover()
        assert hotel.rooms == []
        rein.release(rein.held()[0].id, by="ana")
        assert hotel.rooms == ["a"]


def test_without_a_checkpointer_nobody_need_be_asked(tmp_path: Path, hotel: Hotel) -> None:
    with holding(tmp_path) as rein:
        agent = create_reversible_agent(script(book("a"), "done"), [hotel.book], rein=rein)
        agent.invoke(GO)
        assert hotel.rooms == ["a"]


@pytest.mark.parametrize("inside", [True, False])
def test_in_a_graph_of_ones_own_a_session_around_it_completes(
    tmp_path: Path, hotel: Hotel, inside: bool
) -> None:
    with holding(tmp_path) as rein:
        [tool] = rein.tools(hotel.book)
        model = script(book("a"), "done")
        builder = StateGraph(MessagesState)
        builder.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
        builder.add_node("tools", ToolNode([tool]))
        builder.add_edge(START, "model")
        builder.add_conditional_edges("model", tools_condition)
        builder.add_edge("tools", "model")
        graph: Any = add_compensation(builder, rein=rein).compile(checkpointer=InMemorySaver())
        if inside:
            with rein.session(intent="book"):
                out = graph.invoke(GO, ON)
                assert hotel.rooms == []
            assert hotel.rooms == ["a"]
        else:
            out = graph.invoke(GO, ON)
            assert [one.status for one in rein.held()] == [Status.HELD]
        assert "Held, not done" in str(answers(out)[0].content)


def test_a_run_cut_short_between_its_end_and_a_release_is_resumed_to_it(
    tmp_path: Path, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with holding(tmp_path) as rein:
        agent = agent_of(rein, hotel, book("a"), "done")

        def stopped(*_: Any) -> Any:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(rein.journal, "on_hold", stopped)
            with pytest.raises(KeyboardInterrupt):
                agent.invoke(GO, ON)
        assert rein.sessions()[0].status is SessionStatus.COMPLETED
        assert hotel.rooms == []
        agent.invoke(None, ON)
        assert hotel.rooms == ["a"]
        assert len(rein.sessions()) == 1
