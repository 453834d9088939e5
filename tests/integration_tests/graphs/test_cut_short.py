"""A walk back that was cut short: the thread's next message finds it finished, as far as nobody is needed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver

from langchain_agentrein import AgentRein, ReversibleTool, reversible
from tests.support.agents import Hotel, calls, script
from tests.support.world import Charge, World

ON: Any = {"configurable": {"thread_id": "1"}}


async def test_a_walk_that_was_cut_short_is_finished_before_the_next_turn(
    rein: AgentRein, hotel: Hotel
) -> None:
    log: list[str] = []
    undoing = asyncio.Event()

    @reversible
    async def sign(name: str) -> str:
        """Sign a contract."""
        log.append(f"sign {name}")
        return name

    @sign.undo
    async def cancel(action: Any) -> None:
        undoing.set()
        await asyncio.sleep(0.05)
        log.append(f"cancel {action.args['name']}")

    agent: Any = create_agent(
        script(
            calls(("sign", {"name": "a"})),
            calls(("sign", {"name": "b"})),
            calls(("charge", {"amount": 1})),
            calls(("sign", {"name": "c"})),
            AIMessage("signed"),
        ),
        [sign, hotel.charge],
        middleware=[rein.middleware()],
        checkpointer=InMemorySaver(),
    )
    run = asyncio.create_task(agent.ainvoke({"messages": "sign a and b"}, ON))
    await undoing.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert log == ["sign a", "sign b", "cancel b"], "what had begun is settled, and no further undo begins"

    await agent.ainvoke({"messages": "now sign c"}, ON)

    assert log == ["sign a", "sign b", "cancel b", "cancel a", "sign c"]
    assert [str(session.status) for session in rein.sessions(thread="1")] == ["completed", "rolled_back"]


@pytest.mark.parametrize(
    ("on_failure", "statuses"),
    [("rollback", ["stuck", "compensated"]), ("ask", ["executed", "executed"])],
)
def test_a_question_about_a_walk_that_is_passed_over_is_no_answer(
    tmp_path: Path, hotel: Hotel, on_failure: Any, statuses: list[str]
) -> None:
    with AgentRein(f"sqlite:///{tmp_path}/journal.db", on_failure=on_failure) as rein:
        agent: Any = create_agent(
            script(
                calls(("world_charge", {"thing": "card"})),
                calls(("book", {"room": "a"})),
                calls(("charge", {"amount": 1})),
                AIMessage("hello"),
            ),
            [ReversibleTool.of_operation(Charge, World(tmp_path / "world.db")), hotel.book, hotel.charge],
            middleware=[rein.middleware()],
            checkpointer=InMemorySaver(),
        )
        out = agent.invoke({"messages": "pay and book"}, ON)
        assert out["__interrupt__"][0].value["action_requests"][0]["name"] == "agentrein_rollback"

        out = agent.invoke({"messages": "never mind, hello"}, ON)

        assert out["messages"][-1].text == "hello"
        # The refund moves money, and nobody agreed to it; under `ask` nobody agreed to any of it.
        assert [str(action.status) for action in rein.actions(thread="1")][:2] == statuses


@pytest.mark.parametrize(("on_failure", "log"), [("rollback", ["cancel a"]), ("ask", [])])
def test_cut_short_before_its_walk_nobody_walks_it_unasked(
    tmp_path: Path, hotel: Hotel, monkeypatch: pytest.MonkeyPatch, on_failure: Any, log: list[str]
) -> None:
    with AgentRein(f"sqlite:///{tmp_path}/journal.db", on_failure=on_failure) as rein:
        middleware = rein.middleware()
        agent: Any = create_agent(
            script(calls(("book", {"room": "a"})), calls(("charge", {"amount": 1}))),
            [hotel.book, hotel.charge],
            middleware=[middleware],
            checkpointer=InMemorySaver(),
        )

        def dies(state: Any, failure: Any) -> Any:
            raise KeyboardInterrupt

        monkeypatch.setattr(middleware, "_walk", dies)
        with pytest.raises(KeyboardInterrupt):
            agent.invoke({"messages": "book and pay"}, ON)
        rein.recover()

    assert hotel.log == ["book a", "charge 1", *log]
