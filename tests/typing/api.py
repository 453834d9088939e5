"""The public API as a user's type checker sees it; checked by `make type`, never run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_type

from github import Github
from langchain.agents import create_agent
from langchain_core.tools import BaseTool

from langchain_agentrein import (
    Action,
    AgentRein,
    AgentReinMiddleware,
    ApprovalRule,
    Decision,
    Happened,
    NotHappened,
    Operation,
    Reversal,
    ReversibleTool,
    Risk,
    RollbackPlan,
    RollbackReport,
    Session,
    Timeline,
    Unknown,
    reversible,
)
from langchain_agentrein.toolkits import FilesToolkit, SQLToolkit


def plain(room: str) -> dict[str, str]:
    """Book a room."""
    return {"room": room}


def cancel(action: Action) -> None:
    """Cancel it."""


assert_type(reversible(plain, undo=cancel), ReversibleTool)


@reversible(undo=cancel, risk=Risk.HIGH)
def book(room: str) -> dict[str, str]:
    """Book a room."""
    return {"room": room}


assert_type(book, ReversibleTool)


class Retitle(Operation):
    """Change an issue's title."""

    name, risk, reversal = "tracker.issues.retitle", Risk.MEDIUM, Reversal.EXACT
    number: int
    title: str

    def do(self, api: Any, action: Action) -> Any:
        return {"number": self.number}

    def probe(self, api: Any, action: Action) -> Happened | NotHappened | Unknown:
        return Unknown("it cannot be told")


def careful(action: Action) -> Decision | bool:
    """Decide about it."""
    return Decision("approve", by="ana") if action.risk < Risk.HIGH else False


RULES = [
    ApprovalRule("book", "ask", above=Risk.LOW),
    ApprovalRule("mail", "hold", release_after=timedelta(minutes=5)),
    ApprovalRule("note", "hold", release_after=1.5),
]
with AgentRein("sqlite:///x.db", rules=RULES) as rein:
    assert_type(rein, AgentRein)
    assert_type(rein.tools(book, FilesToolkit("."), SQLToolkit("sqlite:///y.db")), list[BaseTool])
    assert_type(rein.middleware(), AgentReinMiddleware)
    assert_type(rein.plan(thread="1"), RollbackPlan)
    assert_type(rein.rollback(thread="1", by="ana"), RollbackReport)
    assert_type(rein.recover(), RollbackReport)
    assert_type(rein.held(thread="1"), list[Action])
    assert_type(rein.release("act_1", by="ana"), Action)
    assert_type(rein.drop("act_1", by="ana", reason="wrong"), Action)
    assert_type(rein.timeline(session="1"), Timeline)
    assert_type(rein.wrap(Github(), unknown="deny", wait=5.0, approver=careful), Github)
    with rein.keyed("import-7"):
        rein.wrap(Github(), rein.session(intent="book"), connector="github")
    agent = create_agent("openai:x", rein.tools(book), middleware=[rein.middleware()])
    with rein.session(intent="book") as session:
        assert_type(session, Session)
        assert_type(session.actions(), list[Action])


async def asynchronous(rein: AgentRein) -> None:
    """The twins."""
    assert_type(await rein.arollback(thread="1"), RollbackReport)
    assert_type(await rein.aplan(session="1"), RollbackPlan)
    assert_type(await rein.aheld(), list[Action])
    assert_type(await rein.arelease("act_1", by="ana"), Action)
    assert_type(await rein.adrop("act_1", by="ana"), Action)
    async with rein.session(intent="book") as session:
        await session.arollback(by="ana")
