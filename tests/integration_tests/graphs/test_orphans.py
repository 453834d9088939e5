"""Effects that a crash cut off from their messages: what is asked, and that nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ToolRetryMiddleware
from langchain_core.messages import RemoveMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.types import Command

from langchain_agentrein import (
    AgentRein,
    ApprovalRule,
    OrphanedActions,
    ReversibleTool,
    SessionFailed,
    reversible,
)
from tests.support.agents import calls, script
from tests.support.driving import do, opened
from tests.support.world import Put, World

ON: Any = {"configurable": {"thread_id": "1"}}
GO: Any = {"messages": "put things"}
DOWN = RuntimeError("no model")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world.db")


@pytest.fixture
def rein(tmp_path: Path, world: World) -> Iterator[AgentRein]:
    with opened(f"sqlite:///{tmp_path}/journal.db", world) as made:
        yield made


def put(thing: str) -> Any:
    return calls(("world_put", {"thing": thing, "fields": {"n": 1}}))


def agent_of(rein: AgentRein, world: World, *turns: Any, **options: Any) -> Any:
    options.setdefault("checkpointer", InMemorySaver())
    return create_agent(
        script(*turns),
        [ReversibleTool.of_operation(Put, world)],
        middleware=[rein.middleware(approver=lambda config: "ana")],
        **options,
    )


async def driven(agent: Any, drive: str, given: Any) -> Any:
    return agent.invoke(given, ON) if drive == "invoke" else await agent.ainvoke(given, ON)


def orphan(rein: AgentRein, world: World) -> str:
    """An effect of the thread's open session whose message is nowhere."""
    [session] = rein.sessions(thread="1")
    return do(rein, Put(thing="lost", fields={"n": 1}), world, session, key="lost", message_id="gone").id


@pytest.mark.parametrize("drive", ["invoke", "ainvoke"])
@pytest.mark.parametrize("answer", ["approve", "reject"])
async def test_only_the_orphan_is_rolled_back_and_only_if_a_person_says_so(
    rein: AgentRein, world: World, answer: str, drive: str
) -> None:
    agent = agent_of(rein, world, put("a"), put("b"), DOWN, "done", "hello")
    with pytest.raises(RuntimeError):
        await driven(agent, drive, GO)
    lost = orphan(rein, world)

    out = await driven(agent, drive, None)

    [request] = out["__interrupt__"][0].value["action_requests"]
    assert (request["name"], request["args"]["actions"]) == ("agentrein_orphans", [lost])
    out = await driven(agent, drive, Command(resume={"decisions": [{"type": answer}]}))
    assert out["messages"][-1].text == "done"
    assert world.events("undo") == ([("undo", "lost")] if answer == "approve" else [])
    who = [entry.detail.get("by") for entry in rein.journal.entries([rein.sessions()[0].id]) if entry.detail]
    assert ("ana" in who) is (answer == "approve")
    out = await driven(agent, drive, {"messages": "hi"})
    assert out["messages"][-1].text == "hello", "and nobody is asked again"


def test_what_came_before_the_next_look_at_the_stack_is_one_too(rein: AgentRein, world: World) -> None:
    agent = agent_of(rein, world, put("a"), "done")
    agent.invoke(GO, ON, interrupt_after=["tools"])
    lost = orphan(rein, world)

    out = agent.invoke(None, ON)

    [request] = out["__interrupt__"][0].value["action_requests"]
    assert request["args"]["actions"] == [lost]


def test_what_the_thread_knows_is_no_orphan(rein: AgentRein, world: World) -> None:
    agent = agent_of(rein, world, put("a"), DOWN, put("b"), DOWN, "done")
    for message in (GO, None):
        with pytest.raises(RuntimeError):
            agent.invoke(message, ON)

    assert agent.invoke(None, ON)["messages"][-1].text == "done"
    assert world.events("undo") == []


class Forgetful(AgentMiddleware[Any, Any, Any]):
    """Begins each turn with an empty conversation."""

    def before_agent(self, state: Any, runtime: Any) -> dict[str, Any]:
        return {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES), *state["messages"][-1:]]}


