"""Builds the causal graph: nodes in the order in which they came to pass, and the edges between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from langchain_agentrein.action import Action, Approval, Entry, Intent, Json, SessionRecord, Status, Undo
from langchain_agentrein.timeline import causes, events
from langchain_agentrein.timeline.history import Chain, moments, step_to
from langchain_agentrein.timeline.nodes import ActionNode, Edge, InterruptNode, Node, SessionNode
from langchain_agentrein.timeline.pauses import Pauses
from langchain_agentrein.timeline.shown import Shown, brief, line

_PAYLOADS = ("proposed_args", "approved_args", "args", "before", "receipt", "result", "after", "metadata")


def build(
    sessions: Sequence[SessionRecord], actions: Sequence[Action], entries: Sequence[Entry], shown: Shown
) -> tuple[list[SessionRecord], list[Node], list[Edge]]:
    """The sessions as they may be shown, oldest first, and their graph."""
    by_session: dict[str, list[Action]] = defaultdict(list)
    for action in actions:
        by_session[action.session_id].append(action)
    chains: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        chains[entry.session_id].append(entry)
    known = {session.id: session for session in sessions}
    for session_id in (*by_session, *chains):
        known.setdefault(session_id, SessionRecord(session_id))

    def age(session: SessionRecord) -> tuple[float, str]:
        return _opened(session, by_session[session.id], chains[session.id]), session.id

    ordered = sorted(known.values(), key=age)

    nodes: list[Node] = []
    edges: list[Edge] = []
    for session in ordered:
        part = _SessionGraph(session, by_session[session.id], Chain(chains[session.id]), shown)
        nodes += part.nodes
        edges += part.edges
    ids = {node.id for node in nodes}
    edges += _between(ordered, nodes)
    edges = [edge for edge in dict.fromkeys(edges) if edge.source in ids and edge.target in ids]
    return [shown_session(session, shown) for session in ordered], nodes, edges


class _SessionGraph:
    """The part of the graph that one session is."""

    def __init__(self, session: SessionRecord, actions: Sequence[Action], chain: Chain, shown: Shown) -> None:
        self._session, self._chain, self._shown = session, chain, shown
        views = {action.id: action_node(action, chain, shown) for action in actions}
        self._culprit = views.get(_culprit(session, actions))
        happened = list(events.session_events(session, chain, views, self._culprit, shown))
        pauses = list(Pauses(session, actions, views, chain, shown).find())
        places = {action_id: self._place(view) for action_id, view in views.items()}
        triggers = [(place, node) for place, node in happened if node.event in events.TRIGGERS]
        blamed = {view.id: self._trigger(view, triggers) for view in views.values()}
        order = {action_id: rank for rank, action_id in enumerate(sorted(views, key=places.__getitem__))}

        placed: list[tuple[tuple[int, float, int, str], Node]] = []
        for view in views.values():
            if view.status in causes.UNDO_TRIED:
                cause, because = self._cause(view, blamed[view.id], order)
                view = replace(view, cause=shown.text(cause, 2000), because=shown.text(because, 500))
            placed.append(((*places[view.id], 2, view.id), view))
        placed += [((place, _seconds(node), 0, node.id), node) for place, node in happened]
        placed += [((place, _seconds(node), 1, node.id), node) for place, node in pauses]
        self.nodes = [node for _, node in sorted(placed, key=lambda pair: pair[0])]
        told, asked = [node for _, node in happened], [node for _, node in pauses]
        self.edges = list(self._edges(views, told, asked, blamed))

    def _place(self, view: ActionNode) -> tuple[int, float]:
        started = self._chain.started(view.id)
        return (started.n if started else self._chain.place(view.at)), _seconds(view)

    def _trigger(self, view: ActionNode, triggers: Sequence[tuple[int, SessionNode]]) -> SessionNode | None:
        if causes.let_go(view):
            return None
        entries = self._chain.of.get(view.id, [])
        began = step_to(entries, Status.COMPENSATING) or step_to(entries, Status.DROPPED)
        before = [node for place, node in triggers if began is None or place < began.n]
        if began is None:  # without entries, what failed comes before who called it back
            before.sort(key=lambda node: node.event == "failed")
        return before[-1] if before else None

    def _cause(self, view: ActionNode, trigger: SessionNode | None, order: dict[str, int]) -> tuple[str, str]:
        """Why it was undone: in one sentence, and in as few words as do."""
        if why := causes.let_go(view):
            return causes.sentence(view, why), causes.short(view, why)
        if trigger is None:
            why = line(view.undo.cause or "a rollback was asked for", 300)
            return causes.sentence(view, why), causes.short(view, why)
        culprit = self._culprit
        if trigger.event != "failed" or culprit is None:
            return causes.sentence(view, trigger.text), causes.short(view, trigger.text)
        itself = culprit.id == view.id
        away = causes.distance(order[culprit.id] - order[view.id])
        why = causes.failed(self._session, culprit, self._shown, away=away)
        few = "it failed itself" if itself else f"`{culprit.operation}` failed{away}"
        return causes.sentence(view, why, itself=itself), causes.short(view, few)

    def _edges(
        self,
        views: dict[str, ActionNode],
        happened: Sequence[SessionNode],
        pauses: Sequence[InterruptNode],
        blamed: dict[str, SessionNode | None],
    ) -> Iterator[Edge]:
        trigger: SessionNode | None = None
        for node in happened:
            if node.event == "failed" and self._culprit is not None:
                yield Edge(self._culprit.id, node.id, "caused")
            if node.event in events.TRIGGERS:
                trigger = node
            elif node.event in events.ENDINGS and trigger is not None:
                yield Edge(trigger.id, node.id, "caused")
        stuck = next((node for node in reversed(happened) if node.event == "stuck"), None)
        for view in views.values():
            blame = blamed[view.id]
            if view.status in causes.UNDO_TRIED and blame is not None:
                yield Edge(blame.id, view.id, "compensates")
            if stuck is not None and view.status in events.LEFT_OPEN:
                yield Edge(view.id, stuck.id, "caused")
            if view.parent_id is not None:
                yield Edge(view.id, view.parent_id, "rerun of")
        for pause in pauses:
            for answer in pause.answers:
                yield Edge(answer.action_id, pause.id, "waited for")
            if pause.about == "rollback" and trigger is not None:
                yield Edge(trigger.id, pause.id, "waited for")


def _between(sessions: Sequence[SessionRecord], nodes: Sequence[Node]) -> Iterator[Edge]:
    """Edges from one session to another: replayed into a child, superseded by a newer message."""
    opened: dict[str, str] = {}
    superseded: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, SessionNode) and node.event == "opened":
            opened.setdefault(node.session_id, node.id)
        elif isinstance(node, SessionNode) and node.event == "superseded":
            superseded[node.session_id] = node.id
    for place, session in enumerate(sessions):
        if session.parent_id in opened and session.id in opened:
            yield Edge(opened[session.id], opened[session.parent_id], "rerun of")
        if session.id in superseded and session.thread_id is not None:
            newer = (later.id for later in sessions[place + 1 :] if later.thread_id == session.thread_id)
            yield Edge(opened.get(next(newer, ""), ""), superseded[session.id], "caused")


def action_node(action: Action, chain: Chain, shown: Shown) -> ActionNode:
    """One action as it may be shown; its cause is added when the session is known."""
    payloads = _payloads(action, shown)
    error = action.error if isinstance(action.error, dict) else {}
    intent, approval, undo = action.intent, action.approval, action.undo
    return ActionNode(
        id=action.id,
        session_id=action.session_id,
        at=action.started_at or action.created_at,
        operation=shown.text(action.operation, 120),
        summary=brief(payloads.get("args")),
        status=action.status,
        risk=action.risk,
        reversal=action.reversal,
        seq=action.seq,
        generation=action.generation,
        account=shown.text(action.account, 200) or None,
        tool_call_id=shown.text(action.tool_call_id, 200) or None,
        parent_id=action.parent_id,
        intent=Intent(
            shown.text(intent.text),
            shown.text(intent.source, 60),
            shown.text(intent.goal, 1000),
            intent.drift,
            shown.text(intent.model, 120),
            shown.text(intent.run_id, 120) or None,
        ),
        approval=_shown_approval(approval, shown),
        undo=Undo(
            undo.outcome,
            tuple(shown.text(one, 1000) for one in undo.residue),
            undo.attempts,
            shown.text(undo.error, 1000) or None,
            shown.text(undo.cause, 1000) or None,
            shown.text(undo.approved_by, 200) or None,
        ),
        error=causes.failed_with(action.error, shown, 1000),
        unsettled=shown.text(error.get("unsettled"), 500),
        finished_at=action.finished_at,
        undone_at=action.undone_at,
        undo_until=action.undo_until,
        payloads=payloads,
        history=moments(chain.of.get(action.id, []), shown),
        paused=action.paused,
    )


def _culprit(session: SessionRecord, actions: Sequence[Action]) -> str:
    """The action whose failure was the session's: as it is recorded, or else the last with the same error."""
    failure = session.failure if isinstance(session.failure, dict) else {}
    if failure.get("action_id"):
        return str(failure["action_id"])
    same = [action for action in actions if failure and _same_error(action.error, failure)]
    return max(same, key=lambda action: (action.seq or 0, action.id)).id if same else ""


