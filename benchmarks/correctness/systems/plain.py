"""Plain LangGraph: `create_agent` with a checkpointer, and `interrupt()` in a tool that needs approval."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import BaseTool, tool
from langgraph.types import interrupt

from benchmarks.correctness.stage import Stage
from benchmarks.correctness.systems.base import FORWARD, System, retrying, tools


class Plain(System):
    """It has no undo; what a failed run leaves behind stays."""

    title = "plain LangGraph"

    def agent(self, saver: Any) -> Any:
        shop = tools(self.stage)
        if self.stage.scenario.gated:
            shop.update({one.name: one for one in _asking(self.stage)})
        middleware = [*self.stage.neighbours(), *retrying(self.stage)]
        return create_agent(
            self.stage.model, [shop[name] for name in FORWARD], middleware=middleware, checkpointer=saver
        )


def _asking(stage: Stage) -> list[BaseTool]:
    """The gated tools; they ask before the effect, and take a person's arguments, as in "interrupts in tools"."""

    @tool
    def shop_order(item: str) -> Any:
        """Order an item."""
        decision = _asked("shop_order", {"item": item})
        return stage.order(decision.get("item", item)) if decision else "refused by a person"

    @tool
    def shop_transfer(amount: int) -> Any:
        """Transfer money."""
        decision = _asked("shop_transfer", {"amount": amount})
        return stage.world.act("transfer", amount=amount) if decision else "refused by a person"

    return [shop_order, shop_transfer]


def _asked(name: str, args: dict[str, Any]) -> dict[str, Any] | None:
    [decision] = interrupt({"action_requests": [{"name": name, "args": args}]})["decisions"]
    if decision["type"] == "approve":
        return args
    edited = decision.get("edited_action", {})
    return {**args, **edited["args"]} if edited.get("name") == name else None
