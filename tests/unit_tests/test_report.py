"""Plans and reports say what happened and what stays."""

from __future__ import annotations

import json

from langchain_agentrein import Reversal, RollbackPlan, RollbackReport, Status
from langchain_agentrein.action import REFUSED, Action, Undo
from langchain_agentrein.report import PlanLine, ReportLine


def action(n: int, status: Status, **undo: object) -> Action:
    known = Undo(**undo)  # type: ignore[arg-type]
    return Action(f"act_{n}", "ses", "world.put", 1, status, {"n": n}, seq=n, undo=known)


DONE = action(2, Status.COMPENSATED, residue=("the fee stays",), cause="ana rolled it back")
STUCK = action(1, Status.STUCK, error="no route")
REPORT = RollbackReport(("ses",), (ReportLine.of(DONE), ReportLine.of(STUCK)))


def test_a_report_counts_and_says_what_is_left() -> None:
    assert REPORT.counts == {"compensated": 1, "stuck": 1}
    assert not REPORT.complete
    assert [line.action_id for line in REPORT.unsettled] == ["act_1"]
    assert RollbackReport(("ses",), (ReportLine.of(DONE),)).complete
    assert len(REPORT) == 2


def test_every_outcome_but_the_settled_ones_is_left_for_a_person() -> None:
    settled = {Status.RESTORED, Status.COMPENSATED, Status.IRREVERSIBLE, Status.FAILED} | REFUSED
    for status in Status:
        report = RollbackReport(("ses",), (ReportLine.of(action(1, status)),))
        assert report.complete is (status in settled)
        released = RollbackReport(("ses",), (ReportLine.of_released(action(1, status)),))
        assert released.complete is (status in settled | {Status.EXECUTED})


def test_a_report_reads_well() -> None:
    assert str(REPORT).splitlines() == [
        "1 compensated, 1 stuck",
        "     2  compensated    world.put",
        "                       stays: the fee stays",
        "     1  stuck          world.put",
        "                       no route",
    ]
    assert str(RollbackReport(("ses",))) == "nothing had to be undone"


def test_a_plan_reads_well() -> None:
    lines = (
        PlanLine(DONE, "ask", Reversal.COMPENSATING, details=("its undo moves money",)),
        PlanLine(STUCK, "undo", Reversal.EXACT),
    )
    plan = RollbackPlan(("ses",), lines)
    assert plan.counts == {"ask": 1, "undo": 1}
    assert [line.action.id for line in plan.asks] == ["act_2"]
    assert str(plan).splitlines() == [
        "2 action(s), newest first:",
        "     2  ask             world.put",
        "                        its undo moves money",
        "     1  undo            world.put",
    ]
    assert str(RollbackPlan(("ses",))) == "nothing to undo"
    assert [line.verdict for line in plan] == ["ask", "undo"]


def test_both_are_json() -> None:
    plan = RollbackPlan(("ses",), (PlanLine(DONE, "undo", Reversal.EXACT),))
    for report in (REPORT.to_dict(), plan.to_dict()):
        assert json.loads(json.dumps(report))["session_ids"] == ["ses"]
