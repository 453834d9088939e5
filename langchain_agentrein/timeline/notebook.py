"""What Jupyter shows of timelines, plans and reports."""

from __future__ import annotations

from langchain_agentrein.report import RollbackPlan, RollbackReport
from langchain_agentrein.timeline.console import words
from langchain_agentrein.timeline.html import TONES, fragment, render
from langchain_agentrein.timeline.model import Timeline
from langchain_agentrein.timeline.shown import Mask, Shown, brief, identity
from langchain_agentrein.timeline.views import plan_details, plan_summary, report_summary

_VERDICTS = {"undo": "green", "ask": "amber", "settle": "amber", "conflict": "amber", "cannot": "red"}


def timeline_html(timeline: Timeline) -> str:
    """The `_repr_html_` of a timeline."""
    return fragment(timeline)


def plan_html(plan: RollbackPlan, *, mask: Mask = identity) -> str:
    """The `_repr_html_` of a plan."""
    shown = Shown(mask)
    rows = [
        {
            "seq": one.action.seq,
            "operation": shown.text(one.action.operation, 120),
            "summary": brief(shown.value(one.action.args)),
            "action_id": one.action.id,
            "outcome": one.verdict,
            "tone": _VERDICTS.get(one.verdict) or TONES.get(one.verdict, "grey"),
            "said": list(plan_details(one, shown)),
        }
        for one in plan
    ]
    return render("lines.html.jinja", title=plan_summary(plan) if rows else "Nothing to undo", rows=rows)


def report_html(report: RollbackReport, *, mask: Mask = identity) -> str:
    """The `_repr_html_` of a report."""
    shown = Shown(mask)
    rows = [
        {
            "seq": one.seq,
            "operation": shown.text(one.operation, 120),
            "summary": "",
            "action_id": one.action_id,
            "outcome": words(one.outcome),
            "tone": TONES.get(one.outcome, "amber"),
            "said": [
                *(f"stays: {shown.text(residue, 500)}" for residue in one.residue),
                *([shown.text(one.error, 500)] if one.error else []),
            ],
        }
        for one in report
    ]
    title = report_summary(report) if rows else "Nothing had to be undone"
    return render("lines.html.jinja", title=title, rows=rows)
