"""What a system is asked to do in its process, and what all of them have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from langchain.agents.middleware import ToolRetryMiddleware
from langchain_core.tools import BaseTool, tool
from langgraph.types import Command

from benchmarks.correctness.stage import CONFIG, TASK, Stage, outcome


class System(ABC):
    """One column. The defaults are what LangGraph's documentation says: `invoke(None, config)` after a crash."""

    title: ClassVar[str]
    package: ClassVar[str | None] = None
    """A distribution without which it is left out."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    @abstractmethod
    def agent(self, saver: Any) -> Any:
        """The agent over the shop's tools."""

    def run(self) -> dict[str, Any]:
        """Begin the task."""
        return self.invoke(TASK)

    def resume(self) -> dict[str, Any]:
        """Go on in a new process after a crash; begin anew where not even the task was saved."""
        with self.stage.saver() as saver:
            known = bool(self.agent(saver).get_state(CONFIG).values)
        return self.invoke(None if known else TASK)

    def answer(self, value: Any) -> dict[str, Any]:
        """Resume with what a person said."""
        return self.invoke(Command(resume=value))

    def replay(self) -> dict[str, Any]:
        """Run again from the checkpoint before the first tools."""
        with self.stage.saver() as saver:
            config = self.stage.before_tools(list(self.agent(saver).get_state_history(CONFIG)))
        return self.invoke(None, config)

    def invoke(self, message: Any, config: Any = CONFIG) -> dict[str, Any]:
        """One run of the agent, and how it ended."""
        with self.stage.saver() as saver:
            try:
                out = self.agent(saver).invoke(message, config)
            except Exception as error:  # noqa: BLE001 - whatever ends the run is how it ended
                return {"ended": "failed", "error": repr(error), "handed": self.handed(error)}
            return outcome(out, self.handed(None))

    def handed(self, error: Exception | None) -> Sequence[str]:
        """The tools whose effects the system itself has handed to a person."""
        return ()


def retrying(stage: Stage) -> list[Any]:
    """LangChain's own answer to tools that fail now and then."""
    return [ToolRetryMiddleware(max_retries=2, initial_delay=0.01)] if stage.scenario.retry else []


def tools(stage: Stage) -> dict[str, BaseTool]:
    """The shop's tools, and those that take back, as plain LangChain tools."""

    @tool
    def shop_order(item: str) -> dict[str, Any]:
        """Order an item."""
        return dict(stage.order(item))

    @tool
    def shop_cancel(order_id: str) -> dict[str, Any]:
        """Cancel an order."""
        return dict(stage.cancel(order_id, key=f"cancel-{order_id}"))

    @tool
    def shop_edit(ticket: str, title: str, status: str) -> dict[str, Any]:
        """Change a ticket."""
        return dict(stage.world.act("edit", ticket=ticket, title=title, status=status))

    @tool
    def shop_restore(ticket: str, title: str, status: str) -> dict[str, Any]:
        """Put a ticket back."""
        return dict(stage.world.act("edit", ticket=ticket, title=title, status=status))

    @tool
    def shop_open(project: str) -> dict[str, Any]:
        """Open a project."""
        return dict(stage.world.act("open", project=project))

    @tool
    def shop_delete(project: str) -> dict[str, Any]:
        """Delete a project."""
        return dict(stage.world.act("delete", project=project))

    @tool
    def shop_transfer(amount: int) -> dict[str, Any]:
        """Transfer money."""
        return dict(stage.world.act("transfer", amount=amount))

    @tool
    def shop_charge(amount: int) -> dict[str, Any]:
        """Charge the card."""
        return dict(stage.world.act("charge", amount=amount))

    @tool
    def shop_refund(amount: int) -> dict[str, Any]:
        """Give a charge back."""
        return dict(stage.world.act("refund", amount=amount))

    made = (shop_order, shop_cancel, shop_edit, shop_restore, shop_open, shop_delete)
    return {one.name: one for one in (*made, shop_transfer, shop_charge, shop_refund)}


FORWARD = ("shop_order", "shop_edit", "shop_open", "shop_transfer", "shop_charge")
"""The tools that a model is shown."""
