"""Where a person was asked: before an effect, inside a tool, and during a rollback."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from langchain_agentrein.action import TO_UNDO, Action, Entry, SessionRecord, SessionStatus, Status
from langchain_agentrein.timeline.history import Chain, detail, step_to
from langchain_agentrein.timeline.nodes import About, ActionNode, Answer, InterruptNode
from langchain_agentrein.timeline.shown import Shown

_SAID = frozenset({"approve", "edit", "reject", "respond"})
_AWAITING = "awaiting approval"
"""How the error of an undo begins that waits for a person."""
_ALLOWED = "undo approved"
"""The note that says that a person allowed an undo."""
_LEFT = "left as it is"
"""The note that says that a person wants an effect left as it is."""


class Pauses:
    """Finds the interrupts of one session.

    Args:
        nodes: The session's action nodes by id, for what may be shown of them.
    """

    def __init__(
        self,
        session: SessionRecord,
        actions: Sequence[Action],
        nodes: dict[str, ActionNode],
        chain: Chain,
        shown: Shown,
    ) -> None:
        self._session, self._actions, self._nodes = session, actions, nodes
        self._chain, self._shown = chain, shown

    def find(self) -> Iterator[tuple[int, InterruptNode]]:
        """Every interrupt, with its place in the chain."""
        yield from self._approvals()
        for action in self._actions:
            entries = self._chain.of.get(action.id, [])
            yield from self._tool(action, entries)
            yield from self._doubt(action, entries)
            yield from self._conflict(action, entries)
        yield from self._undos()
        yield from self._rollback()

    def _node(
        self,
        about: About,
        asked: Entry | None,
        text: str,
        answers: Sequence[Answer],
        key: str = "",
    ) -> tuple[int, InterruptNode]:
        first = self._nodes[answers[0].action_id]
        at = asked.at if asked else first.at
        place = asked.n if asked else self._chain.place(at)
        node_id = f"{answers[0].action_id}:{about}{key}"
        text = self._shown.text(text, 1000)
        return place, InterruptNode(node_id, self._session.id, at, about, text, tuple(answers))

    def _name(self, action_id: str) -> str:
        node = self._nodes[action_id]
        return f"`{node.operation}`" + (f" ({node.summary})" if node.summary else "")

    def _approvals(self) -> Iterator[tuple[int, InterruptNode]]:
        batches: dict[str, list[Action]] = defaultdict(list)
        for action in self._actions:
            if _was_asked(action, self._chain.of.get(action.id, [])):
                batches[action.message_id or action.id].append(action)
        for batch in batches.values():
            # The gate asks once for all gated calls of a message.
            asked = step_to(self._chain.of.get(batch[0].id, []), Status.PROPOSED)
            if len(batch) == 1:
                text = f"May {self._name(batch[0].id)} run?"
            else:
                names = ", ".join(self._name(action.id) for action in batch)
                text = f"May these {len(batch)} actions run? {names}"
            asks = [one.approval for one in batch if one.approval and one.approval.decision == "ask"]
            if why := dict.fromkeys(approval.reason for approval in asks if approval.reason):
                text += f" Asked because: {'; '.join(why)}"
            yield self._node("approval", asked, text, [self._verdict(action) for action in batch])

    def _verdict(self, action: Action) -> Answer:
        node, entries = self._nodes[action.id], self._chain.of.get(action.id, [])
        if action.status is Status.PROPOSED:
            return Answer(action.id, "")
        approval = node.approval
        said = approval is not None and approval.decision in _SAID
        if action.status is Status.EXPIRED and not said:
            lapsed = step_to(entries, Status.EXPIRED)
            return Answer(action.id, "expired", at=lapsed.at if lapsed else None)
        if approval is None or approval.decision == "ask":
            moved = next((entry for entry in entries if entry.from_status == Status.PROPOSED), None)
            by = self._shown.text(detail(moved).get("by")) if moved else ""
            decision = "approve" if step_to(entries, Status.APPROVED) else str(action.status)
            return Answer(action.id, decision, by or None, moved.at if moved else None)
        return Answer(action.id, approval.decision, approval.by, approval.at, approval.reason)

    def _tool(self, action: Action, entries: Sequence[Entry]) -> Iterator[tuple[int, InterruptNode]]:
        for place, entry in enumerate(entries):
            if entry.event != "note" or detail(entry).get("note") != "paused":
                continue
            later = entries[place + 1] if place + 1 < len(entries) else None
            answer = Answer(action.id, "resumed", at=later.at) if later else Answer(action.id, "")
            text = f"{self._name(action.id)} paused its own run to ask"
            yield self._node("tool", entry, text, [answer], f":{entry.n}")

    def _doubt(self, action: Action, entries: Sequence[Entry]) -> Iterator[tuple[int, InterruptNode]]:
        doubted = step_to(entries, Status.IN_DOUBT)
        settled = next((entry for entry in entries if detail(entry).get("settled") == "person"), None)
        blocks = self._session.status in (SessionStatus.ROLLING_BACK, SessionStatus.STUCK)
        node = self._nodes[action.id]
        if settled is None and not (action.status is Status.IN_DOUBT and (blocks or node.unsettled)):
            return
        answer = Answer(action.id, "")
        if settled is not None:
            by = self._shown.text(detail(settled).get("by")) or None
            happened = "it happened" if settled.to_status == Status.EXECUTED else "it did not happen"
            answer = Answer(action.id, "settled", by, settled.at, happened)
        text = f"Did {self._name(action.id)} happen?"
        if node.unsettled and settled is None:
            text += f" Nobody can tell: {node.unsettled}"
        yield self._node("doubt", doubted, text, [answer])

    def _conflict(self, action: Action, entries: Sequence[Entry]) -> Iterator[tuple[int, InterruptNode]]:
        met = step_to(entries, Status.CONFLICT)
        if met is None and action.status is not Status.CONFLICT:
            return
        again = step_to(entries, Status.COMPENSATING, start=Status.CONFLICT)
        node = self._nodes[action.id]
        text = f"Somebody changed what the undo of {self._name(action.id)} would overwrite. What goes first?"
        if action.status is Status.CONFLICT:
            text += f" {node.undo.error}" if node.undo.error else ""
            answer = self._left(action, entries)
        else:
            answer = Answer(action.id, "settled", node.undo.approved_by, again.at if again else None)
        yield self._node("conflict", met, text, [answer])

    def _left(self, action: Action, entries: Sequence[Entry]) -> Answer:
        noted = next((one for one in reversed(entries) if detail(one).get("note") == _LEFT), None)
        if noted is None:
            return Answer(action.id, "")
        return Answer(action.id, "reject", self._shown.text(detail(noted).get("by")) or None, noted.at, _LEFT)

    def _undos(self) -> Iterator[tuple[int, InterruptNode]]:
        answers: list[tuple[Entry | None, Answer]] = []
        for action in self._actions:
            node, entries = self._nodes[action.id], self._chain.of.get(action.id, [])
            began = step_to(entries, Status.COMPENSATING)
            waited = step_to(entries, Status.STUCK)
            if action.undo.approved_by:
                allowed = next((one for one in entries if detail(one).get("note") == _ALLOWED), None)
                allowed = allowed or step_to(entries, Status.COMPENSATING, start=Status.STUCK) or began
                said = Answer(action.id, "approve", node.undo.approved_by, allowed.at if allowed else None)
                answers.append((waited or began or allowed, said))
            elif action.status is Status.STUCK and (action.undo.error or "").startswith(_AWAITING):
                answers.append((waited or began, Answer(action.id, "", reason=node.undo.error)))
        if not answers:
            return
        # A rollback asks once for the whole plan.
        asked = min((entry for entry, _ in answers if entry), key=lambda entry: entry.n, default=None)
        names = ", ".join(self._name(answer.action_id) for _, answer in answers)
        text = f"May the rollback undo {names}? It reaches further than putting things back."
        yield self._node("undo", asked, text, [answer for _, answer in answers])

    def _rollback(self) -> Iterator[tuple[int, InterruptNode]]:
        scope = self._session.scope if isinstance(self._session.scope, dict) else {}
        if self._session.status is not SessionStatus.ROLLING_BACK or not scope.get("asking"):
            return
        began = [entry for entry in self._chain.entries if entry.to_status == SessionStatus.ROLLING_BACK]
        place, at = (began[-1].n, began[-1].at) if began else (self._chain.place(None), None)
        count = sum(action.status in TO_UNDO for action in self._actions)
        text = f"May the session be rolled back? {count} action{'s' if count != 1 else ''} would be undone."
        yield (
            place,
            InterruptNode(
                f"{self._session.id}:rollback", self._session.id, at, "rollback", text, (Answer("", ""),)
            ),
        )


def _was_asked(action: Action, entries: Sequence[Entry]) -> bool:
    said = action.approval.decision if action.approval else ""
    return (
        action.status is Status.PROPOSED
        or step_to(entries, Status.PROPOSED) is not None
        or (not entries and (said in _SAID or said == "ask"))
    )
