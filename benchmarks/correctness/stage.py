"""What every system is given in its process: the script, the world, the tools as plain functions, the checkpointer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain.agents.middleware import AgentMiddleware, hook_config
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import interrupt

from benchmarks.correctness.scenarios import BY_NAME
from benchmarks.correctness.world import Client
from tests.support.models import ScriptedModel, says, scripted_model

CONFIG: dict[str, Any] = {"configurable": {"thread_id": "task"}}
TASK: dict[str, Any] = {"messages": [("user", "Do the shopping")]}
DONE, FAILED = "All done.", "I could not do it."


class Stage:
    """One scenario, in one directory, in this process."""

    def __init__(self, directory: Path, scenario: str) -> None:
        self.directory, self.scenario = directory, BY_NAME[scenario]
        self.world = Client(directory)

    @property
    def model(self) -> ScriptedModel:
        """Plays the scenario's turns, whichever process asks."""
        return scripted_model(*[self._turn] * 50)

    def _turn(self, messages: Sequence[BaseMessage]) -> AIMessage:
        if any(isinstance(message, ToolMessage) and message.status == "error" for message in messages):
            return AIMessage(FAILED)
        turns = self.scenario.turns
        at = sum(bool(message.tool_calls) for message in messages if isinstance(message, AIMessage))
        if at == len(turns) - 1 and self.scenario.meanwhile:
            verb, args = self.scenario.meanwhile
            self.world.act(verb, by="ana", **args)
        return says("I go on.", *turns[at]) if at < len(turns) else AIMessage(DONE)

    def moment(self, name: str) -> None:
        """Die here if the scenario says so, once, as if somebody had pulled the plug."""
        died = self.directory / "died"
        if self.scenario.kill == name and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def order(self, item: str, mark: str | None = None) -> Any:
        """The effect, with the moments around it."""
        if item == self.scenario.at:
            self.moment("before effect")
        if item == self.scenario.slow_item:
            time.sleep(0.5)
        told = self.world.act("order", item=item, mark=mark)
        if item == self.scenario.at:
            self.moment("after effect")
            if self.scenario.review == "tool":
                interrupt("Look at the order.")
        return told

    def cancel(self, order_id: str, key: str | None = None) -> Any:
        """The undo, with the moment after it."""
        told = self.world.act("cancel", order_id=order_id, key=key)
        if self.world.state()["orders"][order_id]["item"] == self.scenario.at:
            self.moment("after undo")
        return told

    def neighbours(self) -> list[AgentMiddleware[Any, Any, Any]]:
        """The middleware of others that the scenario has in the agent."""
        found: list[AgentMiddleware[Any, Any, Any]] = []
        if self.scenario.jump:
            found.append(Jumper())
        if self.scenario.review == "middleware":
            found.append(Reviewer())
        return found

    @property
    def file(self) -> str:
        return str(self.directory / "checkpoints.db")

    def saver(self) -> Any:
        """A `SqliteSaver`, as a context manager."""
        return self._told(Saver)

    def async_saver(self) -> Any:
        """The same for `ainvoke`."""
        return self._told(AsyncSaver)

    def _told(self, kind: Any) -> Any:
        kind.stage = self
        return kind.from_conn_string(self.file)

    def before_tools(self, states: Sequence[Any]) -> Any:
        """The config of the first checkpoint that was about to run tools."""
        return [state for state in states if "tools" in state.next][-1].config


class Saver(SqliteSaver):
    """Slow, or the last thing that a process writes to, if the scenario says so."""

    stage: Stage

    def put(self, *args: Any, **kwargs: Any) -> Any:
        time.sleep(self.stage.scenario.slow_saver)
        return super().put(*args, **kwargs)

    def put_writes(self, config: Any, writes: Any, *args: Any, **kwargs: Any) -> None:
        _die_before(self.stage, writes)
        super().put_writes(config, writes, *args, **kwargs)


class AsyncSaver(AsyncSqliteSaver):
    """The same for `ainvoke`."""

    stage: Stage

    async def aput(self, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(self.stage.scenario.slow_saver)
        return await super().aput(*args, **kwargs)

    async def aput_writes(self, config: Any, writes: Any, *args: Any, **kwargs: Any) -> None:
        _die_before(self.stage, writes)
        await super().aput_writes(config, writes, *args, **kwargs)


def _die_before(stage: Stage, writes: Any) -> None:
    for _, value in writes:
        for message in value if isinstance(value, list) else []:
            if isinstance(message, ToolMessage) and f'"{stage.scenario.at}"' in str(message.content):
                stage.moment("checkpoint")


class Jumper(AgentMiddleware[Any, Any, Any]):
    """Sends the run to the tools although the call was answered."""

    @hook_config(can_jump_to=["tools"])
    def before_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        answered = sum(isinstance(message, ToolMessage) for message in state["messages"])
        return {"jump_to": "tools"} if answered == 1 else None


class Reviewer(AgentMiddleware[Any, Any, Any]):
    """Asks a person to look at the first order's result, after it was made."""

    def wrap_tool_call(self, request: Any, handler: Any) -> Any:
        told = handler(request)
        if request.tool_call["args"].get("item") == "a":
            interrupt("Look at the order.")
        return told

    async def awrap_tool_call(self, request: Any, handler: Any) -> Any:
        told = await handler(request)
        if request.tool_call["args"].get("item") == "a":
            interrupt("Look at the order.")
        return told


def outcome(out: Any, handed: Sequence[str] = ()) -> dict[str, Any]:
    """How a run ended: `done`, `failed` or `asked`, and the tools whose effects were handed to a person."""
    if out.get("__interrupt__"):
        value = out["__interrupt__"][0].value
        return {"ended": "asked", "about": json.loads(json.dumps(value, default=str)), "handed": list(handed)}
    ended = "done" if out["messages"][-1].text == DONE else "failed"
    return {"ended": ended, "handed": list(handed)}
