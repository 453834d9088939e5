"""Reading what the journal has: the half of `AgentRein` that undoes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from langchain_agentrein.action import Action, Json, SessionRecord, SessionStatus
from langchain_agentrein.engine import Scope
from langchain_agentrein.errors import ConfigError
from langchain_agentrein.flow import Flow, Step, adriven, driven

if TYPE_CHECKING:
    from langchain_agentrein.journal import Journal, Verification
    from langchain_agentrein.timeline import Timeline


class Reading:
    """Sessions, actions, timelines; checking the record, and forgetting what it must not keep."""

    journal: Journal
    tenant: str | None
    """Whose sessions alone are read, decided about and undone; `None`: everybody's."""

    def _actions(
        self, *, session: str | None = None, thread: str | None = None, all_sessions: bool = True
    ) -> Flow[list[Action]]:
        """The actions of a session, or of a thread's sessions, in the order of their effects."""
        scope = yield from self._scope(session, thread, all_sessions)
        found: list[Action] = yield Step(self.journal.actions, (scope.session_ids,))
        return found

    actions = driven(_actions)
    aactions = adriven(_actions)

    def _held(self, *, session: str | None = None, thread: str | None = None) -> Flow[list[Action]]:
        """What is held and was not done yet, in the order of the calls; of all sessions unless one is named."""
        ids = None
        if session is not None or thread is not None:
            ids = (yield from self._scope(session, thread, True)).session_ids
        found: list[Action] = yield Step(self.journal.on_hold, (ids,))
        return [action for action in found if self.tenant in (None, action.tenant)]

    held = driven(_held)
    aheld = adriven(_held)

    def _sessions(
        self,
        *,
        thread: str | None = None,
        tenant: str | None = None,
        statuses: Iterable[SessionStatus] | None = None,
        limit: int | None = None,
    ) -> Flow[list[SessionRecord]]:
        """Sessions, newest first."""
        tenant = self.tenant_of(tenant)
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

    def _verify(
        self,
        *,
        session: str | None = None,
        thread: str | None = None,
        against: Json = None,
        key: str | bytes | None = None,
    ) -> Flow[Verification]:
        """Check the record: every link, every payload, every row; says where it breaks.

        Args:
            against: What `heads` returned earlier, and was kept elsewhere: a chain that was cut, rewritten or
                removed as a whole is found by it.
            key: The key that signed it; else `AGENTREIN_HEADS_KEY`.
        Raises:
            ConfigError: What was kept was changed, or another key signed it.
        """
        kept = None
        if against is not None:
            from langchain_agentrein.journal.heads import opened

            kept = opened(against, key)
        ids = None
        if session is not None or thread is not None:
            ids = (yield from self._scope(session, thread, True)).session_ids
        elif self.tenant is not None:
            ids = yield from self._own()
        checked: Verification = yield Step(lambda: self.journal.verify(ids, against=kept))
        return checked

    verify = driven(_verify)
    averify = adriven(_verify)

    def _heads(self, *, key: str | bytes | None = None) -> Flow[dict[str, Json]]:
        """Each session's length and last hash, signed: keep it where whoever writes the journal cannot.

        Args:
            key: At least 32 characters; else `AGENTREIN_HEADS_KEY`.
        Returns:
            JSON, for `verify(against=...)`.
        Raises:
            ConfigError: There is no key, or it is too short.
        """
        self.refuse_tenant("heads")
        signed: dict[str, Json] = yield Step(self.journal.heads, (key,))
        return signed

    heads = driven(_heads)
    aheads = adriven(_heads)

    def _export(
        self, *, session: str | None = None, thread: str | None = None, all_sessions: bool = True
    ) -> Flow[list[dict[str, Json]]]:
        """What is known of sessions, redacted, and their chains, which can be checked without the journal.

        Returns:
            `{"kind": "session" | "node" | "edge" | "chain" | "entry", ...}`, one after the other.
        """
        told: Timeline = yield from self._timeline(session=session, thread=thread, all_sessions=all_sessions)
        shown = told.to_dict()
        records = [
            {"kind": kind, **one} for kind in ("session", "node", "edge") for one in shown.get(f"{kind}s", ())
        ]
        ids = [one["id"] for one in shown["sessions"]]
        chains: list[dict[str, Json]] = yield Step(self.journal.chains, (ids,))
        return records + chains

    export = driven(_export)
    aexport = adriven(_export)

    def _forget(
        self,
        *,
        session: str | None = None,
        thread: str | None = None,
        before: datetime | None = None,
        mentioning: str | None = None,
        by: str | None = None,
    ) -> Flow[int]:
        """Erase the payloads of ended sessions: arguments, snapshots, reasons. The chain still verifies.

        What was forgotten cannot be undone any more.

        Args:
            before: Only sessions that ended before this.
            mentioning: Only sessions whose payloads hold this text, in any letter case: a person's mail address.
        Returns:
            How many sessions were erased.
        Raises:
            ConfigError: Nothing says what to forget; a session has not ended; or something is sealed with a
                key that is not here, and so cannot be searched.
        """
        if session is None and thread is None and before is None and not mentioning:
            raise ConfigError("say what to forget: session=, thread=, before= or mentioning=")
        ids: Collection[str] | None = None
        if session is not None or thread is not None:
            ids = (yield from self._scope(session, thread, True)).session_ids
        elif self.tenant is not None:
            ids = yield from self._own()
        if mentioning:
            found: list[str] = yield Step(self.journal.mentioning, (mentioning,))
            ids = [one for one in found if ids is None or one in ids]
        erased: int = yield Step(lambda: self.journal.forget(ids, before=before, by=by))
        return erased

    forget = driven(_forget)
    aforget = adriven(_forget)

    def _prune(self, *, older_than: timedelta, by: str | None = None) -> Flow[int]:
        """Erase the payloads of sessions that ended longer ago than that. The chain still verifies.

        Sessions that are still open, or being rolled back, are left alone, however old.

        Returns:
            How many sessions were erased.
        Raises:
            ConfigError: `older_than` is negative, or reaches before the calendar.
        """
        try:
            before = datetime.now(UTC) - older_than
        except OverflowError as error:
            raise ConfigError(f"older_than={older_than} reaches before the calendar") from error
        if older_than < timedelta(0):
            raise ConfigError(f"older_than={older_than} is negative")
        return (yield from self._forget(before=before, by=by))

    prune = driven(_prune)
    aprune = adriven(_prune)

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
            found = self._theirs((yield Step(lambda: self.journal.sessions(ids=[session]))))
            if not found:
                raise ConfigError(f"the journal has no session {session!r}: `agentrein sessions` lists them")
        else:
            found = self._theirs((yield Step(lambda: self.journal.sessions(thread_id=thread))))
            if not found:
                raise ConfigError(
                    f"the journal has no session of thread {thread!r}: nothing was done on it, "
                    "or it has another journal; `agentrein sessions` lists them"
                )
        ids = tuple(one.id for one in (found if all_sessions else found[:1]))
        return Scope(ids, to, frozenset(only) if only is not None else None)

    def _theirs(self, found: list[SessionRecord]) -> list[SessionRecord]:
        """Of these sessions the tenant's: another one's are as good as not there."""
        return [one for one in found if self.tenant in (None, one.tenant)]

    def _own(self) -> Flow[tuple[str, ...]]:
        found: list[SessionRecord] = yield Step(lambda: self.journal.sessions(tenant=self.tenant))
        return tuple(one.id for one in found)

    def _action(self, action_id: str) -> Flow[Action]:
        """One action, by its id or a beginning of it.

        Raises:
            ConfigError: There is none, or several, or it is another tenant's.
        """
        action: Action = yield Step(self.journal.get, (action_id,))
        if self.tenant not in (None, action.tenant):
            raise ConfigError(f"no action begins with {action_id!r}: `agentrein timeline` shows their ids")
        return action

    action = driven(_action)
    aaction = adriven(_action)

    def tenant_of(self, given: str | None) -> str | None:
        """Whose a new session is.

        Raises:
            ConfigError: Another tenant's than this `AgentRein` is for.
        """
        if self.tenant is not None and given not in (None, self.tenant):
            raise ConfigError(f"this AgentRein is for tenant {self.tenant!r}, not for {given!r}")
        return given if given is not None else self.tenant

    def refuse_tenant(self, what: str) -> None:
        """Let nothing touch the whole journal for one tenant.

        Raises:
            ConfigError: This `AgentRein` is for one.
        """
        if self.tenant is not None:
            raise ConfigError(
                f"{what} works on the whole journal: use an AgentRein without tenant={self.tenant!r}"
            )
