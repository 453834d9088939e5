"""The front door: one `AgentRein` over one journal."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, TypeVar

from langchain_agentrein import engine
from langchain_agentrein.action import Action
from langchain_agentrein.deciding import Deciding
from langchain_agentrein.engine import Call, Core, Keeper, Performed, Verdict
from langchain_agentrein.errors import ConfigError
from langchain_agentrein.flow import Flow, adriven, driven
from langchain_agentrein.operation import Assessment, Operation
from langchain_agentrein.policy import ApprovalRule, Budget, OnUnknown, Policy
from langchain_agentrein.report import RollbackPlan, RollbackReport
from langchain_agentrein.session import CURRENT, OnFailure, Session

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from langchain_agentrein.graphs.middleware import AgentReinMiddleware
    from langchain_agentrein.journal import IsSecret, JournalSource, KeySource
    from langchain_agentrein.sdk import Sdk
    from langchain_agentrein.waiting import Approver

C = TypeVar("C")
OnOrphans: TypeAlias = Literal["ask", "rollback"]
Clients: TypeAlias = "Mapping[str, Any] | Callable[[str, str | None], Any]"
"""Clients by connector, or `resolver(connector, account) -> client`."""


class AgentRein(Deciding):
    """Journals, gates, explains and undoes what agents do.

    Args:
        journal: A SQLAlchemy URL or `Engine`: `sqlite:///agentrein.db`, `postgresql+psycopg://...`.
        rules: The policy; the first rule that matches decides.
        budgets: Not in this release.
        on_failure: What a failed session does: undo everything, ask with the plan, or keep its effects.
        on_conflict: What an undo does where somebody changed things since: leave that to a person
            (`ask`), leave it as it is (`skip`), or overwrite it (`force`).
        on_stuck: Whether a walk ends at an undo that failed for good, or goes on below it.
        on_orphans: What happens with effects that a thread's checkpoint knows nothing of.
        unknown: What holds for tools that declare nothing about themselves.
        drift: Not in this release.
        clients: Where undos in another process get their clients from.
        seal: The key for secrets that an undo needs, or what returns it; else `AGENTREIN_SEAL_KEY`.
        redact: `(key, value) -> bool`: what else counts as a secret.
        lease: Seconds after which a silent worker counts as dead.
        attempts: How often an undo is tried before it is stuck.
        backoff: Seconds before its second try; doubled for each further one.
        drain_timeout: Seconds that a rollback waits for actions under way.
        approval_ttl: Seconds after which an unanswered approval lapses; `None`: never.
        max_payload: Bytes that one payload may take.
        tenant: Whose sessions these are; no other's are read, decided about or undone, and none are joined.
    Raises:
        ConfigError: An argument cannot work.
        JournalUnavailable: The journal does not answer.
        JournalVersion: A newer release wrote it.
    """

    def __init__(
        self,
        journal: JournalSource,
        *,
        rules: Sequence[ApprovalRule] = (),
        budgets: Sequence[Budget] = (),
        on_failure: OnFailure = "rollback",
        on_conflict: engine.OnConflict = "ask",
        on_stuck: engine.OnStuck = "stop",
        on_orphans: OnOrphans = "ask",
        unknown: OnUnknown = "ask",
        drift: None = None,
        clients: Clients | None = None,
        seal: KeySource | None = None,
        redact: IsSecret | None = None,
        lease: float = 60.0,
        attempts: int = 3,
        backoff: float = 0.5,
        drain_timeout: float = 60.0,
        approval_ttl: float | None = None,
        max_payload: int | None = None,
        tenant: str | None = None,
    ) -> None:
        from langchain_agentrein.journal import Journal

        if drift is not None:
            raise ConfigError("drift is not in this release: leave it out")
        for name, value, allowed in (
            ("on_failure", on_failure, ("rollback", "ask", "keep")),
            ("on_conflict", on_conflict, ("ask", "skip", "force")),
            ("on_stuck", on_stuck, ("stop", "continue")),
            ("on_orphans", on_orphans, ("ask", "rollback")),
        ):
            if value not in allowed:
                raise ConfigError(f"{name}={value!r}: use one of {', '.join(map(repr, allowed))}")
        self.policy = Policy(rules, budgets, unknown)
        self.on_failure, self.on_orphans, self.tenant = on_failure, on_orphans, tenant
        self.journal = Journal(journal, seal=seal, redact=redact, max_payload=max_payload)
        self._clients = clients or {}
        self.unwinds = False
        """Whether some graph rolls its sessions back; without, the first call in a graph warns."""
        self._bound: dict[tuple[str, str | None], Any] = {}
        self.core = Core(
            journal=self.journal,
            decide=self._decide,
            client=self.client,
            keeper=Keeper(self.journal, lease),
            on_conflict=on_conflict,
            on_stuck=on_stuck,
            lease=lease,
            attempts=attempts,
            backoff=backoff,
            drain_timeout=drain_timeout,
            approval_ttl=approval_ttl,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the journal."""
        self.core.keeper.close()
        self.journal.close()

    # -- doing ---------------------------------------------------------------------------------

    def session(
        self,
        intent: str = "",
        *,
        agent_id: str | None = None,
        thread_id: str | None = None,
        tenant: str | None = None,
        rules: Sequence[ApprovalRule] = (),
    ) -> Session:
        """A session outside a graph: `with rein.session(intent="..."):`, or `async with`.

        It completes when the block ends, and follows `on_failure` when an exception leaves it.

        Args:
            intent: What the session is for.
            rules: Rules that come before the common ones.
        """
        tenant = self.tenant_of(tenant)
        return Session.open(
            self, goal=intent, agent_id=agent_id, thread_id=thread_id, tenant=tenant, rules=rules
        )

    def tools(self, *tools_or_toolkits: Any, rationale: bool = False) -> list[BaseTool]:
        """Reversible tools, bound to this journal.

        Args:
            tools_or_toolkits: Tools, functions, toolkits.
            rationale: Ask the model for a `rationale` with each call; it is journaled, never passed on.
        """
        from langchain_agentrein.toolkits.base import ReversibleToolkit

        return ReversibleToolkit(*tools_or_toolkits, rein=self, rationale=rationale).get_tools()

    def middleware(self, **options: Any) -> AgentReinMiddleware:
        """The middleware for `create_agent(..., middleware=[rein.middleware()])`; list it first."""
        from langchain_agentrein.graphs.middleware import AgentReinMiddleware

        return AgentReinMiddleware(self, **options)

    def wrap(
        self,
        client: C,
        session: Session | None = None,
        *,
        connector: str | Sdk | None = None,
        unknown: OnUnknown | None = None,
        wait: float = 300.0,
        approver: Approver | None = None,
        api: Any = None,
    ) -> C:
        """A vendor's SDK client whose mutating calls are journaled, gated and reversible.

        Args:
            client: The developer's; it is not changed.
            session: Where its calls belong; `None`: to whichever session is current where a call is made.
            connector: Whose operations its calls become; `None`: as the client's package says.
            unknown: What holds for methods that change something and that no operation covers; see `wrap.wrapped`.
            wait: Seconds that a call outside a graph waits for a person.
            approver: Decides outside a graph in place of a person: `approver(action) -> Decision | bool`.
            api: What the operations are given in place of one made of `client`.
        """
        from langchain_agentrein.wrap import wrapped

        return wrapped(
            self, client, session, connector=connector, unknown=unknown, wait=wait, approver=approver, api=api
        )

    def keyed(self, key: str) -> AbstractContextManager[None]:
        """`with rein.keyed("import-7"):` what a wrapped client is told inside is done once for this key.

        Outside a graph each call is a new one without it. The block's calls are told apart by their order: make
        them one after the other, in this thread.
        """
        from langchain_agentrein.proxied import keyed

        return keyed(key)

    def perform(self, op: Operation, api: Any, call: Call) -> Flow[Performed]:
        """The flow that does one action; tools drive it."""
        return engine.perform(self.core, op, api, call)

    def client(self, connector: str, account: str | None = None) -> Any:
        """The client with which a connector's operations are done and undone.

        Raises:
            ConfigError: Nobody provides one.
        """
        if callable(self._clients):
            return self._clients(connector, account)
        if connector in self._clients:
            return self._clients[connector]
        for key in ((connector, account), (connector, None)):
            if key in self._bound:
                return self._bound[key]
        try:
            toolkit = importlib.import_module(f"langchain_agentrein.toolkits.{connector}").TOOLKIT
        except ImportError as error:
            raise ConfigError(
                f"nobody provides a client for {connector!r}: pass AgentRein(clients={{{connector!r}: ...}}), "
                "or name your application with `agentrein --app module:rein`"
            ) from error
        return toolkit.from_env().client

    def bind(self, connector: str, client: Any, account: str | None = None) -> None:
        """Remember the client of a connector, for undos in this process."""
        self._bound[connector, account] = client
        self._bound.setdefault((connector, None), client)

    def _decide(self, action: Action, assessment: Assessment) -> Verdict:
        session = CURRENT.get()
        own = session.rules if session is not None and session.rein is self else ()
        return self.policy.decide(action, assessment, own)

    # -- undoing -------------------------------------------------------------------------------

    def _plan(
        self,
        *,
        session: str | None = None,
        thread: str | None = None,
        to: str | None = None,
        only: Collection[str] | None = None,
        all_sessions: bool = False,
    ) -> Flow[RollbackPlan]:
        """What an undo would do, touching nothing.

        Args:
            session: A session's id, or
            thread: a thread's: its latest session, or with `all_sessions` all of them.
            to: Undo only what came after this action.
            only: Undo just these actions.
        Raises:
            ConfigError: There is no such session, thread or action.
        """
        scope = yield from self._scope(session, thread, all_sessions, to, only)
        return (yield from engine.plan(self.core, scope))

    plan = driven(_plan)
    aplan = adriven(_plan)

    def _rollback(
        self,
        *,
        session: str | None = None,
        thread: str | None = None,
        to: str | None = None,
        only: Collection[str] | None = None,
        reason: str | None = None,
        by: str | None = None,
        all_sessions: bool = False,
        approve: RollbackPlan | Collection[str] = (),
        on_conflict: engine.OnConflict | None = None,
    ) -> Flow[RollbackReport]:
        """Undo, newest effect first, from any process.

        Undos that reach people, move money, publish or trigger automation wait as stuck, unless approved.

        Args:
            session: A session's id, or
            thread: a thread's: its latest session, or with `all_sessions` all of them.
            to: Undo only what came after this action.
            only: Undo just these actions.
            reason: Why, for the record.
            by: Who asks, for the record.
            approve: The plan as `by` has seen it, or ids of actions, whose far-reaching undos may run.
            on_conflict: Overrides the general answer to conflicts.
        Raises:
            ConfigError: There is no such session, thread or action, or an approval without `by`.
        """
        scope = yield from self._scope(session, thread, all_sessions, to, only)
        ids = (
            [line.action.id for line in approve.asks] if isinstance(approve, RollbackPlan) else list(approve)
        )
        if ids and by is None:
            raise ConfigError("approving an undo needs a name: rollback(..., approve=..., by='ana@acme.com')")
        cause = f"{by or 'somebody'} rolled it back" + (f": {reason}" if reason else "")
        return (
            yield from engine.rollback(
                self.core,
                scope,
                cause=cause,
                by=by,
                reason=reason,
                approved=dict.fromkeys(ids, by or ""),
                on_conflict=on_conflict,
            )
        )

    rollback = driven(_rollback)
    arollback = adriven(_rollback)

    def _recover(self, *, retries: int = 0, pause: float = 30.0) -> Flow[RollbackReport]:
        """Settle what dead workers left under way, finish the rollbacks they had begun, do what was held and is due.

        Args:
            retries: How often an undo that failed is tried again, in all, before it is left to a person.
            pause: Seconds before the first such try; doubled for each further one.
        """
        self.refuse_tenant("recover")
        return (yield from engine.recover(self.core, retries=retries, pause=pause))

    recover = driven(_recover)
    arecover = adriven(_recover)


__all__ = ["AgentRein", "Clients", "OnFailure", "OnOrphans", "Session"]
