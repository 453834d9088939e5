"""Time travel: what was done is not done again, and what a fork changes is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver

from tests.integration_tests.neighbours.matrix import Claim, scenario
from tests.integration_tests.neighbours.stage import APPROVE, ASK, FAIL, REJECT, Stage, put, puts, turn

NAME = "time travel"


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def saver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "memory":
        yield InMemorySaver()
    elif request.param == "sqlite":
        with SqliteSaver.from_conn_string(f"{tmp_path}/checkpoints.db") as opened:
            yield opened
    else:
        uri = request.getfixturevalue("postgres_database").replace("+psycopg", "")
        with PostgresSaver.from_conn_string(uri) as opened:
            opened.setup()
            yield opened


@pytest.fixture
def stage(tmp_path: Path, saver: Any) -> Iterator[Stage]:
    """Driven by `invoke` alone: the synchronous savers have no asynchronous methods."""
    made = Stage(tmp_path)
    made.saver = saver
    yield made
    made.close()


def before(stage: Stage, agent: Any, node: str, nth: int = 0) -> Any:
    """The config of the nth checkpoint, from the latest back, that is about to run a node."""
    states = [state for state in agent.get_state_history(stage.config) if node in state.next]
    return states[nth].config


@scenario(NAME, "replay from before the tools", Claim.ONE_EFFECT, Claim.NOT_REPEATED, Claim.ANSWERED)
def test_a_replay(stage: Stage) -> None:
    agent = stage.agent([stage.rein().middleware()], puts("a", "b"), "done", "done again")
    stage.run(agent)

    out = stage.run(agent, None, before(stage, agent, "tools"))

    assert out["messages"][-1].text == "done again"
    stage.not_repeated("a")
    stage.one_effect("a", "b")
    stage.answered(agent)


@scenario(
    NAME,
    "replay from before a gate that was answered",
    Claim.ONE_EFFECT,
    Claim.ASKED_ONCE,
    Claim.REJECTED,
)
def test_a_replay_of_a_gate(stage: Stage) -> None:
    middleware = stage.rein(ASK).middleware()
    agent = stage.agent([middleware], puts("a", "b"), "done", "done again")
    stage.run(agent)
    stage.resume(agent, APPROVE, REJECT)

    out = stage.run(agent, None, before(stage, agent, "AgentReinMiddleware.after_model", 1))

    assert out["messages"][-1].text == "done again"
    stage.asked_once("a", "b")
    stage.one_effect("a")
    stage.rejected("b")


@scenario(
    NAME,
    "replay from before the tools, after a rollback",
    Claim.ONE_EFFECT,
    Claim.UNWOUND,
    note="What was undone is done again, as a new generation with a new idempotency key.",
)
def test_a_replay_after_a_rollback(stage: Stage) -> None:
    rein = stage.rein()
    agent = stage.agent([rein.middleware()], put("a"), "done", "done again")
    stage.run(agent)
    rein.rollback(thread="t", by="ana")
    assert stage.world.events("undo") == [("undo", "a")]
    stage.one_effect("a")

    stage.run(agent, None, before(stage, agent, "tools"))

    assert stage.world.count("do", "a") == 2 and len(set(stage.world.sent())) == 2
    rein.rollback(thread="t", by="ana", all_sessions=True)
    stage.unwound(2)


@scenario(
    NAME,
    "a fork: `update_state` changes the arguments of a call that ran",
    Claim.ONE_EFFECT,
    Claim.REJECTED,
    Claim.ANSWERED,
    note="The call is refused, since it ran with others; the model is told. A new call id is a new call.",
)
def test_a_fork_with_other_arguments(stage: Stage) -> None:
    agent = stage.agent([stage.rein().middleware()], put("a"), "done", "I see")
    stage.run(agent)
    config = before(stage, agent, "tools")
    message = agent.get_state(config).values["messages"][-1]
    changed = message.model_copy(
        update={"tool_calls": [{**message.tool_calls[0], "args": {"thing": "z", "fields": {}}}]}
    )
    forked = agent.update_state(config, {"messages": [changed]}, as_node="AgentReinMiddleware.after_model")

    out = stage.run(agent, None, forked)

    assert "a fork or an edit changed it" in out["messages"][-2].text
    stage.one_effect("a")
    stage.rejected("z")
    stage.answered(agent)


@scenario(NAME, "a fork with a call of its own", Claim.ONE_EFFECT, Claim.UNWOUND)
def test_a_fork_with_a_call_of_its_own(stage: Stage) -> None:
    rein = stage.rein()
    agent = stage.agent([rein.middleware()], put("a"), "done", "done again")
    stage.run(agent)
    config = before(stage, agent, "tools")
    message = agent.get_state(config).values["messages"][-1]
    other = put("z").model_copy(update={"id": message.id})
    forked = agent.update_state(config, {"messages": [other]}, as_node="AgentReinMiddleware.after_model")

    stage.run(agent, None, forked)

    stage.one_effect("a", "z")
    rein.rollback(thread="t", all_sessions=True, by="ana")
    stage.unwound(2)


@scenario(
    NAME,
    "a fork of a turn that ended well, which fails",
    Claim.ONE_EFFECT,
    note="Only what the fork did is undone.",
)
def test_a_fork_that_fails(stage: Stage) -> None:
    agent = stage.agent([stage.rein().middleware()], put("a"), "done", put("b"), turn(FAIL))
    stage.run(agent)
    fork = before(stage, agent, "model", 0)

    stage.fails(agent, None, config=fork)

    stage.one_effect("a", "b")
    assert stage.world.events("undo") == [("undo", "b")]


@scenario(NAME, "`update_state` after a failure", Claim.UNWOUND, Claim.ANSWERED, Claim.NEXT)
def test_an_update_after_a_failure(stage: Stage) -> None:
    agent = stage.agent([stage.rein().middleware()], puts("a", "b"), turn(FAIL), "hello")
    stage.fails(agent)
    agent.update_state(stage.config, {"messages": [("user", "never mind")]}, as_node="__start__")

    stage.unwound(2)
    stage.answered(agent)
    stage.next_message(agent)