def test_what_an_earlier_turn_left_open_is_known_without_its_messages(rein: AgentRein, world: World) -> None:
    agent: Any = create_agent(
        script(put("a"), DOWN, put("b"), "done"),
        [ReversibleTool.of_operation(Put, world)],
        middleware=[rein.middleware(), Forgetful()],
        checkpointer=InMemorySaver(),
    )
    with pytest.raises(RuntimeError):
        agent.invoke(GO, ON)

    out = agent.invoke({"messages": "and b"}, ON)

    assert "__interrupt__" not in out and out["messages"][-1].text == "done"


def test_who_settled_a_doubt_is_on_record(rein: AgentRein) -> None:
    @reversible(undo=lambda action: None)
    def ring(bell: str) -> str:
        """Ring a bell."""
        raise TimeoutError("no answer")

    agent: Any = create_agent(
        script(calls(("ring", {"bell": "a"})), "done"),
        [ring],
        middleware=[
            rein.middleware(approver=lambda config: "ana"),
            ToolRetryMiddleware(max_retries=1, initial_delay=0.0, on_failure="error"),
        ],
        checkpointer=InMemorySaver(),
    )
    agent.invoke(GO, ON)

    agent.invoke(Command(resume={"decisions": [{"type": "approve"}]}), ON)

    entries = rein.journal.entries([rein.sessions()[0].id])
    assert "ana" in [entry.detail.get("by") for entry in entries if entry.detail]


def test_where_nobody_can_be_asked_the_run_stops(rein: AgentRein, world: World) -> None:
    first = agent_of(rein, world, put("a"), DOWN)
    with pytest.raises(RuntimeError):
        first.invoke(GO, ON)
    without = agent_of(rein, world, put("b"), checkpointer=None)

    with pytest.raises(OrphanedActions):
        without.invoke(GO, ON)

    assert world.events() == [("do", "a")]


def test_an_orphan_that_cannot_be_rolled_back_stops_the_run(rein: AgentRein, world: World) -> None:
    agent = agent_of(rein, world, put("a"), DOWN, put("b"))
    with pytest.raises(RuntimeError):
        agent.invoke(GO, ON)
    orphan(rein, world)
    agent.invoke(None, ON)
    world.set("fail undo", 100)

    with pytest.raises(OrphanedActions):
        agent.invoke(Command(resume={"decisions": [{"type": "approve"}]}), ON)

    assert world.count("do", "b") == 0


def before_the_second_turn(agent: Any) -> Any:
    """The checkpoint after the first call's tools, of a thread that has ended."""
    return [state for state in agent.get_state_history(ON) if state.next == ("model",)][1]


def cut_off(saver: InMemorySaver, *, after: Any) -> None:
    """Lose every checkpoint after one, and what was written beside it."""
    kept = after.config["configurable"]["checkpoint_id"]
    for lost in [one for one in saver.storage["1"][""] if one > kept]:
        del saver.storage["1"][""][lost]
    saver.writes.pop(("1", "", kept))


@pytest.mark.parametrize("answer", ["approve", "reject"])
def test_a_replay_from_before_effects_of_a_turn_that_ended_asks(
    rein: AgentRein, world: World, answer: str
) -> None:
    agent = agent_of(rein, world, put("a"), put("b"), "done", put("b"), "done again")
    agent.invoke(GO, ON)

    out = agent.invoke(None, before_the_second_turn(agent).config)

    [request] = out["__interrupt__"][0].value["action_requests"]
    assert request["args"]["operations"] == "world.put" and world.count("do", "b") == 1
    out = agent.invoke(Command(resume={"decisions": [{"type": answer}]}), ON)
    assert out["messages"][-1].text == "done again"
    assert world.events("undo") == ([("undo", "b")] if answer == "approve" else [])
    assert world.count("do", "b") == 2 and world.count("do", "a") == 1


def test_a_run_that_ended_while_its_last_checkpoints_were_lost_is_asked_about(
    rein: AgentRein, world: World
) -> None:
    saver = InMemorySaver()
    agent = agent_of(rein, world, put("a"), put("b"), "done", put("b"), "done again", checkpointer=saver)
    agent.invoke(GO, ON)
    cut_off(saver, after=before_the_second_turn(agent))

    out = agent.invoke(None, ON)

    assert out["__interrupt__"] and world.count("do", "b") == 1


