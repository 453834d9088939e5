"""langchain-agentrein: `create_reversible_agent`, and the middleware alone under LangGraph's default durability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent

from benchmarks.correctness.stage import Stage
from benchmarks.correctness.systems.base import System, retrying
from benchmarks.correctness.world import Refused
from langchain_agentrein import (
    Action,
    AgentRein,
    ApprovalRule,
    Happened,
    NotHappened,
    Operation,
    Reversal,
    ReversibleTool,
    Risk,
    Status,
)
from langchain_agentrein.errors import NotDone
from langchain_agentrein.graphs import create_reversible_agent


class Shop(Operation):
    """What the shop's operations share: a refusal is certain."""

    def fate(self, error: BaseException) -> type[NotDone] | None:
        return NotDone if isinstance(error, Refused) else None


class Order(Shop):
    """Order an item."""

    name, risk, reversal = "shop.order", Risk.MEDIUM, Reversal.COMPENSATING
    item: str

    def do(self, api: Stage, action: Action) -> Any:
        return api.order(self.item, mark=action.key)

    def probe(self, api: Stage, action: Action) -> Any:
        for number, order in api.world.state()["orders"].items():
            if order["mark"] == action.key:
                return Happened({"order_id": number, "item": self.item})
        return NotHappened()

    def snapshot(self, api: Stage) -> Any:
        return {"standing": False}

    def observe(self, api: Stage, action: Action) -> Any:
        orders = api.world.state()["orders"].values()
        return {"standing": any(one["mark"] == action.key and not one["cancelled"] for one in orders)}

    def expect(self, action: Action) -> Any:
        return {"standing": True}

    def undo(self, api: Stage, action: Action) -> None:
        api.cancel(action.receipt["order_id"])


class Edit(Shop):
    """Change a ticket."""

    name, risk, reversal, partial = "shop.edit", Risk.MEDIUM, Reversal.COMPENSATING, True
    ticket: str
    title: str
    status: str

    def snapshot(self, api: Stage) -> Any:
        return api.world.state()["tickets"][self.ticket]

    def do(self, api: Stage, action: Action) -> Any:
        return api.world.act("edit", ticket=self.ticket, title=self.title, status=self.status)

    def observe(self, api: Stage, action: Action) -> Any:
        return api.world.state()["tickets"][self.ticket]

    def expect(self, action: Action) -> Any:
        return {"title": self.title, "status": self.status}

    def undo(self, api: Stage, action: Action) -> None:
        fields = {name: action.before[name] for name in action.undo_fields or action.before}
        api.world.act("edit", ticket=self.ticket, **fields)


class Open(Shop):
    """Open a project."""

    name, risk, reversal = "shop.open", Risk.MEDIUM, Reversal.COMPENSATING
    project: str

    def do(self, api: Stage, action: Action) -> Any:
        return api.world.act("open", project=self.project)

    def observe(self, api: Stage, action: Action) -> Any:
        return {} if self.project in api.world.state()["projects"] else None

    def attached(self, api: Stage, action: Action) -> Sequence[str]:
        return list(api.world.state()["projects"].get(self.project, ()))

    def undo(self, api: Stage, action: Action) -> None:
        api.world.act("delete", project=self.project)


class Transfer(Shop):
    """Transfer money."""

    name, risk, reversal = "shop.transfer", Risk.HIGH, Reversal.NONE
    amount: int

    def do(self, api: Stage, action: Action) -> Any:
        return api.world.act("transfer", amount=self.amount)


class Charge(Shop):
    """Charge the card."""

    name, risk, reversal = "shop.charge", Risk.MEDIUM, Reversal.COMPENSATING
    amount: int

    def do(self, api: Stage, action: Action) -> Any:
        return api.world.act("charge", amount=self.amount)

    def undo(self, api: Stage, action: Action) -> None:
        api.world.act("refund", amount=self.amount)


class Ours(System):
    """`create_reversible_agent`, which sets `durability="sync"`."""

    title = "ours"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        rules = [ApprovalRule("shop.order", "ask")] if stage.scenario.gated else []
        self.rein = AgentRein(f"sqlite:///{stage.directory}/journal.db", clients={"shop": stage}, rules=rules)
        self.tools = [
            ReversibleTool.of_operation(one, stage) for one in (Order, Edit, Open, Transfer, Charge)
        ]
        self.middleware = [*stage.neighbours(), *retrying(stage)]

    def agent(self, saver: Any) -> Any:
        return create_reversible_agent(
            self.stage.model, self.tools, rein=self.rein, middleware=self.middleware, checkpointer=saver
        )

    def handed(self, error: Exception | None) -> Sequence[str]:
        left = (Status.CONFLICT, Status.STUCK, Status.IRREVERSIBLE, Status.IN_DOUBT)
        actions = self.rein.actions(thread="task")
        return [one.operation.replace(".", "_") for one in actions if one.status in left]


class OursDefault(Ours):
    """`rein.middleware()` in `create_agent`, with LangGraph's default `durability="async"`."""

    title = "ours, default durability"

    def agent(self, saver: Any) -> Any:
        middleware = [self.rein.middleware(), *self.middleware]
        return create_agent(self.stage.model, self.tools, middleware=middleware, checkpointer=saver)
