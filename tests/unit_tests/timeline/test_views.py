"""Plans, reports, sessions and single actions, in the terminal and in a notebook."""

from __future__ import annotations

import io

import pytest
from rich.console import Console, RenderableType

from langchain_agentrein.action import Reversal, Risk, UndoEffect
from langchain_agentrein.report import PlanLine, ReportLine, RollbackPlan, RollbackReport
from langchain_agentrein.timeline import (
    plan_html,
    render_action,
    render_plan,
    render_report,
    render_sessions,
    report_html,
)

from .stories import failing, several


def printed(what: RenderableType, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(what)
    assert max(map(len, out.getvalue().splitlines()), default=0) <= width
    return out.getvalue()


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def plan() -> RollbackPlan:
    actions = failing().actions
    effects = frozenset({UndoEffect.REACHES_PEOPLE})
    why = ("its undo reaches people",)
    return RollbackPlan(
        ("ses_1",),
        (
            PlanLine(actions["act_mail"], "ask", Reversal.COMPENSATING, Risk.HIGH, effects, why),
            PlanLine(
                actions["act_slack"], "conflict", Reversal.COMPENSATING, Risk.LOW, effects, ("2 replies",)
            ),
            PlanLine(actions["act_pay"], "irreversible", Reversal.NONE, details=("nothing undoes it",)),
            PlanLine(actions["act_update"], "undo", Reversal.EXACT),
        ),
    )


@pytest.fixture
def report() -> RollbackReport:
    undone = [action for action in failing().actions.values() if action.undo.outcome]
    return RollbackReport(("ses_1",), tuple(ReportLine.of(action) for action in reversed(undone)))


def test_a_plan(plan: RollbackPlan) -> None:
    text = words(printed(render_plan(plan)))
    assert text.startswith(
        "A rollback would meet 4 actions: 1 ask, 1 conflict, 1 irreversible, 1 undo; newest first"
    )
    assert text.count("its undo reaches people") == 2  # said once a line
    assert "2 replies" in text and "act_update" in text
    assert "2 replies" in plan_html(plan) and "ar-amber" in plan_html(plan)


def test_a_report(report: RollbackReport) -> None:
    text = words(printed(render_report(report)))
    assert "3 left for a person" in text
    assert "stays: a trigger wrote 2 audit rows" in text
    assert "tried 4 times: ConnectionError" in report_html(report)


def test_a_complete_report_says_so(report: RollbackReport) -> None:
    settled = tuple(one for one in report if one not in report.unsettled)
    assert "nothing is left to do" in printed(render_report(RollbackReport(("s",), settled)))


def test_waiting_is_an_outcome_too() -> None:
    waiting = ReportLine("act_1", "files.write", "waiting", error="an undo above it is stuck")
    report = RollbackReport(("s",), (waiting,))
    assert "waiting" in printed(render_report(report)) and "waiting" in report_html(report)


def test_nothing_to_show() -> None:
    assert "nothing to undo" in printed(render_plan(RollbackPlan(())))
    assert "nothing had to be undone" in printed(render_report(RollbackReport(())))
    assert "no sessions" in printed(render_sessions([]))
    assert "Nothing to undo" in plan_html(RollbackPlan(()))
    assert "Nothing had to be undone" in report_html(RollbackReport(()))


def test_sessions() -> None:
    text = words(printed(render_sessions([failing().record, *(story.record for story in several())])))
    assert "failed with TimeoutError: no reply from the bank after 30 s" in text
    assert "rolled back by ana@acme.com: the wrong list" in text
    assert "thread onboarding-7" in text


def test_an_action_in_full() -> None:
    story = failing()
    text = words(printed(render_action(story.actions["act_mail"], entries=story.entries)))
    for said in (
        "gmail.send stuck",
        "approval edit by ana@acme.com at 2026-03-02 09:32:28 UTC",
        "risk high; reversal: compensating",
        "why The managers must know.",
        '"subject": "Plans moved"',
        '"subject": "Plans moved (trial)"',
        "09:32:28 approved by ana@acme.com",
    ):
        assert said in text


def test_everything_is_masked(plan: RollbackPlan, report: RollbackReport) -> None:
    def hide(value: object) -> object:
        return "[redacted]"

    story = failing()
    for text in (
        printed(render_plan(plan, mask=hide)),
        printed(render_report(report, mask=hide)),
        printed(render_sessions([story.record], mask=hide)),
        printed(render_action(story.actions["act_mail"], entries=story.entries, mask=hide)),
        plan_html(plan, mask=hide),
        report_html(report, mask=hide),
    ):
        assert "Plans moved" not in text and "TimeoutError" not in text and "managers" not in text
