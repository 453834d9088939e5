"""The server's process is killed in the middle of a tool: its threads may be lost, the journal is not."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration_tests.server.conftest import Chat, Served, make, message, put
from tests.support.langgraph_server import ROOT


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Served]:
    """A server of the test's own."""
    made = make(tmp_path, f"sqlite:///{tmp_path}/journal.db")
    made.server.start()
    yield made
    made.close()


def dies(chat: Chat, thing: str, moment: str) -> None:
    """Have the agent put a thing, and pull the plug at that moment of it."""
    served = chat.served
    served.world.set("kill", moment)
    chat.client.runs.create(chat.id, "agent", input=message(put(chat.thing(thing))))
    assert served.server.wait() == -signal.SIGKILL


def verb(served: Served, *words: str) -> str:
    """`agentrein`, as another process runs it beside the server."""
    done = subprocess.run(
        [sys.executable, "-m", "langchain_agentrein", "--app", "tests.support.served:rein", *words],
        cwd=ROOT,
        env=served.server.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_recover_settles_what_the_server_left(mortal: Served) -> None:
    chat = mortal.chat()
    chat.say(put(chat.thing("a")))
    dies(chat, "b", "after effect")
    assert [status for _, status in chat.outcomes] == ["executed", "executing"]

    verb(mortal, "recover")

    assert [status for _, status in chat.outcomes] == ["executed", "executed"]
    verb(mortal, "rollback", "--thread", chat.id, "--yes", "--by", "ops", "--all-sessions")
    assert [mortal.world.get(chat.thing(thing)) for thing in "ab"] == [None, None]
    assert mortal.world.count("do", chat.thing("b")) == mortal.world.count("undo", chat.thing("b")) == 1


def test_a_server_that_ends_in_order_and_one_that_is_killed_both_go_on(mortal: Served) -> None:
    chat = mortal.chat()
    mortal.world.set("wait", "after effect")
    chat.client.runs.create(chat.id, "agent", input=message(put(chat.thing("a")), put(chat.thing("b"))))
    mortal.world.reached("after effect")
    mortal.server.terminate("Shutting down background workers")
    mortal.world.set("wait", None)
    mortal.server.wait()
    assert chat.outcomes == [("world.put", "executed")], "its receipt came first"

    # The server keeps its threads over an orderly end, and tries the run again of its own accord.
    mortal.server.start()
    chat = reopened(chat)
    [run] = chat.client.runs.list(chat.id)
    chat.client.runs.join(chat.id, run["run_id"])
    assert [mortal.world.count("do", chat.thing(thing)) for thing in "ab"] == [1, 1]
    mortal.server.stop()

    # After a kill those of the last seconds are lost.
    mortal.server.start()
    chat = reopened(chat)
    dies(chat, "c", "after effect")
    mortal.server.start()
    chat = reopened(chat)
    assert len(chat.state["values"]["messages"]) == 6, "of the killed run the server knows nothing"
    chat.say(put(chat.thing("d")))
    assert chat.asked["name"] == "agentrein_orphans"
    chat.answer({"type": "approve"})
    assert [status for _, status in chat.outcomes] == ["executed", "executed", "restored", "executed"]
    assert mortal.world.get(chat.thing("c")) is None


def reopened(chat: Chat) -> Chat:
    """The same thread on the server's new port."""
    served = chat.served
    served.forget_clients()
    return Chat(served, chat.graph, served.client(), chat.id, chat.name)