def test_another_agents_messages_need_not_be_known(rein: AgentRein, world: World) -> None:
    def handed_on(state: Any) -> Any:
        return {"messages": first.invoke(state)["messages"][-1:]}

    first = agent_of(rein, world, put("a"), "a is done", checkpointer=None)
    second = agent_of(rein, world, put("b"), "b is done", checkpointer=None)
    builder = StateGraph(MessagesState)
    builder.add_sequence([("first", handed_on), ("second", second)])
    builder.add_edge(START, "first")
    both: Any = builder.compile(checkpointer=InMemorySaver())

    out = both.invoke(GO, ON)

    assert "__interrupt__" not in out and world.events() == [("do", "a"), ("do", "b")]


def test_without_a_checkpointer_the_same_words_twice_are_two_turns(rein: AgentRein, world: World) -> None:
    agent = agent_of(rein, world, put("a"), "done", put("a"), "done again", checkpointer=None)

    assert [agent.invoke(GO, ON)["messages"][-1].text for _ in "12"] == ["done", "done again"]


@pytest.mark.parametrize("drive", ["invoke", "ainvoke"])
async def test_a_conversation_that_tells_of_what_was_undone_since_does_not_go_on(
    rein: AgentRein, world: World, drive: str
) -> None:
    @reversible(undo=lambda action: None, not_done=(ValueError,))
    def refuse() -> str:
        """Fail."""
        raise ValueError("no")

    saver = InMemorySaver()
    agent: Any = create_agent(
        script(put("a"), put("b"), calls(("refuse", {})), put("c"), "done"),
        [ReversibleTool.of_operation(Put, world), refuse],
        middleware=[rein.middleware()],
        checkpointer=saver,
    )
    with pytest.raises(SessionFailed):
        await driven(agent, drive, GO)
    assert world.events("undo") == [("undo", "b"), ("undo", "a")]
    states = [state for state in agent.get_state_history(ON) if state.next == ("model",)]
    cut_off(saver, after=states[1])

    with pytest.raises(SessionFailed, match="ValueError: no"):
        await driven(agent, drive, None)

    assert world.count("do") == 2, "the world is without a and b, whatever the conversation says"
    out = await driven(agent, drive, {"messages": "now c"})
    assert out["messages"][-1].text == "done"
    assert world.events()[-1] == ("do", "c")


def test_what_was_held_and_is_done_hides_no_orphan(tmp_path: Path, world: World) -> None:
    saver = InMemorySaver()
    rules = [ApprovalRule("world.put", "hold", when=lambda action: action.args["thing"] == "h")]
    with opened(f"sqlite:///{tmp_path}/journal.db", world, rules=rules) as rein:
        agent = agent_of(rein, world, put("h"), put("a"), "done", put("a"), "done again", checkpointer=saver)
        agent.invoke(GO, ON)
        assert world.events() == [("do", "a"), ("do", "h")], "it was done when the session completed"
        middle = ("AgentReinMiddleware.before_model",)  # after h was held, and before a was called
        cut_off(saver, after=[one for one in agent.get_state_history(ON) if one.next == middle][1])
        assert len(agent.get_state(ON).values["messages"]) == 3

        out = agent.invoke(None, ON)

        [request] = out["__interrupt__"][0].value["action_requests"]
        [lost] = request["args"]["actions"]
        assert rein.action(lost).args["thing"] == "a"


def test_nor_does_one_that_does_not_know_of_a_failure_that_nobody_walked_yet(
    rein: AgentRein, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    @reversible(undo=lambda action: None, not_done=(ValueError,))
    def refuse() -> str:
        """Fail."""
        raise ValueError("no")

    saver, middleware = InMemorySaver(), rein.middleware()
    agent: Any = create_agent(
        script(put("a"), calls(("refuse", {})), "all went well"),
        [ReversibleTool.of_operation(Put, world), refuse],
        middleware=[middleware],
        checkpointer=saver,
    )

    def dies(state: Any, failure: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(middleware, "_walk", dies)
        with pytest.raises(KeyboardInterrupt):
            agent.invoke(GO, ON)
    states = [state for state in agent.get_state_history(ON) if state.next == ("model",)]
    cut_off(saver, after=states[0])

    with pytest.raises(SessionFailed, match="ValueError: no"):
        agent.invoke(None, ON)

    assert world.events("undo") == [("undo", "a")]
