"""An agent in a process of its own, which kills itself at a chosen moment.

    python -m tests.support.crashing_agent DIRECTORY run|resume [DECISION]

The world is `DIRECTORY/world.log`, one line for each effect and each undo. `DIRECTORY/plan.json` says
`{"durability": str, "kill": moment, "probe": bool}`; a moment that was reached once is struck from it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from langchain_agentrein import AgentRein, Happened, NotHappened, SessionFailed, reversible
from tests.support.agents import calls, script

HERE = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
CONFIG: Any = {"configurable": {"thread_id": "crash"}}


def plan() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((HERE / "plan.json").read_text())
    return loaded


def world() -> list[str]:
    log = HERE / "world.log"
    return log.read_text().splitlines() if log.exists() else []


def happen(what: str) -> None:
    with (HERE / "world.log").open("a") as log:
        log.write(what + "\n")
        log.flush()
        os.fsync(log.fileno())


def moment(name: str) -> None:
    """Die here, if the plan says so, as if somebody had pulled the plug."""
    wanted = plan()
    if wanted.get("kill") == name:
        (HERE / "plan.json").write_text(json.dumps({**wanted, "kill": None}))
        os.kill(os.getpid(), signal.SIGKILL)


@reversible
def book(room: str) -> str:
    """Book a room."""
    if room == plan().get("at", "a"):
        moment("before effect")
    happen(f"book {room}")
    if room == plan().get("at", "a"):
        moment("after effect")
    return room


@book.undo
def cancel(action: Any) -> None:
    happen(f"cancel {action.args['room']}")
    if action.args["room"] == plan().get("at", "a"):
        moment("after undo")


@book.observe
def look(action: Any) -> dict[str, bool]:
    lines = [line for line in world() if line.endswith(" " + action.args["room"])]
    return {"booked": bool(lines) and lines[-1].startswith("book")}


@book.snapshot
def free(room: str) -> dict[str, bool]:
    return {"booked": False}


def find(action: Any) -> Any:
    if f"book {action.args['room']}" not in world():
        return NotHappened()
    return Happened(action.args["room"], after={"booked": True})


@reversible(undo=lambda action: None, not_done=(ValueError,))
def charge(amount: int) -> str:
    """Charge the card."""
    raise ValueError("declined")


class Slow(SqliteSaver):
    """A saver whose writes come late, as they may under `durability="async"`."""

    def put(self, *args: Any, **kwargs: Any) -> Any:
        time.sleep(0.5)
        return super().put(*args, **kwargs)


def turn(messages: Any) -> AIMessage:
    """Book a, then b; charge, if the plan says so; say what happened."""
    answers = [message for message in messages if isinstance(message, ToolMessage)]
    if len(answers) < 2:
        return calls(("book", {"room": "ab"[len(answers)]}), text="booking")
    if len(answers) == 2 and plan().get("charge"):
        return calls(("charge", {"amount": 1}))
    return AIMessage("all booked")


def main() -> None:
    wanted = plan()
    if wanted.get("probe", True):
        book.probe(find)
    saver = Slow if wanted.get("slow") else SqliteSaver
    rein = AgentRein(f"sqlite:///{HERE}/journal.db", backoff=0.01, on_orphans=wanted.get("on_orphans", "ask"))
    with saver.from_conn_string(f"{HERE}/checkpoints.db") as checkpointer:
        agent: Any = create_agent(
            script(*[turn] * 10),
            [book, charge],
            middleware=[rein.middleware()],
            checkpointer=checkpointer,
        )
        message: Any = {"messages": "book a and b"} if sys.argv[2] == "run" else None
        if len(sys.argv) > 3:
            message = Command(resume={"decisions": [{"type": sys.argv[3]}]})
        try:
            out = agent.invoke(message, CONFIG, durability=wanted["durability"])
        except SessionFailed as error:
            print(json.dumps({"failed": error.report.counts if error.report else None}))
            return
    asked = [one.value["action_requests"][0]["name"] for one in out.get("__interrupt__", ())]
    print(json.dumps({"asked": asked, "last": out["messages"][-1].text}))


if __name__ == "__main__":
    main()
