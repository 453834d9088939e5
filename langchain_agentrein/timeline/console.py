"""A timeline in the terminal: one row a node, readable from 80 columns on."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from langchain_agentrein.action import SessionRecord, Status
from langchain_agentrein.timeline.model import Timeline
from langchain_agentrein.timeline.nodes import ActionNode, InterruptNode, Node, SessionNode
from langchain_agentrein.timeline.shown import clock, duration, line, stamp

WIDTH = 100
"""Columns where the terminal does not say."""

MARKS = {
    Status.PROPOSED: ("?", "yellow"),
    Status.APPROVED: (".", "cyan"),
    Status.DENIED: ("x", "bright_black"),
    Status.REJECTED: ("x", "bright_black"),
    Status.EXPIRED: ("x", "bright_black"),
    Status.HELD: (".", "yellow"),
    Status.DROPPED: ("x", "bright_black"),
    Status.EXECUTING: (">", "cyan"),
    Status.EXECUTED: ("+", "blue"),
    Status.FAILED: ("!", "red"),
    Status.IN_DOUBT: ("?", "yellow"),
    Status.COMPENSATING: ("<", "cyan"),
    Status.RESTORED: ("<", "green"),
    Status.COMPENSATED: ("<", "green"),
    Status.IRREVERSIBLE: ("!", "red"),
    Status.CONFLICT: ("?", "yellow"),
    Status.STUCK: ("?", "yellow"),
}
"""One character and one colour for every status; `?` waits for a person."""
EVENTS = {"failed": "failure", "opened": "goal", "called back": "rolled back by request"}
"""What is said of a session's event, where its name alone is not clear."""
ANSWERS = {"approve": "approved", "edit": "edited", "reject": "rejected", "respond": "answered instead"}
"""What a decision is called once it was taken."""
SESSION_COLOURS = {"failed": "red", "stuck": "yellow", "rolled_back": "green", "completed": "blue"}


def words(status: object) -> str:
    """A status as words."""
    return str(status).replace("_", " ")


def render_timeline(timeline: Timeline) -> RenderableType:
    """A timeline for `rich.print`."""
    if not timeline.nodes:
        return Text("nothing has happened yet")
    parts: list[RenderableType] = []
    for session in timeline.sessions:
        parts += [*([Text()] if parts else []), _heading(session), *_rows(timeline.of(session.id))]
    return Group(*parts)


def to_text(timeline: Timeline, width: int = WIDTH) -> str:
    """A timeline as plain text."""
    out = io.StringIO()
    Console(file=out, width=width, color_system=None, force_terminal=False, legacy_windows=False).print(
        render_timeline(timeline)
    )
    return "\n".join(row.rstrip() for row in out.getvalue().splitlines())


def _heading(session: SessionRecord) -> Text:
    colour = SESSION_COLOURS.get(str(session.status), "cyan")
    status = (words(session.status), f"bold {colour}")
    text = Text.assemble((f"session {session.id}", "bold"), "  ", status)
    facts = [session.thread_id and f"thread {session.thread_id}", stamp(session.opened_at)]
    text.append("  " + "  ".join(fact for fact in facts if fact), "bright_black")
    return text


def _rows(nodes: tuple[Node, ...]) -> Iterator[RenderableType]:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(style="bright_black", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", style="bright_black", no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    for node in nodes:
        match node:
            case ActionNode():
                mark, colour = MARKS[node.status]
                status = Text(words(node.status), colour)
                number = str(node.seq) if node.seq is not None else ""
                table.add_row(clock(node.at), Text(mark, f"bold {colour}"), number, action_text(node), status)
            case InterruptNode():
                table.add_row(clock(node.at), Text("|", "yellow"), "", _pause(node), _waited(node))
            case SessionNode():
                colour = SESSION_COLOURS.get(node.event, "default")
                event = Text.assemble((EVENTS.get(node.event, words(node.event)), f"bold {colour}"))
                if node.text:
                    event.append(": " + line(node.text, 300))
                table.add_row(clock(node.at), Text("*", f"bold {colour}"), "", event, "")
    yield table


def action_text(node: ActionNode) -> Text:
    """What there is to say about an action, without its payloads."""
    text = Text()
    text.append(node.operation, "bold")
    if node.summary:
        text.append(f"  {node.summary}", "default")
    if node.generation > 1:
        text.append(f"  (run {node.generation})", "cyan")
    for label, said, style in _about(node):
        text.append(f"\n{label} ", "bright_black")
        text.append(said, style)
    return text.append(f"\n{node.id}", "bright_black")


def _about(node: ActionNode) -> Iterator[tuple[str, str, str]]:
    if node.intent.text:
        yield "why:", line(node.intent.text, 200), "italic"
    if node.held:
        yield "held:", node.held, "yellow"
    if node.because:
        yield "-->", node.because, MARKS[node.status][1]
    if node.drifted:
        yield "drift:", f"{node.intent.drift:.2f}", "yellow"
    if node.error:
        yield "error:", line(node.error, 300), "red" if node.status is Status.FAILED else "yellow"
    if node.unsettled:
        yield "open:", line(node.unsettled, 300), "yellow"
    for residue in node.undo.residue:
        yield "stays:", line(residue, 300), "magenta"
    if node.undo.error:
        yield "undo:", line(node.undo.error, 300), "yellow"
    for moment in node.history:
        if moment.text.startswith("another process took over"):
            yield f"{clock(moment.at)}:", line(moment.text, 300), "cyan"


def _pause(node: InterruptNode) -> Text:
    text = Text(line(node.text, 300))
    if node.open:
        return text.append("\nwaits for an answer", "bold yellow")
    said = Counter((answer.decision, answer.by or "", answer.reason or "") for answer in node.answers)
    for (decision, by, reason), count in said.items():
        text.append(f"\n{f'{count} x ' if count > 1 else ''}{ANSWERS.get(decision, decision)}", "bold")
        text.append(f" by {by}" if by else "")
        text.append(f": {line(reason, 200)}" if reason else "")
    return text


def _waited(node: InterruptNode) -> Text:
    if node.open:
        return Text("asked", "yellow")
    took = duration(node.at, node.answered_at)
    return Text(f"after {took}" if took else "answered", "bright_black")
