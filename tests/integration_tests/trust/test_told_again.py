"""A secret in what a tool answered, and no key to seal it: the same call again is told what is hidden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from langchain_agentrein import AgentRein, ApprovalRule, reversible

TOKEN = "t-5f1c0b7d"


@pytest.mark.filterwarnings("ignore:.*unwinds")
@pytest.mark.parametrize("seal", [None, Fernet.generate_key().decode()], ids=["without a key", "with a key"])
def test_a_call_that_ran_before(tmp_path: Path, seal: str | None) -> None:
    with AgentRein(
        f"sqlite:///{tmp_path}/journal.db", rules=[ApprovalRule("login", "allow")], seal=seal
    ) as rein:
        rein.unwinds = True

        @reversible(undo=lambda action: None)
        def login(user: str) -> dict[str, Any]:
            """Log in."""
            return {"access_token": TOKEN, "user": user}

        builder = StateGraph(MessagesState)
        builder.add_node("tools", ToolNode(rein.tools(login)))
        builder.add_edge(START, "tools")
        graph: Any = builder.compile()
        call = {"name": "login", "args": {"user": "ana"}, "id": "call_1"}
        message = AIMessage("", id="msg_1", tool_calls=[call])

        def told() -> str:
            config = {"configurable": {"thread_id": "1"}}
            return str(graph.invoke({"messages": [message]}, config)["messages"][-1].content)

        first, again = told(), told()
        assert len(rein.actions(thread="1")) == 1
        assert TOKEN in first
        assert again == (first if seal else first.replace(TOKEN, "[redacted]"))
        files = b"".join(file.read_bytes() for file in tmp_path.glob("journal.db*"))
        assert TOKEN.encode() not in files
