"""A timeline as a Mermaid flowchart: nodes from top to bottom as they came to pass, and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from langchain_agentrein.action import Status
from langchain_agentrein.timeline.model import Timeline
from langchain_agentrein.timeline.nodes import ActionNode, InterruptNode, Node, SessionNode
from langchain_agentrein.timeline.shown import clock, line

_MAX_SOURCE = 45_000
"""Characters of one drawing; Mermaid refuses more than 50,000."""
_SAFE = frozenset(" _,-@'./=+?")
_READ_ANYWAY = re.compile(r"\$(?=\$)|(?<=[A-Za-z]):(?=[A-Za-z])")
"""Formulas and icons, which Mermaid reads even where they are spelled as numbers: a space parts them."""
_INVERSE = {
    "caused": "because of",
    "compensates": "undo caused by",
    "waited for": "asked about",
    "rerun of": "run again as",
}
_PLAIN = frozenset({Status.EXECUTED, Status.RESTORED})
"""Left out first where there is too much to draw."""

_CLASSES = {
    "happened": "fill:#e8eef7,stroke:#4a6fa5,color:#12233d",
    "undone": "fill:#e3f3e8,stroke:#3b8a57,color:#10301c",
    "bad": "fill:#fbe6e6,stroke:#b93a3a,color:#3d0f0f",
    "person": "fill:#fff3d6,stroke:#b7811a,color:#3d2a05",
    "nothing": "fill:#f1f1f1,stroke:#8a8a8a,color:#333333",
    "session": "fill:#ffffff,stroke:#555555,color:#222222",
}
_STATUS = {
    Status.EXECUTED: "happened",
    Status.EXECUTING: "happened",
    Status.RESTORED: "undone",
    Status.COMPENSATED: "undone",
    Status.COMPENSATING: "undone",
    Status.FAILED: "bad",
    Status.IRREVERSIBLE: "bad",
    Status.CONFLICT: "person",
    Status.STUCK: "person",
    Status.IN_DOUBT: "person",
    Status.PROPOSED: "person",
    Status.HELD: "person",
}


def flowchart(timeline: Timeline, *, limit: int = 100) -> str:
    """The timeline as the text of a Mermaid flowchart.

    Args:
        timeline: What to draw.
        limit: Nodes drawn; of more, the uneventful ones are left out, and counted.
    """
    text = _drawing(timeline, _most_telling(timeline, limit))
    while len(text) > _MAX_SOURCE and limit > 1:
        limit //= 2
        text = _drawing(timeline, _most_telling(timeline, limit))
    return text


def _drawing(timeline: Timeline, drawn: Sequence[Node]) -> str:
    names = {node.id: f"n{place}" for place, node in enumerate(drawn)}
    edges = [edge for edge in timeline.edges if edge.source in names and edge.target in names]
    place_of = {node.id: place for place, node in enumerate(drawn)}
    linked = {frozenset((edge.source, edge.target)) for edge in edges}
    lines = ["flowchart TB"]
    for place, session in enumerate(timeline.sessions):
        nodes = [node for node in drawn if node.session_id == session.id]
        if not nodes:
            continue
        title = f"session {session.id} - {str(session.status).replace('_', ' ')}"
        lines.append(f'    subgraph s{place}["{_text(title, 120)}"]')
        lines.append("        direction TB")
        lines += [f"        {names[node.id]}{_shape(node)}" for node in nodes]
        lines += ["    end", f"    style s{place} fill:none,stroke:#9aa5b3"]
        for one, following in pairwise(nodes):
            if frozenset((one.id, following.id)) not in linked:
                lines.append(f"    {names[one.id]} --- {names[following.id]}")
    if len(drawn) < len(timeline):
        lines.append(f'    rest["{len(timeline) - len(drawn)} more, not drawn"]')
    for edge in edges:
        arrow = "==>" if edge.kind in ("caused", "compensates") else "-.->"
        # Every arrow points down, so that the drawing keeps the order of time.
        ends, label = (edge.source, edge.target), str(edge.kind)
        if place_of[edge.source] > place_of[edge.target]:
            ends, label = (edge.target, edge.source), _INVERSE[edge.kind]
        lines.append(f"    {names[ends[0]]} {arrow}|{label}| {names[ends[1]]}")
    for kind, style in _CLASSES.items():
        if members := [names[node.id] for node in drawn if _kind(node) == kind]:
            lines += [f"    classDef {kind} {style}", f"    class {','.join(members)} {kind}"]
    return "\n".join(lines) + "\n"


def _most_telling(timeline: Timeline, limit: int) -> list[Node]:
    """At most `limit` nodes: what simply worked goes first, then what was put back, then the latest."""
    order = sorted(range(len(timeline)), key=lambda place: (_dullness(timeline.nodes[place]), place))
    return [timeline.nodes[place] for place in sorted(order[: max(limit, 1)])]


def _dullness(node: Node) -> int:
    if isinstance(node, ActionNode) and node.status in _PLAIN:
        return 1 if node.cause else 2
    return 0


def _kind(node: Node) -> str:
    match node:
        case ActionNode():
            return _STATUS.get(node.status, "nothing")
        case InterruptNode():
            return "person"
        case SessionNode():
            return "bad" if node.event == "failed" else "session"


def _shape(node: Node) -> str:
    match node:
        case ActionNode():
            number = f"{node.seq}: " if node.seq is not None else ""
            again = f", run {node.generation}" if node.generation > 1 else ""
            return f'["{_label(f"action {number}{node.operation}", node.summary, _said(node) + again)}"]'
        case InterruptNode():
            answers = "waits for an answer" if node.open else _answers(node)
            return f'{{{{"{_label("asked", node.text, answers)}"}}}}'
        case SessionNode():
            event = f"{clock(node.at)} {node.event.replace('_', ' ')}".strip()
            return f'(["{_label(event, node.text)}"])'


def _said(node: ActionNode) -> str:
    residue = f", stays: {node.undo.residue[0]}" if node.undo.residue else ""
    failed = f": {node.error}" if node.error and node.status is Status.FAILED else ""
    held = f" {node.held}" if node.held else ""
    return f"{str(node.status).replace('_', ' ')}{held}{failed}{residue}"


def _answers(node: InterruptNode) -> str:
    said = Counter(f"{one.decision} by {one.by}" if one.by else one.decision for one in node.answers)
    return ", ".join(f"{count} x {what}" if count > 1 else what for what, count in said.items())


def _label(*parts: str) -> str:
    return "<br/>".join(_text(part, 120) for part in parts if part)


def _text(text: str, limit: int) -> str:
    """`text` in a quoted label: whatever Mermaid, Markdown or HTML could obey is spelled as a number."""
    flat = _READ_ANYWAY.sub(r"\g<0> ", line(text, limit))
    return "".join(char if char.isalnum() or char in _SAFE else f"#{ord(char)};" for char in flat)
