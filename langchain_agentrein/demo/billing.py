"""A connector of the demo's own: it hands the month over to billing, if the books agree."""

from __future__ import annotations

import csv
import json
import sqlite3
from typing import Any, ClassVar

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.demo.shop import Shop
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.base import Toolkit


class BooksDisagree(Exception):
    """Billing refused: the shop and the ledger do not say the same. Nothing was handed over."""


class HandOver(Operation):
    """Hand a month over to billing, so that its invoices can run. Billing compares the open orders first."""

    name, risk, reversal = "billing.hand_over", Risk.MEDIUM, Reversal.EXACT
    repeatable = True

    month: str = Field(description="YYYY-MM", pattern=r"^\d{4}-\d{2}$")

    def fate(self, error: BaseException) -> type[NotDone] | None:
        return NotDone if isinstance(error, BooksDisagree) else super().fate(error)

    def snapshot(self, api: Shop) -> Json:
        return _seen(api, self.month)

    def do(self, api: Shop, action: Action) -> Json:
        """receipt: {"file": str, "cents": int}

        Raises:
            BooksDisagree: Open orders that the ledger knows are missing in the shop.
        """
        with open(api.ledger, newline="") as file:
            owed = {int(row["order"]): int(row["cents"]) for row in csv.DictReader(file)}
        connection = sqlite3.connect(api.database)
        try:
            known = {row[0] for row in connection.execute("SELECT id FROM orders WHERE status = 'open'")}
        finally:
            connection.close()
        missing = {order: cents for order, cents in owed.items() if order not in known}
        if missing:
            raise BooksDisagree(
                f"{len(missing)} unpaid orders worth {sum(missing.values()) / 100:,.2f} EUR are in "
                "billing's ledger and no longer in the shop; nothing was handed over"
            )
        target = api.handovers / f"{self.month}.json"
        target.write_text(json.dumps({"month": self.month, "orders": len(owed), "cents": sum(owed.values())}))
        return {"file": target.name, "cents": sum(owed.values())}

    def observe(self, api: Shop, action: Action) -> Json:
        return _seen(api, self.month)

    def undo(self, api: Shop, action: Action) -> None:
        (api.handovers / f"{self.month}.json").unlink(missing_ok=True)


class BillingToolkit(Toolkit):
    """The demo's billing; its client is the `Shop`."""

    connector: ClassVar[str] = "billing"
    operations: ClassVar[tuple[type[Operation], ...]] = (HandOver,)

    def __init__(self, shop: Shop, **options: Any) -> None:
        super().__init__(client=shop, **options)


def _seen(shop: Shop, month: str) -> Json:
    target = shop.handovers / f"{month}.json"
    return {"handed_over": target.read_text() if target.exists() else None}
