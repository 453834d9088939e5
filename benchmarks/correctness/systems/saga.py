"""agent-saga: `wrap_tool` and `saga_run` over the agent, a synced write-ahead log, its gate, its recovery daemon."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langgraph.types import Command

from benchmarks.correctness.stage import CONFIG, TASK, Stage, outcome
from benchmarks.correctness.systems.base import FORWARD, System, retrying, tools


class Saga(System):
    """A run is a transaction: after a crash the daemon unwinds it, and it is not resumed."""

    title = "agent-saga"
    package = "agent-saga"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        logging.getLogger("agent_saga").setLevel(logging.CRITICAL)
        self.wal = stage.directory / "saga.wal"
        self.shop = {**tools(stage), **_wrapped(stage)}

    def agent(self, saver: Any) -> Any:
        middleware = [*self.stage.neighbours(), *retrying(self.stage)]
        chosen = [self.shop[name] for name in FORWARD]
        return create_agent(self.stage.model, chosen, middleware=middleware, checkpointer=saver)

    def run(self) -> dict[str, Any]:
        return asyncio.run(self._run(TASK))

    def answer(self, value: Any) -> dict[str, Any]:
        return asyncio.run(self._run(Command(resume=value)))

    def replay(self) -> dict[str, Any]:
        return asyncio.run(self._run(None, again=True))

    def resume(self) -> dict[str, Any]:
        return {"ended": "failed", "handed": asyncio.run(self._recover())}

    async def _run(self, message: Any, *, again: bool = False) -> dict[str, Any]:
        from agent_saga import SagaAborted
        from agent_saga.adapters.langgraph import saga_run
        from agent_saga.wal.file_wal import FileWAL

        wal = FileWAL(self.wal)
        await wal.start()
        try:
            async with self.stage.async_saver() as saver:
                graph, config = self.agent(saver), CONFIG
                if again:
                    states = [state async for state in graph.aget_state_history(CONFIG)]
                    config = self.stage.before_tools(states)
                out = await saga_run(graph, message, config=config, wal=wal, gate=self._gate())
                return outcome(out)
        except SagaAborted as aborted:
            report = aborted.report
            left = [*report.failed, *report.orphaned, *report.unresolved]
            return {"ended": "failed", "error": repr(aborted), "handed": [step.tool for step in left]}
        finally:
            await asyncio.sleep(0.6)  # a sync tool that was cancelled lands its effect in its thread
            await wal.close()

    async def _recover(self) -> Sequence[str]:
        """What `saga-recoveryd` does; it waits until the dead process's lease has run out."""
        from agent_saga.recovery import RecoveryDaemon, Resolution

        daemon = RecoveryDaemon(self.wal)
        while True:
            outcomes = await daemon.recover_all()
            if all(one.resolution is not Resolution.SKIPPED_ACTIVE for one in outcomes):
                break
            await asyncio.sleep(0.5)
        # It halts at the first step that it cannot settle: a person is told of the whole saga.
        told = {one.saga_id for one in outcomes if one.resolution is Resolution.NEEDS_HUMAN}
        return [step.tool for saga in daemon.dangling() if saga.saga_id in told for step in saga.pending()]

    def _gate(self) -> Any:
        from agent_saga.gate import DEFAULT_RULES, PreFlightGate, Rule, Verdict, tool_is

        if not self.stage.scenario.gated:
            return None
        asked = Rule(
            "orders", tool_is("shop_order", "shop_transfer"), Verdict.REQUIRE_APPROVAL, "A person decides."
        )
        answer = self.stage.scenario.answer or {"type": "approve"}
        # It knows no edits: who would edit can only refuse.
        return PreFlightGate(
            [asked, *DEFAULT_RULES], approval_provider=lambda *_: answer["type"] == "approve"
        )


def _wrapped(stage: Stage) -> dict[str, Any]:
    """Each tool with its inverse, registered by name, so that the daemon finds it."""
    from agent_saga import ActionSemantics, Compensation
    from agent_saga.adapters.langgraph import wrap_tool
    from agent_saga.registry import compensator

    @compensator("shop.cancel")
    def cancel(order_id: str, idempotency_key: str) -> Any:
        return stage.cancel(order_id, key=idempotency_key)

    @compensator("shop.restore")
    def restore(ticket: str, title: str, status: str) -> Any:
        return stage.world.act("edit", ticket=ticket, title=title, status=status)

    @compensator("shop.delete")
    def delete(project: str) -> Any:
        return stage.world.act("delete", project=project)

    def made(name: str, factory: Any, semantics: Any = ActionSemantics.COMPENSABLE) -> Any:
        return wrap_tool(shop[name], semantics=semantics, compensate=factory)

    def cancelled(told: Any) -> Any:
        # The key that belongs to the order, as their Stripe connector derives it from the charge.
        number = told["order_id"]
        kwargs = {"order_id": number, "idempotency_key": f"cancel-{number}"}
        return Compensation(fn=cancel, handler="shop.cancel", kwargs=kwargs)

    def restored(told: Any) -> Any:
        kwargs = {"ticket": told["ticket"], **told["before"]}
        return Compensation(fn=restore, handler="shop.restore", kwargs=kwargs)

    def deleted(told: Any) -> Any:
        return Compensation(fn=delete, handler="shop.delete", kwargs={"project": told["project"]})

    shop = tools(stage)
    return {
        "shop_order": made("shop_order", cancelled),
        "shop_edit": made("shop_edit", restored),
        "shop_open": made("shop_open", deleted),
        "shop_transfer": made("shop_transfer", None, ActionSemantics.IRREVERSIBLE),
    }
