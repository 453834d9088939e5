"""The timeline: what happened to a session, and what caused what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from langchain_agentrein.action import Action, Entry, Json, SessionRecord
from langchain_agentrein.timeline.graph import build
from langchain_agentrein.timeline.nodes import ActionNode, Edge, InterruptNode, Node, SessionNode
from langchain_agentrein.timeline.shown import Mask, Shown, identity, iso

if TYPE_CHECKING:
    from rich.console import RenderableType

FORMAT = 1
"""The version of what `to_dict` returns."""

_N = TypeVar("_N", ActionNode, InterruptNode, SessionNode)


class Timeline:
    """One causal graph over sessions, with their interrupts, resumes, crashes and rollbacks.

    Iterating yields its nodes in the order in which they came to pass, session by session. Every
    text in them is redacted, free of control characters and cut to a readable size.

    Args:
        sessions: The sessions, in any order.
        actions: Their actions, with payloads, in any order.
        entries: The links of their chains; without them, times come from the actions alone.
        mask: Replaces secrets, in payloads and in texts. If it raises, the value is hidden.

    Attributes:
        sessions: The sessions as they may be shown, oldest first; `failure` is a text here.
        nodes: What came to pass.
        edges: What caused, compensated, waited for or repeated what.
    """

    def __init__(
        self,
        sessions: Sequence[SessionRecord] = (),
        actions: Sequence[Action] = (),
        entries: Sequence[Entry] = (),
        *,
        mask: Mask = identity,
    ) -> None:
        shown, nodes, edges = build(sessions, actions, entries, Shown(mask))
        self.sessions: tuple[SessionRecord, ...] = tuple(shown)
        self.nodes: tuple[Node, ...] = tuple(nodes)
        self.edges: tuple[Edge, ...] = tuple(edges)

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __getitem__(self, node_id: str) -> Node:
        """The node with that id.

        Raises:
            KeyError: There is none.
        """
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(node_id)

    @property
    def actions(self) -> tuple[ActionNode, ...]:
        """The actions, in the order of their effects."""
        return self._only(ActionNode)

    @property
    def interrupts(self) -> tuple[InterruptNode, ...]:
        """Where a person was asked."""
        return self._only(InterruptNode)

    @property
    def events(self) -> tuple[SessionNode, ...]:
        """What came to pass with the sessions themselves."""
        return self._only(SessionNode)

    @property
    def causes(self) -> tuple[str, ...]:
        """One sentence for every action that was undone, or was to be."""
        return tuple(action.cause for action in self.actions if action.cause)

    @property
    def counts(self) -> dict[str, int]:
        """How many actions there are of each status."""
        return dict(Counter(str(action.status) for action in self.actions))

    def of(self, session_id: str) -> tuple[Node, ...]:
        """The nodes of one session."""
        return tuple(node for node in self.nodes if node.session_id == session_id)

    def _only(self, kind: type[_N]) -> tuple[_N, ...]:
        return tuple(node for node in self.nodes if isinstance(node, kind))

    def to_dict(self) -> dict[str, Json]:
        """The timeline as JSON: `{"format", "sessions", "counts", "nodes", "edges", "causes"}`."""
        return {
            "format": FORMAT,
            "sessions": [_session(session) for session in self.sessions],
            "counts": self.counts,
            "nodes": [node.to_dict() for node in self.nodes],
            "edges": [edge.to_dict() for edge in self.edges],
            "causes": list(self.causes),
        }

    def to_mermaid(self, *, limit: int = 100) -> str:
        """The timeline as a Mermaid flowchart.

        Args:
            limit: Nodes drawn; of more, the uneventful ones are left out, and counted.
        """
        from langchain_agentrein.timeline.mermaid import flowchart

        return flowchart(self, limit=limit)

    def to_html(self) -> str:
        """The timeline as a page of its own: no scripts, nothing loaded from elsewhere."""
        from langchain_agentrein.timeline.html import page

        return page(self)

    def _repr_html_(self) -> str:
        from langchain_agentrein.timeline.notebook import timeline_html

        return timeline_html(self)

    def __rich__(self) -> RenderableType:
        from langchain_agentrein.timeline.console import render_timeline

        return render_timeline(self)

    def __str__(self) -> str:
        from langchain_agentrein.timeline.console import to_text

        return to_text(self)

    def __repr__(self) -> str:
        size = f"{len(self.sessions)} session(s), {len(self.nodes)} nodes, {len(self.edges)} edges"
        return f"<Timeline: {size}>"


def _session(session: SessionRecord) -> dict[str, Json]:
    return {
        "id": session.id,
        "goal": session.goal,
        "status": str(session.status),
        "thread_id": session.thread_id,
        "tenant": session.tenant,
        "agent_id": session.agent_id,
        "parent_id": session.parent_id,
        "opened_at": iso(session.opened_at),
        "closed_at": iso(session.closed_at),
        "failure": session.failure,
        "reason": session.reason,
        "by": session.by,
    }