def _same_error(error: Json, failure: dict[str, Json]) -> bool:
    named = ("type", "message")
    return isinstance(error, dict) and all(error.get(name) == failure.get(name) for name in named)


def _payloads(action: Action, shown: Shown) -> dict[str, Json]:
    """The payloads that are there, and say more than the arguments do."""
    present = {name: shown.value(value) for name in _PAYLOADS if (value := getattr(action, name)) is not None}
    for name in ("proposed_args", "approved_args"):
        if present.get(name) == present.get("args"):
            present.pop(name, None)
    return present


def _shown_approval(approval: Approval | None, shown: Shown) -> Approval | None:
    if approval is None:
        return None
    return Approval(
        shown.text(approval.decision, 60),
        shown.text(approval.by, 200) or None,
        approval.at,
        shown.text(approval.reason, 1000) or None,
        None,
        approval.expires_at,
        approval.release_after,
    )


def shown_session(session: SessionRecord, shown: Shown) -> SessionRecord:
    """A session as it may be shown; its `failure` becomes a text."""
    return replace(
        session,
        goal=shown.text(session.goal, 2000),
        failure=causes.failed_with(session.failure, shown, 1000) or None,
        reason=shown.text(session.reason, 1000) or None,
        by=shown.text(session.by, 200) or None,
        thread_id=shown.text(session.thread_id, 200) or None,
        agent_id=shown.text(session.agent_id, 200) or None,
        tenant=shown.text(session.tenant, 200) or None,
    )


def _opened(session: SessionRecord, actions: Sequence[Action], entries: Sequence[Entry]) -> float:
    times = [session.opened_at, *(action.created_at for action in actions), *(entry.at for entry in entries)]
    return min((at.timestamp() for at in times if at is not None), default=0.0)


def _seconds(node: Node) -> float:
    return node.at.timestamp() if node.at is not None else 0.0
