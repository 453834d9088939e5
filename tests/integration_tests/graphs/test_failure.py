"""A failing session in `create_agent`: caught, frozen, walked back, and told."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.types import Command

from langchain_agentrein import (
    AgentRein,
    NotDone,
    Operation,
    Reversal,
    ReversibleTool,
    Risk,
    SessionFailed,
    Status,
    UndoEffect,
    reversible,
)
from tests.support.agents import Declined, Hotel, calls, script

GO = {"messages": "book the rooms"}


def on(thread: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread}}


def agent_of(rein: AgentRein, hotel: Hotel, *turns: Any, **options: Any) -> Any:
    middleware = rein.middleware(**options.pop("middleware", {}))
    options.setdefault("checkpointer", InMemorySaver())
    tools = options.pop("tools", [hotel.book, hotel.charge])
    return create_agent(script(*turns), tools, middleware=[middleware], **options)


def fails(agent: Any, message: Any, config: Any) -> SessionFailed:
    with pytest.raises(SessionFailed) as caught:
        agent.invoke(message, config)
    return caught.value


BOOK_TWO = calls(("book", {"room": "a"}), ("book", {"room": "b"}))
CHARGE = calls(("charge", {"amount": 100}))


def test_a_failure_unwinds_in_reverse_and_raises(rein: AgentRein, hotel: Hotel) -> None:
    agent = agent_of(rein, hotel, BOOK_TWO, CHARGE)

    error = fails(agent, GO, on("1"))

    started = [action.args["room"] for action in rein.actions(thread="1") if action.operation == "book"]
    assert [line for line in hotel.log if line.startswith("cancel")] == [
        f"cancel {room}" for room in reversed(started)
    ]
    assert hotel.rooms == []
    assert isinstance(error.__cause__, Declined)
    assert error.error == {"type": "Declined", "message": "card declined"}
    assert error.report is not None and error.report.counts == {"compensated": 2}
    assert rein.sessions(thread="1")[0].status == "rolled_back"
    assert rein.verify().ok


async def test_the_async_twin_does_the_same(rein: AgentRein, hotel: Hotel) -> None:
    agent = agent_of(rein, hotel, BOOK_TWO, CHARGE)

    with pytest.raises(SessionFailed):
        await agent.ainvoke(GO, on("1"))

    assert hotel.rooms == []
    assert [str(action.status) for action in rein.actions(thread="1")] == [
        "compensated",
        "compensated",
        "failed",
    ]


def test_after_a_failure_the_state_is_whole_and_the_next_message_works(rein: AgentRein, hotel: Hotel) -> None:
    agent = agent_of(
        rein, hotel, BOOK_TWO, CHARGE, AIMessage("hello"), calls(("book", {"room": "z"})), AIMessage("ok")
    )
    fails(agent, GO, on("1"))

    messages = agent.get_state(on("1")).values["messages"]
    asked = {
        call["id"] for message in messages if isinstance(message, AIMessage) for call in message.tool_calls
    }
    assert asked == {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    assert "card declined" in messages[-1].content and "2 compensated" in messages[-1].content

    assert agent.invoke({"messages": "hi"}, on("1"))["messages"][-1].content == "hello"
    agent.invoke({"messages": "book z"}, on("1"))
    assert hotel.rooms == ["z"], "a later turn's session is its own"


def test_resuming_a_failed_run_raises_again_without_a_second_walk(rein: AgentRein, hotel: Hotel) -> None:
    agent = agent_of(rein, hotel, BOOK_TWO, CHARGE)
    fails(agent, GO, on("1"))
    log = list(hotel.log)

    again = fails(agent, None, on("1"))

    assert again.error == {"type": "Declined", "message": "card declined"}
    assert hotel.log == log


def test_a_failure_leaves_completed_turns_alone(rein: AgentRein, hotel: Hotel) -> None:
    agent = agent_of(rein, hotel, calls(("book", {"room": "yesterday"})), AIMessage("done"), BOOK_TWO, CHARGE)
    agent.invoke(GO, on("1"))

    fails(agent, {"messages": "and today"}, on("1"))

    assert hotel.rooms == ["yesterday"]
    assert [session.status for session in rein.sessions(thread="1")] == ["rolled_back", "completed"]
    rein.rollback(thread="1", all_sessions=True, by="ana", reason="cancel it all")
    assert hotel.rooms == []


def test_a_failing_replay_of_a_completed_turn_undoes_only_what_is_new(rein: AgentRein, hotel: Hotel) -> None:
    agent = agent_of(rein, hotel, BOOK_TWO, AIMessage("done"), calls(("book", {"room": "c"})), CHARGE)
    agent.invoke(GO, on("1"))
    after_tools = next(state for state in agent.get_state_history(on("1")) if state.next == ("model",))

    fails(agent, None, after_tools.config)

    assert sorted(hotel.rooms) == ["a", "b"], "the turn that ended well is not touched"
    assert sorted(str(session.status) for session in rein.sessions()) == ["completed", "rolled_back"]


def test_parallel_siblings_end_before_the_walk(rein: AgentRein, hotel: Hotel) -> None:
    agent = agent_of(
        rein, hotel, calls(("charge", {"amount": 1}), ("book", {"room": "a"}), ("book", {"room": "b"}))
    )

    fails(agent, GO, on("1"))

    assert hotel.rooms == []
    statuses = {action.operation: action.status for action in rein.actions(thread="1")}
    assert statuses["charge"] is Status.FAILED


class Forgetful(AgentMiddleware[Any, Any, Any]):
    """Removes the conversation so far, as a summary would."""

    def before_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        if len(state["messages"]) < 3:
            return None
        return {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES), HumanMessage("(what happened so far)")]}


def test_a_trimmed_conversation_changes_neither_session_nor_walk(rein: AgentRein, hotel: Hotel) -> None:
    agent = create_agent(
        script(BOOK_TWO, calls(("book", {"room": "c"})), CHARGE),
        [hotel.book, hotel.charge],
        middleware=[rein.middleware(), Forgetful()],
        checkpointer=InMemorySaver(),
    )

    fails(agent, GO, on("1"))

    assert hotel.rooms == []
    assert len(rein.sessions()) == 1


def test_two_siblings_fail_once(rein: AgentRein, hotel: Hotel) -> None:
    turns = calls(("charge", {"amount": 1}), ("charge", {"amount": 2}))
    agent = agent_of(rein, hotel, calls(("book", {"room": "a"})), turns, AIMessage("hello"))
    fails(agent, GO, on("1"))

    assert hotel.log.count("cancel a") == 1
    assert agent.invoke({"messages": "hi"}, on("1"))["messages"][-1].content == "hello"


def test_reraise_false_ends_quietly(rein: AgentRein, hotel: Hotel) -> None:
    agent = agent_of(rein, hotel, BOOK_TWO, CHARGE, middleware={"reraise": False})

    out = agent.invoke(GO, on("1"))

    assert "card declined" in out["messages"][-1].content
    assert hotel.rooms == []


def test_a_return_direct_tool_that_fails_is_walked_too(rein: AgentRein, hotel: Hotel) -> None:
    charge = hotel.charge.model_copy(update={"return_direct": True})
    agent = agent_of(rein, hotel, BOOK_TWO, CHARGE, tools=[hotel.book, charge])

    fails(agent, GO, on("1"))

    assert hotel.rooms == []


async def test_so_it_is_under_an_event_loop(rein: AgentRein, hotel: Hotel) -> None:
    charge = hotel.charge.model_copy(update={"return_direct": True})
    agent = agent_of(rein, hotel, BOOK_TWO, CHARGE, tools=[hotel.book, charge])

    with pytest.raises(SessionFailed):
        await agent.ainvoke(GO, on("1"))

    assert hotel.rooms == []


def test_without_a_checkpointer_it_unwinds_too(rein: AgentRein, hotel: Hotel) -> None:
    agent = agent_of(rein, hotel, BOOK_TWO, CHARGE, checkpointer=None)

    fails(agent, GO, None)

    assert hotel.rooms == []


def test_an_error_that_the_model_is_shown_is_no_failure(rein: AgentRein, hotel: Hotel) -> None:
    charge = hotel.charge
    charge.inner.handle_tool_error = True  # type: ignore[union-attr]
    agent = agent_of(rein, hotel, BOOK_TWO, calls(("book", {"nonsense": 1})), AIMessage("I give up"))

    out = agent.invoke(GO, on("1"))

    assert out["messages"][-1].content == "I give up"
    assert sorted(hotel.rooms) == ["a", "b"]


def test_a_failing_model_keeps_the_session_open(rein: AgentRein, hotel: Hotel) -> None:
    agent = agent_of(rein, hotel, BOOK_TWO, RuntimeError("no model"), AIMessage("done"))
    with pytest.raises(RuntimeError, match="no model"):
        agent.invoke(GO, on("1"))
    assert rein.sessions(thread="1")[0].status == "open"
    assert sorted(hotel.rooms) == ["a", "b"]

    agent.invoke(None, on("1"))

    assert rein.sessions(thread="1")[0].status == "completed"
    assert len(hotel.log) == 2


def test_on_model_failure_rollback(rein: AgentRein, hotel: Hotel) -> None:
    options = {"on_model_failure": "rollback"}
    agent = agent_of(rein, hotel, BOOK_TWO, RuntimeError("no model"), middleware=options)

    with pytest.raises(RuntimeError, match="no model"):
        agent.invoke(GO, on("1"))

    assert hotel.rooms == []


def test_a_new_message_supersedes_an_open_session(rein: AgentRein, hotel: Hotel) -> None:
    agent = agent_of(rein, hotel, BOOK_TWO, RuntimeError("no model"), AIMessage("new topic"))
    with pytest.raises(RuntimeError):
        agent.invoke(GO, on("1"))

    agent.invoke({"messages": "something else"}, on("1"))

    assert [session.status for session in rein.sessions(thread="1")] == ["superseded"]
    rein.rollback(thread="1", by="ana")
    assert hotel.rooms == []


@pytest.mark.parametrize("mode", ["keep", "ask"])
def test_on_failure_keep_and_ask(tmp_path: Any, hotel: Hotel, mode: Any) -> None:
    rein = AgentRein(f"sqlite:///{tmp_path}/journal.db", on_failure=mode)
    agent = agent_of(rein, hotel, BOOK_TWO, CHARGE)

    if mode == "ask":
        out = agent.invoke(GO, on("1"))
        request = out["__interrupt__"][0].value["action_requests"][0]
        assert request["name"] == "agentrein_rollback" and "2 undo" in request["description"]
        assert sorted(hotel.rooms) == ["a", "b"]
        rein.recover()
        assert sorted(hotel.rooms) == ["a", "b"], "a person was asked: nobody else may start the walk"
        fails(agent, Command(resume={"decisions": [{"type": "reject"}]}), on("1"))
    else:
        fails(agent, GO, on("1"))

    assert sorted(hotel.rooms) == ["a", "b"]
    assert rein.sessions(thread="1")[0].status == "kept"
    rein.rollback(thread="1", by="ana")
    assert hotel.rooms == []


def test_one_undo_per_superstep_is_streamed_and_checkpointed(rein: AgentRein, hotel: Hotel) -> None:
    agent = agent_of(rein, hotel, BOOK_TWO, CHARGE)
    steps = []
    with pytest.raises(SessionFailed):
        for namespace, update in agent.stream(GO, on("1"), stream_mode="updates", subgraphs=True):
            if namespace:
                steps += update
    assert steps == ["prepare", "confirm", "undo", "undo", "undo", "finish"]


def test_the_walk_is_not_bound_by_the_callers_recursion_limit(rein: AgentRein, hotel: Hotel) -> None:
    many = calls(*[("book", {"room": str(n)}) for n in range(40)])
    agent = agent_of(rein, hotel, many, CHARGE)

    fails(agent, GO, {**on("1"), "recursion_limit": 12})

    assert hotel.rooms == []


class Mail(Operation):
    """Send a mail."""

    name, risk, reversal = "postoffice.send", Risk.MEDIUM, Reversal.COMPENSATING
    undo_effects = frozenset({UndoEffect.REACHES_PEOPLE})
    to: str

    def do(self, api: Any, action: Any) -> Any:
        api.append(f"mail {self.to}")
        return {"to": self.to}

    def undo(self, api: Any, action: Any) -> str:
        api.append(f"correction {self.to}")
        return "the mail was read"


def test_far_reaching_undos_are_asked_once_for_the_whole_plan(rein: AgentRein, hotel: Hotel) -> None:
    mail = ReversibleTool.of_operation(Mail, hotel.log)
    turns = calls(*[("postoffice_send", {"to": name}) for name in ("x", "y")])
    agent = agent_of(rein, hotel, BOOK_TWO, turns, CHARGE, tools=[hotel.book, hotel.charge, mail])

    out = agent.invoke(GO, on("1"))

    [interrupt] = out["__interrupt__"]
    assert "2 undo, 2 ask" in interrupt.value["action_requests"][0]["description"].replace(
        "2 ask, 2 undo", "2 undo, 2 ask"
    )
    assert not any(line.startswith("correction") for line in hotel.log)
    error = fails(agent, Command(resume={"decisions": [{"type": "approve"}]}), on("1"))
    assert sum(line.startswith("correction") for line in hotel.log) == 2
    assert error.report is not None and error.report.complete


def test_unattended_far_reaching_undos_wait_and_the_rest_goes_on(rein: AgentRein, hotel: Hotel) -> None:
    mail = ReversibleTool.of_operation(Mail, hotel.log)
    agent = agent_of(
        rein,
        hotel,
        calls(("book", {"room": "a"})),
        calls(("postoffice_send", {"to": "x"})),
        CHARGE,
        tools=[hotel.book, hotel.charge, mail],
        checkpointer=None,
    )

    error = fails(agent, GO, None)

    assert hotel.rooms == []
    assert error.report is not None and [str(line.outcome) for line in error.report.unsettled] == ["stuck"]
    plan = rein.plan(session=error.session_id)
    assert [line.verdict for line in plan] == ["ask"]
    rein.rollback(session=error.session_id, by="ana", approve=plan)
    assert hotel.log[-1] == "correction x"
    assert rein.sessions()[0].status == "rolled_back"


def test_a_conflict_is_asked_about(rein: AgentRein, hotel: Hotel) -> None:
    notes = {"n": "old"}

    @reversible(undo=lambda action: notes.update(action.before))
    def note(text: str) -> str:
        """Overwrite the note."""
        notes["n"] = text
        return "ok"

    note.snapshot(lambda text: dict(notes))
    note.observe(lambda action: dict(notes))

    def charged_after_a_colleague(messages: Any) -> AIMessage:
        notes["n"] = "a colleague's"
        return CHARGE

    agent = agent_of(
        rein, hotel, calls(("note", {"text": "new"})), charged_after_a_colleague, tools=[note, hotel.charge]
    )

    out = agent.invoke(GO, on("1"))

    assert "somebody changed" in out["__interrupt__"][0].value["action_requests"][0]["description"]
    fails(agent, Command(resume={"decisions": [{"type": "reject"}]}), on("1"))
    assert notes["n"] == "a colleague's"
    assert rein.actions(thread="1")[0].status is Status.CONFLICT
    assert rein.sessions(thread="1")[0].status == "stuck"
    rein.rollback(thread="1", by="ana", on_conflict="force")
    assert notes["n"] == "old"


def ringing(hotel: Hotel, error: Exception) -> tuple[Any, list[bool]]:
    """A tool whose undo raises `error`, until the list says that it is mended."""
    broken = [True]

    def undo(action: Any) -> None:
        if broken[0]:
            raise error
        hotel.log.append("undone")

    @reversible(undo=undo)
    def ring(bell: str) -> str:
        """Ring a bell."""
        return bell

    return ring, broken


RING = calls(("ring", {"bell": "x"}))


def test_a_stuck_undo_is_asked_about_and_tried_again(rein: AgentRein, hotel: Hotel) -> None:
    ring, broken = ringing(hotel, NotDone("no network"))
    agent = agent_of(rein, hotel, RING, CHARGE, tools=[ring, hotel.charge])
    out = agent.invoke(GO, on("1"))
    assert "no network" in out["__interrupt__"][0].value["action_requests"][0]["description"]
    broken[0] = False

    fails(agent, Command(resume={"decisions": [{"type": "approve"}]}), on("1"))

    assert hotel.log[-1] == "undone"
    assert hotel.log.count("undone") == 1


def test_an_undo_that_may_have_happened_waits_for_a_word_from_outside(rein: AgentRein, hotel: Hotel) -> None:
    ring, broken = ringing(hotel, ConnectionError("reset by peer"))
    agent = agent_of(rein, hotel, RING, CHARGE, tools=[ring, hotel.charge])
    fails(agent, GO, on("1"))
    [rung, _] = rein.actions(thread="1")
    assert rung.status is Status.STUCK
    assert "agentrein approve" in (rung.undo.error or "")
    broken[0] = False

    rein.rollback(thread="1")
    assert "undone" not in hotel.log
    rein.approve(rung.id, by="ana")
    assert rein.rollback(thread="1").complete

    assert hotel.log.count("undone") == 1


class Refusing(Operation):
    """Ask a service that says no."""

    name, risk, reversal = "refusing.ask", Risk.LOW, Reversal.EXACT

    def do(self, api: Any, action: Any) -> Any:
        raise NotDone("no such customer; ask for another one")

    def undo(self, api: Any, action: Any) -> None:
        raise AssertionError("nothing to undo")


def test_what_an_operation_refuses_is_an_answer_for_the_model(rein: AgentRein, hotel: Hotel) -> None:
    refusing = ReversibleTool.of_operation(Refusing, None)
    agent = agent_of(
        rein, hotel, BOOK_TWO, calls(("refusing_ask", {})), AIMessage("fine"), tools=[hotel.book, refusing]
    )

    out = agent.invoke(GO, on("1"))

    assert out["messages"][-1].content == "fine"
    assert "no such customer" in out["messages"][-2].content and out["messages"][-2].status == "error"
    assert sorted(hotel.rooms) == ["a", "b"]
    [bound] = rein.tools(refusing)
    with pytest.raises(NotDone), rein.session(intent="by hand"):
        bound.invoke({})
