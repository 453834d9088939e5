"""Reading what the journal has: the half of `AgentRein` that undoes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from langchain_agentrein.action import Action, SessionRecord, SessionStatus
from langchain_agentrein.engine import Scope
from langchain_agentrein.errors import ConfigError
from langchain_agentrein.flow import Flow, Step, adriven, driven

if TYPE_CHECKING:
    from langchain_agentrein.journal import Journal, Verification
    from langchain_agentrein.timeline import Timeline


class Reading:
    """Sessions, actions, timelines; checking the record, and forgetting what it must not keep."""

    journal: Journal

    def _actions(
        self, *, session: str | None = None, thread: str | None = None, all_sessions: bool = True
    ) -> Flow[list[Action]]:
        """The actions of a session, or of a thread's sessions, in the order of their effects."""
        scope = yield from self._scope(session, thread, all_sessions)
        found: list[Action] = yield Step(self.journal.actions, (scope.session_ids,))
        return found

    actions = driven(_actions)
    aactions = adriven(_actions)

    def _sessions(
        self,
        *,
        thread: str | None = None,
        tenant: str | None = None,
        statuses: Iterable[SessionStatus] | None = None,
        limit: int | None = None,
    ) -> Flow[list[SessionRecord]]:
        """Sessions, newest first."""
        wanted = list(statuses) if statuses is not None else None
        found: list[SessionRecord] = yield Step(
            lambda: self.journal.sessions(thread_id=thread, tenant=tenant, statuses=wanted, limit=limit)
        )
        return found

    sessions = driven(_sessions)
    asessions = adriven(_sessions)

    def _timeline(
        self, *, session: str | None = None, thread: str | None = None, all_sessions: bool = True
    ) -> Flow[Timeline]:
        """What happened, why, and what became of it: one causal graph."""
        from langchain_agentrein.timeline import Timeline

        scope = yield from self._scope(session, thread, all_sessions)
        ids = scope.session_ids
        sessions = yield Step(lambda: self.journal.sessions(ids=ids))
        actions = yield Step(self.journal.actions, (ids,))
        entries = yield Step(self.journal.entries, (ids,))
        return Timeline(sessions, actions, entries, mask=self.journal.redactor.mask)

    timeline = driven(_timeline)
    atimeline = adriven(_timeline)

    def _verify(self, *, session: str | None = None, thread: str | None = None) -> Flow[Verification]:
        """Check the record: every link, every payload, every row; says where it breaks."""
        ids = None
        if session is not None or thread is not None:
            ids = (yield from self._scope(session, thread, True)).session_ids
        checked: Verification = yield Step(self.journal.verify, (ids,))
        return checked

    verify = driven(_verify)
    averify = adriven(_verify)

    def _forget(
        self,
        *,
        session: str | None = None,
        thread: str | None = None,
        before: datetime | None = None,
        by: str | None = None,
    ) -> Flow[int]:
        """Erase the payloads of ended sessions: arguments, snapshots, reasons. The chain still verifies.

        What was forgotten cannot be undone any more.

        Args:
            before: Only sessions that ended before this.
        Returns:
            How many sessions were erased.
        Raises:
            ConfigError: Neither session, thread nor time is given, or a session has not ended.
        """
        if session is None and thread is None and before is None:
            raise ConfigError("say what to forget: session=, thread= or before=")
        ids = None
        if session is not None or thread is not None:
            ids = (yield from self._scope(session, thread, True)).session_ids
        erased: int = yield Step(lambda: self.journal.forget(ids, before=before, by=by))
        return erased

    forget = driven(_forget)
    aforget = adriven(_forget)

    def _scope(
        self,
        session: str | None,
        thread: str | None,
        all_sessions: bool,
        to: str | None = None,
        only: Collection[str] | None = None,
    ) -> Flow[Scope]:
        if (session is None) == (thread is None):
            raise ConfigError("name either session= or thread=")
        found: list[SessionRecord]
        if session is not None:
            found = yield Step(lambda: self.journal.sessions(ids=[session]))
            if not found:
                raise ConfigError(f"the journal has no session {session!r}: `agentrein sessions` lists them")
        else:
            found = yield Step(lambda: self.journal.sessions(thread_id=thread))
            if not found:
                raise ConfigError(
                    f"the journal has no session of thread {thread!r}: nothing was done on it, "
                    "or it has another journal; `agentrein sessions` lists them"
                )
        ids = tuple(one.id for one in (found if all_sessions else found[:1]))
        return Scope(ids, to, frozenset(only) if only is not None else None)
