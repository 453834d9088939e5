"""The judge. It sees the world's log and state, and how the run says it ended; it knows no system by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.correctness.scenarios import EDIT, Scenario

KINDS = ("duplicate", "residue", "double undo", "wrong undo", "unapproved")
HANDED = "to a person"


def anomalies(scenario: Scenario, log: Sequence[Any], state: Any, end: Any) -> Counter[str]:
    """What is not right at the end, by kind; `to a person` beside them, which is no anomaly.

    - duplicate: an order made while the same one stood.
    - residue: an effect that stands although the run did not end well, and that nobody was told to look at.
    - double undo: a cancellation of what was cancelled.
    - wrong undo: a colleague's work destroyed, or an effect missing although the run ended well.
    - unapproved: an effect of a gated tool that no person approved.
    - to a person: an effect that stands, and that the system named as one that a person must see to.
    """
    found: Counter[str] = Counter()
    standing: Counter[str] = Counter()
    items: dict[str, str] = {}
    cancelled: Counter[str] = Counter()
    for entry in log:
        told = entry["told"]
        if entry["verb"] == "order":
            item = items[told["order_id"]] = told["item"]
            found["duplicate"] += standing[item] > 0
            standing[item] += 1
        elif entry["verb"] == "cancel":
            number = told["order_id"]
            cancelled[number] += 1
            if cancelled[number] == 1:
                standing[items[number]] -= 1
            else:
                found["double undo"] += 1
        elif entry["verb"] == "delete":
            found["wrong undo"] += bool(told["tasks"])
        if scenario.gated and entry["verb"] in ("order", "transfer"):
            found["unapproved"] += 1
    if end["ended"] == "done":
        found["wrong undo"] += sum(standing[item] == 0 for item in scenario.wanted)
    elif not scenario.gated:  # there a run ends as the person decided, and what stands is unapproved
        handed = Counter(end["handed"])
        _left(found, handed["shop_order"], standing.total())
        _left(found, handed["shop_open"], len(state["projects"]))
    if EDIT in scenario.turns[0]:
        ticket = state["tickets"]["t1"]
        found["wrong undo"] += ticket["title"] != "Printer, see Ana"
        found["residue"] += ticket["status"] != "open"
        found[HANDED] += "shop_edit" in end["handed"]
    return +found


def _left(found: Counter[str], handed: int, standing: int) -> None:
    """What stands is residue, except as much of it as was handed to a person."""
    known = min(handed, standing)
    found[HANDED] += known
    found["residue"] += standing - known
