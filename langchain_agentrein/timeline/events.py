"""What came to pass with a session as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from langchain_agentrein.action import Entry, SessionRecord, SessionStatus, Status
from langchain_agentrein.timeline import causes
from langchain_agentrein.timeline.history import Chain, detail, worker
from langchain_agentrein.timeline.nodes import ActionNode, SessionNode
from langchain_agentrein.timeline.shown import Shown

TRIGGERS = frozenset({"failed", "called back"})
"""The events that begin a rollback."""
ENDINGS = frozenset({"rolled_back", "stuck", "kept"})
"""The events that end one."""
LEFT_OPEN = frozenset({Status.CONFLICT, Status.STUCK, Status.IN_DOUBT, Status.COMPENSATING})
"""The statuses of actions that leave a rolled back session stuck."""


def session_events(
    session: SessionRecord,
    chain: Chain,
    views: Mapping[str, ActionNode],
    culprit: ActionNode | None,
    shown: Shown,
) -> Iterator[tuple[int, SessionNode]]:
    """Every event of one session, with its place in the chain, in order."""
    found = list(_Events(session, views, culprit, shown).of(chain))
    yield from sorted(found, key=lambda pair: pair[0])


class _Events:
    def __init__(
        self,
        session: SessionRecord,
        views: Mapping[str, ActionNode],
        culprit: ActionNode | None,
        shown: Shown,
    ) -> None:
        self._session, self._views, self._shown = session, views, shown
        self._why = causes.failed(session, culprit, shown)
        self._failure_told = False

    def of(self, chain: Chain) -> Iterator[tuple[int, SessionNode]]:
        steps = [entry for entry in chain.entries if entry.event in ("session", "erased")]
        if not any(entry.event == "session" for entry in steps):
            yield from self._from_record(chain)
        last = max((entry.n for entry in steps if entry.event == "session"), default=0)
        for entry in steps:
            yield from self._step(entry, last=entry.n == last)
        for entry in chain.takeovers():
            what = f"{self._name(entry)}, which a lost one had under way ({worker(entry)})"
            yield self._node(entry, "taken over", f"another process took over {what}")
        for entry in chain.newcomers():
            yield self._node(entry, "continued", f"another process went on ({worker(entry)})")

    def _step(self, entry: Entry, *, last: bool) -> Iterator[tuple[int, SessionNode]]:
        by = self._shown.text(detail(entry).get("by"), 200)
        if entry.event == "erased":
            yield self._node(entry, "erased", "payloads were erased" + (f" by {by}" if by else ""), by)
        elif entry.to_status == SessionStatus.ROLLING_BACK:
            yield from self._rollback(entry, by)
        elif entry.from_status is None:
            yield self._node(entry, "opened", self._shown.text(self._session.goal, 2000))
        else:
            if entry.to_status == SessionStatus.KEPT and self._session.failure and not self._failure_told:
                yield self._failed(entry)
            to = str(entry.to_status)
            event = "went on" if to == SessionStatus.OPEN else to
            yield self._node(entry, event, self._ending(to) if last else "", by)

    def _rollback(self, entry: Entry, by: str) -> Iterator[tuple[int, SessionNode]]:
        if by:
            yield self._node(entry, "called back", causes.called_back(by, self._reason(by)), by)
        elif self._session.failure and not self._failure_told:
            yield self._failed(entry)
        elif entry.from_status != SessionStatus.ROLLING_BACK:
            yield self._node(entry, "called back", causes.called_back("", self._reason("")))

    def _failed(self, entry: Entry) -> tuple[int, SessionNode]:
        self._failure_told = True
        return self._node(entry, "failed", self._why)

    def _reason(self, by: str) -> str:
        # The record keeps the latest reason alone: it belongs to whoever the record names.
        same = self._shown.text(self._session.by, 200) == by
        return self._shown.text(self._session.reason, 1000) if same else ""

    def _ending(self, to: str) -> str:
        if to == SessionStatus.SUPERSEDED:
            return "a newer message came while it was open"
        if to == SessionStatus.KEPT:
            return "its effects were kept on purpose"
        return causes.ending(self._views.values())

    def _from_record(self, chain: Chain) -> Iterator[tuple[int, SessionNode]]:
        """Without entries the record itself tells what it can."""
        session, end = self._session, chain.entries[-1].n if chain.entries else 0

        def node(event: str, text: str, by: str = "") -> SessionNode:
            at = session.opened_at if event == "opened" else session.closed_at
            return SessionNode(f"{session.id}:{event}", session.id, at, event, text, by or None)

        yield 0, node("opened", self._shown.text(session.goal, 2000))
        if session.failure:
            yield end, node("failed", self._shown.text(self._why, 2000))
        if session.by or session.reason:
            by, reason = self._shown.text(session.by, 200), self._shown.text(session.reason, 1000)
            yield end, node("called back", causes.called_back(by, reason), by)
        if session.status not in (SessionStatus.OPEN, SessionStatus.ROLLING_BACK):
            yield end, node(str(session.status), self._ending(session.status))

    def _name(self, entry: Entry) -> str:
        view = self._views.get(entry.action_id or "")
        return f"`{view.operation}`" if view is not None else "an action"

    def _node(self, entry: Entry, event: str, text: str, by: str = "") -> tuple[int, SessionNode]:
        session_id, text = self._session.id, self._shown.text(text, 2000)
        return entry.n, SessionNode(
            f"{session_id}:{event}:{entry.n}", session_id, entry.at, event, text, by or None
        )
