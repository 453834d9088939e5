"""Streaming: every mode shows an agent with ours what it shows without, and does what `invoke` does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.types import Command

from langchain_agentrein import SessionFailed, reversible
from tests.integration_tests.neighbours.matrix import Claim, scenario
from tests.integration_tests.neighbours.stage import APPROVE, ASK, FAIL, REJECT, Stage, put, puts, turn
from tests.support.agents import script

MODES = ["values", "updates", "messages", "custom"]
EVERY = pytest.mark.parametrize("mode", [*MODES, MODES], ids=[*MODES, "all"])
SUBGRAPHS = pytest.mark.parametrize("subgraphs", [False, True], ids=["root", "subgraphs"])
HOW = "`values`, `updates`, `messages`, `custom`, all at once; with and without `subgraphs=True`"


def stream(stage: Stage, agent: Any, message: Any, **options: Any) -> list[Any]:
    """What is streamed; the run's exception ends it."""
    given = {"messages": [("user", message)]} if isinstance(message, str) else message
    seen: list[Any] = []

    async def collect() -> None:
        async for chunk in agent.astream(given, stage.config, **options):
            seen.append(chunk)

    try:
        if stage.awaited:
            asyncio.run(collect())
        else:
            seen.extend(agent.stream(given, stage.config, **options))
    except SessionFailed as failed:
        seen.append(failed)
    return seen


@EVERY
@SUBGRAPHS
@scenario("streaming", f"{HOW}; a failure", Claim.ONE_EFFECT, Claim.UNWOUND, Claim.ANSWERED, Claim.NEXT)
def test_a_failure_is_streamed(stage: Stage, mode: Any, subgraphs: bool) -> None:
    agent = stage.agent([stage.rein().middleware()], puts("a", "b"), turn(FAIL), "hello")

    seen = stream(stage, agent, "put things", stream_mode=mode, subgraphs=subgraphs)

    assert isinstance(seen[-1], SessionFailed) and (len(seen) > 1 or mode == "custom")
    stage.one_effect("a", "b")
    stage.unwound(2)
    stage.answered(agent)
    stage.next_message(agent)


@EVERY
@SUBGRAPHS
@scenario(
    "streaming",
    f"{HOW}; a gate",
    Claim.ONE_EFFECT,
    Claim.ASKED_ONCE,
    Claim.REJECTED,
    Claim.ANSWERED,
)
def test_a_question_is_streamed(stage: Stage, mode: Any, subgraphs: bool) -> None:
    agent = stage.agent([stage.rein(ASK).middleware()], puts("a", "b"), "done")

    first = stream(stage, agent, "put things", stream_mode=mode, subgraphs=subgraphs)
    state = agent.get_state(stage.config)
    [question] = state.interrupts
    stage.asked = [(one["name"], one["args"]["thing"]) for one in question.value["action_requests"]]
    if mode in ("updates", "values", MODES):
        assert "__interrupt__" in str(first[-1])
    resume = Command(resume={"decisions": [APPROVE, REJECT]})
    second = stream(stage, agent, resume, stream_mode=mode, subgraphs=subgraphs)

    assert "__interrupt__" not in str(second)
    stage.asked_once("a", "b")
    stage.one_effect("a")
    stage.rejected("b")
    stage.answered(agent)


@SUBGRAPHS
def test_every_mode_shows_what_it_shows_without_ours(stage: Stage, subgraphs: bool) -> None:
    def look(thing: str) -> str:
        """Look at a thing, and say so on the way."""
        get_stream_writer()({"looking at": thing})
        return "seen"

    plain = tool(look)
    turns = [turn(("look", {"thing": "a"}), text="I look."), AIMessage("I have seen a.", id="m")]
    ours = reversible(plain, undo=lambda action: None)
    with_ours = stage.agent([stage.rein().middleware()], *turns, tools=[ours])
    without = create_agent(script(*turns), [plain], checkpointer=InMemorySaver())

    one = stream(stage, with_ours, "look", stream_mode=["messages", "custom"], subgraphs=subgraphs)
    other = stream(stage, without, "look", stream_mode=["messages", "custom"], subgraphs=subgraphs)

    def text(seen: list[Any]) -> list[str]:
        told = []
        for *_, mode, chunk in seen:
            if mode == "custom":
                told.append(str(chunk))
            elif isinstance(chunk[0], AIMessageChunk):
                told.append("".join([chunk[0].text, *[str(c["args"]) for c in chunk[0].tool_call_chunks]]))
            else:
                told.append(f"{chunk[0].type}: {chunk[0].text}")
        return told

    assert text(one) == text(other) and any("looking at" in line for line in text(one))


def test_the_walk_is_streamed_step_by_step(stage: Stage) -> None:
    agent = stage.agent([stage.rein().middleware(reraise=False)], put("a"), put("b"), turn(FAIL))

    seen = stream(stage, agent, "put things", stream_mode="updates", subgraphs=True)

    steps = [name for namespace, update in seen if namespace for name in update]
    assert steps == ["prepare", "confirm", "undo", "undo", "undo", "finish"]
