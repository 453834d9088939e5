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


def dies(chat: Chat, moment: str) -> None:
    """Have the agent do `b`, and pull the plug at that moment of it."""
    served = chat.served
    served.world.set("kill", moment)
    chat.client.runs.create(chat.id, "agent", input=message(put(chat.thing("b"))))
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
    dies(chat, "after effect")
    assert [status for _, status in chat.outcomes] == ["executed", "executing"]

    verb(mortal, "recover")

    assert [status for _, status in chat.outcomes] == ["executed", "executed"]
    verb(mortal, "rollback", "--thread", chat.id, "--yes", "--by", "ops", "--all-sessions")
    assert [mortal.world.get(chat.thing(thing)) for thing in "ab"] == [None, None]
    assert mortal.world.count("do", chat.thing("b")) == mortal.world.count("undo", chat.thing("b")) == 1


def test_a_server_that_comes_back_goes_on_with_the_thread(mortal: Served) -> None:
    chat = mortal.chat()
    chat.say(put(chat.thing("a")))
    mortal.server.stop()  # an orderly end keeps the threads; after a kill those of the last seconds are lost
    mortal.server.start()
    chat = reopened(chat)
    dies(chat, "after effect")
    mortal.server.start()
    chat = reopened(chat)
    assert len(chat.state["values"]["messages"]) == 4, "what the killed run said is lost"

    chat.say(put(chat.thing("c")))

    assert chat.asked["name"] == "agentrein_orphans"
    chat.answer({"type": "approve"})
    assert [status for _, status in chat.outcomes] == ["executed", "restored", "executed"]
    assert mortal.world.get(chat.thing("b")) is None


def reopened(chat: Chat) -> Chat:
    """The same thread on the server's new port."""
    served = chat.served
    served.forget_clients()
    return Chat(served, chat.graph, served.client(), chat.id, chat.name)
