"""Plans, reports, sessions and single actions in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from langchain_agentrein.action import Action, Entry, SessionRecord, Status
from langchain_agentrein.report import PlanLine, RollbackPlan, RollbackReport
from langchain_agentrein.timeline.console import MARKS, SESSION_COLOURS, words
from langchain_agentrein.timeline.graph import action_node, shown_session
from langchain_agentrein.timeline.history import Chain
from langchain_agentrein.timeline.nodes import ActionNode
from langchain_agentrein.timeline.shown import Mask, Shown, brief, clock, identity, line, pretty, stamp

VERDICTS = {
    "undo": "green",
    "ask": "yellow",
    "conflict": "yellow",
    "settle": "yellow",
    "cannot": "red",
    "irreversible": "red",
    "already undone": "bright_black",
    "drop": "bright_black",
}


def render_plan(plan: RollbackPlan, *, mask: Mask = identity) -> RenderableType:
    """What a rollback would do."""
    if not plan.lines:
        return Text("nothing to undo")
    shown, table = Shown(mask), _lines()
    for one in plan:
        body = Text.assemble((shown.text(one.action.operation, 120), "bold"))
        if summary := brief(shown.value(one.action.args)):
            body.append(f"  {summary}")
        body.append(f"\n{one.action.id}", "bright_black")
        for said in plan_details(one, shown):
            body.append(f"\n{said}", VERDICTS.get(one.verdict, "default"))
        verdict = Text(one.verdict, f"bold {VERDICTS.get(one.verdict, 'default')}")
        table.add_row(str(one.action.seq or ""), body, verdict)
    return Group(Text(f"{plan_summary(plan)}; newest first", "bold"), table)


def plan_summary(plan: RollbackPlan) -> str:
    """A plan in one line."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in plan.counts.items())
    return f"A rollback would meet {len(plan)} action{'s' if len(plan) != 1 else ''}: {counts}"


def plan_details(one: PlanLine, shown: Shown) -> Iterator[str]:
    """What there is to say about one line of a plan."""
    effects = ", ".join(sorted(str(effect) for effect in one.undo_effects))
    said = [shown.text(detail, 500) for detail in one.details]
    if effects and not any(effects in detail for detail in said):
        yield f"its undo {effects}"
    yield from said


def render_report(report: RollbackReport, *, mask: Mask = identity) -> RenderableType:
    """What a rollback did."""
    if not report.lines:
        return Text("nothing had to be undone")
    shown, table = Shown(mask), _lines()
    for one in report:
        colour = MARKS[Status(one.outcome)][1] if one.outcome in set(Status) else "yellow"
        body = Text.assemble((shown.text(one.operation, 120), "bold"), (f"\n{one.action_id}", "bright_black"))
        for residue in one.residue:
            body.append("\nstays: ", "bright_black").append(shown.text(residue, 500), "magenta")
        if one.error:
            body.append(f"\n{shown.text(one.error, 500)}", "yellow")
        table.add_row(str(one.seq or ""), body, Text(words(one.outcome), f"bold {colour}"))
    return Group(Text(report_summary(report), "bold green" if report.complete else "bold yellow"), table)


def report_summary(report: RollbackReport) -> str:
    """A report in one line."""
    counts = ", ".join(f"{count} {words(outcome)}" for outcome, count in report.counts.items())
    left = len(report.unsettled)
    return counts + (f"; {left} left for a person" if left else "; nothing is left to do")


def render_sessions(sessions: Sequence[SessionRecord], *, mask: Mask = identity) -> RenderableType:
    """A list of sessions."""
    if not sessions:
        return Text("no sessions")
    shown, table = Shown(mask), Table(box=None, padding=(0, 1), expand=True, header_style="bright_black")
    table.add_column("opened (UTC)", no_wrap=True, style="bright_black")
    table.add_column("session", ratio=1, overflow="fold")
    table.add_column("status", no_wrap=True, justify="right")
    for session in (shown_session(one, shown) for one in sessions):
        colour = SESSION_COLOURS.get(str(session.status), "cyan")
        about = Text.assemble((session.id, "bold"), f"\n{line(session.goal, 160) or '(no goal)'}")
        if session.thread_id:
            about.append(f"\nthread {session.thread_id}", "bright_black")
        if session.failure:
            about.append(f"\nfailed with {line(session.failure, 160)}", "red")
        if session.by or session.reason:
            asked = f"\nrolled back{f' by {session.by}' if session.by else ''}"
            about.append(asked + (f": {line(session.reason, 160)}" if session.reason else ""), "magenta")
        opened = stamp(session.opened_at).removesuffix(" UTC")
        table.add_row(opened, about, Text(words(session.status), f"bold {colour}"))
    return table


def render_action(action: Action, *, entries: Sequence[Entry] = (), mask: Mask = identity) -> RenderableType:
    """One action with everything that is known of it.

    Args:
        action: With its payloads.
        entries: The links of its session's chain, for its history.
        mask: Replaces secrets.
    """
    node = action_node(action, Chain(entries), Shown(mask))
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style="bright_black", no_wrap=True)
    facts.add_column(ratio=1, overflow="fold")
    for label, said in action_facts(node):
        facts.add_row(label, Text(said))
    colour = MARKS[node.status][1]
    title = Text.assemble((node.operation, "bold"), "  ", (words(node.status), f"bold {colour}"))
    parts: list[RenderableType] = [title, facts]
    for name, value in node.payloads.items():
        parts += [Text(f"\n{words(name)}", "bold"), Text(pretty(value))]
    if node.history:
        parts.append(Text("\nhistory", "bold"))
        parts += [Text(f"{clock(moment.at)}  {moment.text}") for moment in node.history]
    return Group(*parts)


def action_facts(node: ActionNode) -> Iterator[tuple[str, str]]:
    """The facts about an action beside its payloads, those that are known."""
    intent, approval, undo = node.intent, node.approval, node.undo
    facts: list[tuple[str, object]] = [
        ("action", node.id),
        ("session", node.session_id),
        ("number", node.seq),
        ("run", f"{node.generation}, after {node.parent_id}" if node.generation > 1 else None),
        ("started" if node.seq is not None else "proposed", stamp(node.at)),
        ("finished", stamp(node.finished_at)),
        ("undone", stamp(node.undone_at)),
        ("undo until", stamp(node.undo_until)),
        ("account", node.account),
        ("risk", f"{node.risk}; reversal: {node.reversal}"),
        ("why", intent.text),
        ("source", intent.source),
        ("goal", intent.goal),
        ("drift", f"{intent.drift:.2f}" if intent.drift is not None else None),
        ("model", intent.model),
        ("traced as", intent.run_id),
        ("tool call", node.tool_call_id),
        ("approval", _verdict(approval.decision, approval.by, stamp(approval.at)) if approval else None),
        ("reason", approval.reason if approval else None),
        ("expires", stamp(approval.expires_at) if approval else None),
        ("held", node.held),
        ("error", node.error),
        ("still open", node.unsettled),
        ("undo", words(undo.outcome) if undo.outcome else None),
        ("attempts", undo.attempts or None),
        ("undo allowed", f"by {undo.approved_by}" if undo.approved_by else None),
        ("undo error", undo.error),
        ("cause", node.cause or undo.cause),
        *(("stays", residue) for residue in undo.residue),
    ]
    for label, said in facts:
        if said is not None and said != "":
            yield label, str(said)


def _verdict(decision: str, by: str | None, at: str) -> str:
    return " ".join(part for part in (decision, f"by {by}" if by else "", f"at {at}" if at else "") if part)


def _lines() -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(justify="right", style="bright_black", no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    return table
