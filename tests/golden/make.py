"""Write a golden journal: `python -m tests.golden.make tests/golden/v1.db`.

What a release wrote, every later release must still verify, show and undo. A new schema or a new
version of an operation gets a new file; the old ones stay as they are.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from langchain_agentrein import AgentRein, ApprovalRequired, ApprovalRule
from langchain_agentrein.action import Intent, SessionRecord
from langchain_agentrein.engine import Call
from langchain_agentrein.flow import run
from tests.golden.operations import GoldenPay, GoldenPut, GoldenSend, Shelf

KEY = "x3a0Vwz6Y0ZSc1Hq7pPNgnhZ1xLMqVNlBTtDhBhDgJo="
"""Seals the secrets of the golden journals; it protects nothing else."""
RULES = [
    ApprovalRule("golden.send", "allow"),
    ApprovalRule("golden.put", "ask", when=lambda action: action.args["thing"] == "waiting"),
]


def write(target: Path, shelf: Shelf) -> None:
    """Write the journal to `target`, acting on `shelf`."""
    target.unlink(missing_ok=True)
    with AgentRein(f"sqlite:///{target}", seal=KEY, rules=RULES, clients={"golden": shelf}) as rein:
        rein.journal.worker = "golden:1:0"  # no trace of the machine that wrote it
        done = SessionRecord("ses_done", goal="put things on the shelf", thread_id="thread", tenant="acme")
        for n, op in enumerate(
            [
                GoldenPut(thing="plain", value=1),
                GoldenPut(thing="plain", value={"$odd": "\x00 \ud83d \U0001f600", "big": 2**100}),
                GoldenPut(thing="secret", value={"password": "hunter2"}),
                GoldenPay(thing="paid", value=5),
            ]
        ):
            intent = Intent(f"step {n}", "reasoning", done.goal, 0.1, "model", "run")
            run(rein.perform(op, shelf, Call(done, f"key-{n}", "thread", f"call-{n}", "msg", intent)))
        open_ = SessionRecord("ses_open", thread_id="thread")
        with suppress(TimeoutError):
            run(rein.perform(GoldenSend(thing="sent"), shelf, Call(open_, "sent")))
        with suppress(ApprovalRequired):
            run(rein.perform(GoldenPut(thing="waiting", value=1), shelf, Call(open_, "waiting")))
        gone = SessionRecord("ses_gone", goal="be forgotten", thread_id="other")
        run(rein.perform(GoldenPut(thing="gone", value=1), shelf, Call(gone)))
        rein.rollback(session="ses_gone", reason="a test", by="ana")
        rein.forget(session="ses_gone", by="dpo")
    with sqlite3.connect(target) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        write(Path(sys.argv[1]), Shelf(Path(directory)))
