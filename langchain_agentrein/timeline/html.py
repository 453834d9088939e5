"""A timeline as HTML: a page of its own, or a fragment for a notebook."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from langchain_agentrein.action import Status
from langchain_agentrein.timeline.console import ANSWERS, EVENTS, words
from langchain_agentrein.timeline.model import Timeline
from langchain_agentrein.timeline.nodes import InterruptNode
from langchain_agentrein.timeline.shown import clock, duration, iso, pretty, stamp
from langchain_agentrein.timeline.views import action_facts

TONES = {
    **dict.fromkeys(("executing", "executed", "approved", "open", "opened", "completed"), "blue"),
    **dict.fromkeys(("compensating", "restored", "compensated", "rolled_back"), "green"),
    **dict.fromkeys(("failed", "irreversible"), "red"),
    **dict.fromkeys(("proposed", "held", "in_doubt", "conflict", "stuck", "rolling_back"), "amber"),
    **dict.fromkeys(("called back", "taken over", "kept"), "amber"),
}
"""The colour of a status, an event or a verdict; what is not named is grey."""
_PAYLOADS = {
    "proposed_args": "arguments as proposed",
    "approved_args": "arguments as approved",
    "args": "arguments",
    "before": "state before",
    "after": "state right after",
    "result": "what the model was shown",
}


def fragment(timeline: Timeline) -> str:
    """The timeline as one element with its styles, to be put on any page."""
    seed = hashlib.sha256("\n".join(node.id for node in timeline).encode("utf-8", "replace")).hexdigest()[:8]
    anchors = {node.id: f"ar-{seed}-{place}" for place, node in enumerate(timeline)}
    blamed = {edge.target: anchors[edge.source] for edge in timeline.edges if edge.kind == "compensates"}
    parts = []
    for session in timeline.sessions:
        nodes = timeline.of(session.id)
        counts = Counter(node.status for node in timeline.actions if node.session_id == session.id)
        ordered = [(status, counts[status]) for status in Status if counts[status]]
        parts.append({"session": session, "nodes": nodes, "counts": ordered})
    return render("timeline.html.jinja", parts=parts, anchors=anchors, blamed=_Blamed(blamed))


def page(timeline: Timeline) -> str:
    """The timeline as a page of its own."""
    goals = [session.goal for session in timeline.sessions if session.goal]
    title = goals[-1] if goals else "Timeline"
    # The fragment escaped what it was given, so it is markup here.
    return render("page.html.jinja", title=title, body=Markup(fragment(timeline)))


def render(template: str, **values: Any) -> str:
    """A template of this package, with the style sheet at hand; everything given is escaped."""
    return _ENVIRONMENT.get_template(template).render(style=Markup(_source("style.css")), **values)


class _Blamed(dict[str, str]):
    """Nodes that nothing compensates have no link."""

    def __missing__(self, key: str) -> str:
        return ""


def _source(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text("utf-8")


def _tone(status: object) -> str:
    return TONES.get(str(status), "grey")


def _event(event: str) -> str:
    return "session opened" if event == "opened" else EVENTS.get(event, words(event))


def _payload(name: str) -> str:
    return _PAYLOADS.get(name, words(name))


def _code(text: str) -> Markup:
    """What stands between backticks as code; every part is escaped by itself."""
    parts = text.split("`")
    odd = len(parts) % 2 == 1
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if odd and place % 2 else part
        for place, part in enumerate(parts)
    )


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _answers(node: InterruptNode) -> Iterator[str]:
    said = Counter((answer.decision, answer.by, answer.reason) for answer in node.answers if answer.decision)
    waited = duration(node.at, node.answered_at)
    for (decision, by, reason), count in said.items():
        text = _capitalised(ANSWERS.get(decision, decision)) + (f" ({count} times)" if count > 1 else "")
        text += (f" by {by}" if by else "") + (f" after {waited}" if waited else "")
        yield text + (f": {reason}" if reason else "")


_ENVIRONMENT = Environment(
    loader=FunctionLoader(_source),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {
    "answers": _answers,
    "capitalised": _capitalised,
    "clock": clock,
    "code": _code,
    "event": _event,
    "facts": action_facts,
    "iso": iso,
    "payload": _payload,
    "pretty": pretty,
    "stamp": stamp,
    "tone": _tone,
    "words": words,
}
