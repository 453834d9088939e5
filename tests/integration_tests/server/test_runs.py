"""Agents on LangGraph's own server: run, asked, resumed, failed, unwound, rolled back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from langchain_agentrein import Action
from tests.integration_tests.server.conftest import Served, message, put
from tests.support.langgraph_server import ROOT

APPROVE, REJECT = {"type": "approve"}, {"type": "reject"}
EVERY_GRAPH = pytest.mark.parametrize("graph", ["agent", "reversible", "by_hand"])
DECLINE = [["decline", {"why": "no money"}]]
VIP = put("vip", n=1)


def approver(action: Action) -> str | None:
    assert action.approval is not None
    return action.approval.by


def last(values: Any) -> str:
    return str(values["messages"][-1]["content"])


@EVERY_GRAPH
def test_it_runs_asks_and_goes_on_when_it_is_resumed(served: Served, graph: str) -> None:
    chat = served.chat(graph)
    a, b = chat.thing("a"), chat.thing("b")

    out = chat.say([*put(a), *put(b)], [["linger", {"seconds": 0.01}]], VIP)

    [interrupt] = out["__interrupt__"]
    assert interrupt["value"]["review_configs"] == [
        {"action_name": "world_put", "allowed_decisions": ["approve", "edit", "reject", "respond"]}
    ]
    assert chat.status == "interrupted"
    assert chat.asked["args"] == {"thing": "vip", "fields": {"n": 1}}
    assert chat.asked["action_id"] == chat.actions[-1].id
    assert [status for _, status in chat.outcomes] == ["executed"] * 3 + ["proposed"]

    chat.answer(APPROVE, user="bob")

    assert (chat.status, chat.runs) == ("idle", ["success", "success"])
    assert [status for _, status in chat.outcomes] == ["executed"] * 4
    assert approver(chat.actions[-1]) == "bob"
    assert served.world.get(a) == {"n": 1}
    if graph != "by_hand":
        assert chat.state["values"]["action_stack"] == [action.id for action in chat.actions]


def test_a_rejected_call_does_not_run(served: Served) -> None:
    chat = served.chat()
    chat.say(VIP)

    out = chat.answer({**REJECT, "message": "not that one"})

    assert chat.outcomes == [("world.put", "rejected")]
    assert "not that one" in out["messages"][-2]["content"]


def test_an_answer_that_does_not_fit_can_be_given_again(served: Served) -> None:
    chat = served.chat()
    chat.say(VIP)
    args = {"thing": chat.thing("plain"), "fields": {"n": 2}}

    chat.answer(APPROVE, APPROVE)
    assert chat.outcomes == [("world.put", "proposed")]

    chat.answer({"type": "edit", "edited_action": {"name": "world_put", "args": args}})
    [action] = chat.actions
    assert (action.args, str(action.status)) == (args, "executed")
    assert served.world.get(chat.thing("plain")) == {"n": 2}


def test_the_approver_is_who_the_server_authenticated(served: Served) -> None:
    chat = served.chat()
    claim: Any = {"configurable": {"approver": "mallory"}}
    chat.say(VIP, config=claim)

    chat.answer({**APPROVE, "by": "mallory", "approver": "mallory"}, user="bob", config=claim)

    assert approver(chat.actions[0]) == "bob"


@EVERY_GRAPH
def test_a_failure_unwinds_everything_and_the_next_message_works(served: Served, graph: str) -> None:
    chat = served.chat(graph)
    a, b = chat.thing("a"), chat.thing("b")

    out = chat.say(put(a), put(b), DECLINE)

    assert out["__error__"]["error"] == "SessionFailed"
    assert (chat.status, chat.runs) == ("error", ["error"])
    assert chat.outcomes == [("world.put", "restored"), ("world.put", "restored"), ("decline", "failed")]
    assert [served.world.get(thing) for thing in (a, b)] == [None, None]
    assert served.rein.sessions(thread=chat.id)[0].status == "rolled_back"
    if graph == "by_hand":
        return  # its state is its own
    # To the client the server hides what an error of ours says; the thread's last message says it.
    told = last(chat.state["values"])
    assert "no money" in told and "What it had done was undone: 2 restored." in told

    chat.say(put(a))
    assert chat.status == "idle"
    assert served.world.get(a) == {"n": 1}


def test_far_reaching_undos_are_asked_about(served: Served) -> None:
    chat = served.chat()

    chat.say([["world_charge", {"thing": chat.thing("card")}]], put(chat.thing("a")), DECLINE)

    assert chat.status == "interrupted"
    assert chat.asked["name"] == "agentrein_rollback"
    assert served.world.get(chat.thing("a")) == {"n": 1}, "nothing is undone before the answer"

    out = chat.answer(APPROVE, user="bob")

    assert out["__error__"]["error"] == "SessionFailed"
    assert chat.outcomes[:2] == [("world.charge", "compensated"), ("world.put", "restored")]
    assert chat.actions[0].undo.approved_by == "bob"


def test_a_conflict_is_asked_about(served: Served) -> None:
    chat = served.chat()
    a = chat.thing("a")
    chat.say(put(a), VIP, DECLINE)
    served.world.put(a, {"n": 9})

    chat.answer(APPROVE)

    assert chat.asked["name"] == "agentrein_undo"
    assert chat.outcomes[:2] == [("world.put", "conflict"), ("world.put", "restored")]
    chat.answer(REJECT)
    assert chat.status == "error"
    assert served.world.get(a) == {"n": 9}, "nobody's work is overwritten"


async def test_each_undo_is_streamed(served: Served) -> None:
    undone: list[int] = []
    events: list[str] = []
    async with served.async_client() as client:
        thread = (await client.threads.create())["thread_id"]
        turns = [put(f"{name}-{thread}") for name in "abc"]
        async for part in client.runs.stream(
            thread, "agent", input=message(*turns, DECLINE), stream_mode="updates", stream_subgraphs=True
        ):
            events.append(part.event)
            if part.event.startswith("updates|") and "undo" in part.data:
                undone.append(part.data["undo"]["below"])

    actions = served.rein.actions(thread=thread)
    assert undone == [action.seq for action in reversed(actions[:3])] + [0]
    assert events[-1] == "error"


async def test_many_at_once(served: Served) -> None:
    async with served.async_client() as client:

        async def one(number: int) -> str:
            thread = str((await client.threads.create())["thread_id"])
            turns = [[*put(f"{thread}-a"), *put(f"{thread}-b")], put(f"{thread}-c")]
            context: Any = {"number": number}
            await client.runs.wait(thread, "agent", input=message(*turns), context=context)
            return thread

        threads = await asyncio.gather(*(one(number) for number in range(8)))

    for thread in threads:
        assert [str(action.status) for action in served.rein.actions(thread=thread)] == ["executed"] * 3


def test_rolled_back_by_another_process(served: Served) -> None:
    chat = served.chat()
    chat.say(put(chat.thing("a")), put(chat.thing("b")))

    report = served.rein.rollback(thread=chat.id, reason="wrong list", by="ops@acme.com")

    assert report.complete and report.counts == {"restored": 2}
    assert served.world.get(chat.thing("a")) is None
    chat.say(put(chat.thing("c")))
    assert chat.status == "idle", "the thread goes on"


def test_rolled_back_from_the_command_line(served: Served) -> None:
    chat = served.chat()
    chat.say(put(chat.thing("a")))

    done = subprocess.run(
        [
            *(sys.executable, "-m", "langchain_agentrein", "--app", "tests.support.served:rein"),
            *("rollback", "--thread", chat.id, "--yes", "--by", "ops@acme.com"),
        ],
        cwd=ROOT,
        env=served.server.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert chat.outcomes == [("world.put", "restored")]


def test_a_run_without_a_thread_cannot_ask(served: Served) -> None:
    client = served.client()

    done = client.runs.wait(None, "agent", input=message(put(f"loose-{id(client)}")), raise_error=False)
    assert last(done) == "so be it"

    out = client.runs.wait(None, "agent", input=message(VIP), raise_error=False)
    assert out["__error__"]["error"] == "ConfigError"
    assert "on a thread" in out["__error__"]["message"]


def test_the_server_decides_how_durable_a_run_is_and_not_the_agent(served: Served) -> None:
    chat = served.chat("reversible")
    told = [
        chat.say([["durability", {}]], **options)["messages"][-2]["content"]
        for options in ({}, {"durability": "sync"})
    ]
    assert told == ["async", "sync"]


def test_an_assistants_own_config(served: Served) -> None:
    chat = served.chat()
    assistant = chat.client.assistants.create("agent", config={"recursion_limit": 12})
    chat.graph = assistant["assistant_id"]

    # The caller's recursion limit ends the run, and is no failure of the session: it can be rolled back.
    out = chat.say(*[put(chat.thing(name)) for name in "abcdefgh"])
    assert out["__error__"]["error"] == "GraphRecursionError"
    assert served.rein.sessions(thread=chat.id)[0].status == "open"
    assert served.rein.rollback(thread=chat.id, by="ops").complete


def test_the_watch_sees_a_call_that_blocks(served: Served) -> None:
    chat = served.chat()

    chat.say([["block", {"seconds": 0.01}]])

    seen = served.server.blocking.read_text()
    served.server.blocking.unlink()
    assert "tests/support/served.py" in seen and "in block" in seen
