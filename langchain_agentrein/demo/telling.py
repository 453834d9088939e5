"""What the stories share: an agent is driven to its end, and what it says, and is asked, is shown."""

from __future__ import annotations

import getpass
from collections import Counter
from collections.abc import Sequence
from typing import Any

import typer
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langgraph.types import Command
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from langchain_agentrein.errors import SessionFailed
from langchain_agentrein.intent import reasoning_of
from langchain_agentrein.timeline.shown import brief, line

EXIT_DIFFERS = 1
MANY = 6
"""Calls of one kind that are all shown; of more, the first few are."""
FEW = 3


class Telling:
    """One run of an agent, told as it goes.

    Args:
        yes: Nobody is there to be asked: `stand_in` answers.
    """

    def __init__(self, console: Console, *, yes: bool) -> None:
        self.console, self.yes = console, yes
        self._announced: Counter[str] = Counter()
        self._answers: Counter[str] = Counter()

    def noticed(self, message: BaseMessage) -> None:
        """Called with every message, before it is shown."""

    def stand_in(self, request: dict[str, Any]) -> dict[str, Any]:
        """The decision where nobody is there to be asked."""
        return {"type": "approve"}

    def work(self, agent: Any, goal: str, thread: str) -> SessionFailed | None:
        """Give the agent its task, and answer what it asks, to its end.

        Returns:
            How it failed, if it did.
        """
        self.console.print(Text.assemble(("user  ", "bold cyan"), goal))
        config: Any = {"configurable": {"thread_id": thread, "approver": approver(self.yes)}}
        task: Any = {"messages": [{"role": "user", "content": goal}]}
        try:
            while task is not None:
                task = self._until_asked(agent, task, config)
        except SessionFailed as failed:
            self.console.print(
                Text("\nSessionFailed was raised: whoever runs this agent sees a failure.", "red")
            )
            return failed
        return None

    def chapter(self, title: str) -> None:
        """A line across, with what comes below it."""
        self.console.print()
        self.console.rule(Text(title, "bold"), style="bright_black", align="left")

    def _until_asked(self, agent: Any, task: Any, config: Any) -> Any:
        """Run on until the end (`None`), or until a person must answer (what to resume with)."""
        for update in agent.stream(task, config, stream_mode="updates"):
            for node, changes in update.items():
                if node == "__interrupt__":
                    return Command(resume={"decisions": self._ask(changes[0].value["action_requests"])})
                for message in (changes or {}).get("messages", ()):
                    self.noticed(message)
                    self._show(message)
        return None

    def _show(self, message: Any) -> None:
        if isinstance(message, AIMessage):
            if why := reasoning_of(message):
                self.console.print(Text.assemble(("\nthinks ", "bold magenta"), (why, "italic")))
            if message.text:
                self.console.print(Text.assemble(("agent  ", "bold green"), message.text))
            self._answers = Counter()
            self._announced = Counter(call["name"] for call in message.tool_calls)
            shown: Counter[str] = Counter()
            for call in message.tool_calls:
                shown[call["name"]] += 1
                what = Text.assemble("       ", (call["name"], "bold"), f"  {brief(call['args'])}")
                self._one_of_many(call["name"], shown, what)
        elif isinstance(message, ToolMessage):
            name = str(message.name)
            self._answers[name] += 1
            style = "red" if message.status == "error" else "bright_black"
            what = Text.assemble(f"       {name} -> ", (line(str(message.content), 300), style))
            self._one_of_many(name, self._answers, what, cut=message.status != "error")

    def _one_of_many(self, name: str, shown: Counter[str], what: Text, *, cut: bool = False) -> None:
        """Of very many calls at once, the first few."""
        many = self._announced[name]
        if many <= MANY or shown[name] <= FEW:
            self.console.print(what, no_wrap=cut, overflow="ellipsis")
        elif shown[name] == FEW + 1:
            self.console.print(Text(f"       ... and {many - FEW} more", "bright_black"))

    def _ask(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return [self._decide(request) for request in requests]

    def _decide(self, request: dict[str, Any]) -> dict[str, Any]:
        what = Text.assemble(
            (f"{request['name']}  {brief(request['args'])}\n\n", "bold"), request["description"]
        )
        self.console.print(Panel(what, title="a person is asked", border_style="yellow"))
        if self.yes:
            said = self.stand_in(request)
            why = f": {said['message']}" if "message" in said else ""
            verb = {"approve": "approved", "reject": "rejected"}[said["type"]]
            self.console.print(Text(f"{verb}, since --yes was given{why}", "yellow"))
            return said
        if typer.confirm("Approve?", default=None):
            return {"type": "approve"}
        return {"type": "reject", "message": typer.prompt("Why not", default="not now", show_default=False)}


def approver(yes: bool) -> str:
    """Who answers: whoever sits at this terminal."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "somebody"
    return f"{name} (--yes)" if yes else name
