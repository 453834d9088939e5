"""langchain-compensation: `create_comp_agent`, with every means that its README offers for safety."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent

from benchmarks.correctness.stage import Stage
from benchmarks.correctness.systems.base import FORWARD, System, tools
from benchmarks.correctness.systems.human_in_the_loop import INTERRUPT_ON

MAPPING = {
    "shop_order": "shop_cancel",
    "shop_edit": "shop_restore",
    "shop_open": "shop_delete",
    "shop_charge": "shop_refund",
}
MAPPERS: dict[str, Any] = {
    "shop_order": lambda result, params: {"order_id": result["order_id"]},
    "shop_edit": lambda result, params: {"ticket": result["ticket"], **result["before"]},
    "shop_open": lambda result, params: {"project": params["project"]},
    "shop_charge": lambda result, params: {"amount": params["amount"]},
}


class Compensation(System):
    """One shared log a process; after a crash `restore_from_failure`, as "Recovery After Crash" says."""

    title = "langchain-compensation"
    package = "langchain-compensation"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        from langchain_compensation import CheckpointMiddleware, CompensationLog

        with stage.saver() as saver:
            saver.setup()
            restored = CheckpointMiddleware(checkpointer=saver).restore_from_failure({"thread_id": "task"})
        self.log = restored or CompensationLog()

    def agent(self, saver: Any) -> Any:
        from langchain_compensation import CheckpointMiddleware, CompensationMiddleware, create_comp_agent

        shop = tools(self.stage)
        if self.stage.scenario.review:
            # Inside theirs an interrupt counts as an error; so the reviewer stands outside.
            theirs = CompensationMiddleware(
                compensation_mapping=MAPPING,
                tools=list(shop.values()),
                state_mappers=MAPPERS,
                shared_log=self.log,
                sequential_execution=True,
            )
            checkpoints = CheckpointMiddleware(checkpointer=saver)
            return create_agent(
                self.stage.model,
                [shop[name] for name in FORWARD],
                middleware=[checkpoints, *self.stage.neighbours(), theirs],
                checkpointer=saver,
            )
        return create_comp_agent(
            self.stage.model,
            list(shop.values()),
            compensation_mapping=MAPPING,
            state_mappers=MAPPERS,
            shared_log=self.log,
            sequential_execution=True,
            max_retries=2 if self.stage.scenario.retry else 0,
            retry_backoff=0.01,
            use_checkpointing=True,
            checkpointer=saver,
            middleware=self.stage.neighbours(),
            interrupt_on=INTERRUPT_ON if self.stage.scenario.gated else None,
        )
