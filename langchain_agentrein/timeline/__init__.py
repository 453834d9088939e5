"""What happened, and what caused what."""

from langchain_agentrein.timeline.console import render_timeline
from langchain_agentrein.timeline.model import Timeline
from langchain_agentrein.timeline.nodes import ActionNode, Edge, InterruptNode, SessionNode
from langchain_agentrein.timeline.notebook import plan_html, report_html
from langchain_agentrein.timeline.views import render_action, render_plan, render_report, render_sessions

__all__ = [
    "ActionNode",
    "Edge",
    "InterruptNode",
    "SessionNode",
    "Timeline",
    "plan_html",
    "render_action",
    "render_plan",
    "render_report",
    "render_sessions",
    "render_timeline",
    "report_html",
]
