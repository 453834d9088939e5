"""LangChain's `HumanInTheLoopMiddleware`, which asks about orders and transfers in every scenario."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware

from benchmarks.correctness.systems.base import FORWARD, System, retrying, tools


class HumanInTheLoop(System):
    """It has no undo. A transfer may be approved or rejected, never edited."""

    title = "`HumanInTheLoopMiddleware`"

    def agent(self, saver: Any) -> Any:
        shop = tools(self.stage)
        asking = HumanInTheLoopMiddleware(interrupt_on=INTERRUPT_ON)
        middleware = [*self.stage.neighbours(), *retrying(self.stage), asking]
        return create_agent(
            self.stage.model, [shop[name] for name in FORWARD], middleware=middleware, checkpointer=saver
        )


INTERRUPT_ON: dict[str, Any] = {
    "shop_order": True,
    "shop_transfer": {"allowed_decisions": ["approve", "reject"]},
}
