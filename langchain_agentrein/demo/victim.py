"""The process that `agentrein demo --kill` kills: it works until a chosen moment, and ends itself.

python -m langchain_agentrein.demo.victim FOLDER THREAD before-commit|after-commit
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from langgraph.types import Command
from sqlalchemy import event

from langchain_agentrein.action import Action, Status
from langchain_agentrein.demo.agent import Desk, open_desk
from langchain_agentrein.demo.script import BULK_DELETE, GOAL, clean_up
from langchain_agentrein.demo.scripted import ScriptedModel
from langchain_agentrein.demo.shop import Shop

MOMENTS = ("before-commit", "after-commit")


def main(folder: str, thread: str, moment: str) -> None:
    """Work until `moment` of the bulk deletion."""
    desk = open_desk(Shop(Path(folder)), ScriptedModel(script=clean_up))
    (_die_before_commit if moment == "before-commit" else _die_after_commit)(desk)
    config: Any = {"configurable": {"thread_id": thread, "approver": "demo"}}
    task: Any = {"messages": [{"role": "user", "content": GOAL}]}
    while True:
        state = desk.agent.invoke(task, config)
        if "__interrupt__" not in state:
            return
        requests = state["__interrupt__"][0].value["action_requests"]
        task = Command(resume={"decisions": [{"type": "approve"} for _ in requests]})


def _die() -> None:
    # Not an exit: no `finally`, no `atexit`, no flush, as when the power goes.
    os.kill(os.getpid(), signal.SIGKILL)


def _die_before_commit(desk: Desk) -> None:
    """The record is durable, the rows are deleted, but the database was not yet told to commit."""
    deleted = False

    @event.listens_for(desk.engine, "before_cursor_execute")
    def look(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal deleted
        deleted = deleted or statement.startswith(BULK_DELETE)

    @event.listens_for(desk.engine, "commit")
    def commit(_connection: Any) -> None:
        if deleted:
            _die()


def _die_after_commit(desk: Desk) -> None:
    """The rows are gone for good, and the journal was not yet told."""
    journal = desk.rein.journal
    move = journal.move

    def moved(action: Action, to: Status, **changes: Any) -> Action:
        if to is Status.EXECUTED and action.args.get("statement") == BULK_DELETE:
            _die()
        return move(action, to, **changes)

    setattr(journal, "move", moved)  # noqa: B010  (a method of this one object)


if __name__ == "__main__":
    main(*sys.argv[1:])
