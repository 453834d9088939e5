"""What the tests' LangGraph server serves: an agent on the small world, which does what the message says.

The message is JSON, a list of turns, each a list of `[tool, arguments]`. `SERVED_WORLD` names the world's file,
and `AGENTREIN_JOURNAL` the journal.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph._internal._constants import CONFIG_KEY_DURABILITY
from langgraph.config import get_config
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph_sdk import Auth

from langchain_agentrein import AgentRein, ApprovalRule, ReversibleTool, reversible
from langchain_agentrein.graphs import add_compensation, build_gate, create_reversible_agent
from tests.support.agents import Declined
from tests.support.models import says
from tests.support.world import Charge, Mail, Put, Slow, World


class Obedient(BaseChatModel):
    """Does what the last human message says, turn by turn."""

    @property
    def _llm_type(self) -> str:
        return "obedient"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Obedient:
        """It is told by name."""
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **_: Any
    ) -> ChatResult:
        since = max(at for at, message in enumerate(messages) if isinstance(message, HumanMessage))
        said = sum(isinstance(message, AIMessage) for message in messages[since:])
        turns = json.loads(messages[since].text)
        calls = [(name, args) for name, args in turns[said]] if said < len(turns) else []
        return ChatResult(generations=[ChatGeneration(message=_fresh(says("so be it", *calls)))])


def _fresh(message: AIMessage) -> AIMessage:
    named = [{**call, "id": f"call_{os.urandom(6).hex()}"} for call in message.tool_calls]
    return message.model_copy(update={"tool_calls": named})


@reversible(undo=lambda action: None, not_done=(Declined,))
def decline(why: str) -> str:
    """Fail, having done nothing."""
    raise Declined(why)


@reversible(read_only=True)
def durability() -> str:
    """How this run keeps its checkpoints."""
    return str(get_config()["configurable"][CONFIG_KEY_DURABILITY])


@reversible(undo=lambda action: None)
async def linger(seconds: float) -> str:
    """Take some time, on the loop."""
    await asyncio.sleep(seconds)
    return "lingered"


@reversible(undo=lambda action: None)
async def block(seconds: float) -> str:
    """Block the loop, which nobody should."""
    time.sleep(seconds)  # noqa: ASYNC251
    return "blocked"


world = World(os.environ["SERVED_WORLD"])
rein = AgentRein(
    os.environ["AGENTREIN_JOURNAL"],
    rules=[
        ApprovalRule("world.put", "ask", when=lambda action: action.args["thing"] == "vip"),
        ApprovalRule("block", "allow"),
    ],
    clients={"world": world},
    backoff=0.01,
    lease=2.0,
)
TOOLS = [
    *(ReversibleTool.of_operation(operation, world) for operation in (Put, Charge, Mail, Slow)),
    linger,
    decline,
    block,
    durability,
]

agent = create_agent(Obedient(), TOOLS, middleware=[rein.middleware()])
# The server brings the checkpointer: `True` says so.
reversible_agent = create_reversible_agent(Obedient(), TOOLS, rein=rein, checkpointer=True)


def _by_hand() -> StateGraph[Any, Any, Any, Any]:
    tools, model = rein.tools(*TOOLS), Obedient()

    async def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("model", ask)
    builder.add_node("gate", build_gate(rein, tools))
    builder.add_node("tools", ToolNode(tools, handle_tool_errors=False))
    builder.add_edge(START, "model")
    builder.add_edge("model", "gate")
    builder.add_conditional_edges("gate", tools_condition)
    builder.add_edge("tools", "model")
    return add_compensation(builder, rein=rein)


by_hand = _by_hand()

auth = Auth()


@auth.authenticate
async def authenticate(authorization: str | None) -> Auth.types.MinimalUserDict:
    """Whoever says `Bearer NAME` is NAME."""
    kind, _, name = (authorization or "").partition(" ")
    if kind != "Bearer" or not name:
        raise Auth.exceptions.HTTPException(status_code=401, detail="who are you?")
    return {"identity": name}
