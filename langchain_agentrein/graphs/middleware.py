"""The middleware for `create_agent`: session, intent, gate, catch and walk. The executor keeps the promises."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse, hook_config
from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.messages import ToolMessage
from langgraph.config import get_config
from langgraph.errors import GraphBubbleUp, is_invalid_resume
from langgraph.prebuilt.tool_node import ToolInvocationError
from langgraph.types import Command

from langchain_agentrein import engine, identity
from langchain_agentrein.action import SessionRecord
from langchain_agentrein.errors import ConfigError, InDoubt
from langchain_agentrein.flow import Flow, arun, run
from langchain_agentrein.graphs import doubt
from langchain_agentrein.graphs import failure as failures
from langchain_agentrein.graphs.ask import Approver
from langchain_agentrein.graphs.beside import Beside
from langchain_agentrein.graphs.compensation import build_compensation_graph
from langchain_agentrein.graphs.gate import Gate
from langchain_agentrein.graphs.lending import InterruptMode, Lender, noticed
from langchain_agentrein.graphs.stack import last_turn, projected
from langchain_agentrein.graphs.state import LAST_CHANNEL, ReversibleState
from langchain_agentrein.identity import SESSION_CHANNEL
from langchain_agentrein.intent import MAX_CHARACTERS, Capture, capturing
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.session import CURRENT, Session

OnModelFailure: TypeAlias = Literal["keep", "rollback"]


class AgentReinMiddleware(AgentMiddleware[Any, Any, Any]):
    """Makes what a `create_agent` agent does reversible, gated and explained. List it first.

    Args:
        rein: Where to journal, and by which policy.
        interrupt_mode: `batched`: one interrupt for all gated calls of a model turn (`HITLRequest`);
            `per_call`: one for each as it starts (`ToolApprovalRequest`).
        approver: `(config) -> name` of who answers, where the server does not say who is authenticated.
        reraise: Whether a failed session raises `SessionFailed` after it was walked, so that nobody's
            monitoring sees success; `False` ends quietly.
        on_model_failure: A failing model is not yet a failed session: keep it open, to be resumed or
            rolled back; or roll it back at once.
        rationale: Ask the model for a `rationale` with each call; it is journaled, never passed on.
        capture_intent: Whether the model's reasoning is kept.
        intent_limit: Characters of it that are kept.
        agent_id: Names the agent in the journal.
        tenant: Whose sessions these are.
    """

    state_schema = ReversibleState

    def __init__(
        self,
        rein: AgentRein,
        *,
        interrupt_mode: InterruptMode = "batched",
        approver: Approver | None = None,
        reraise: bool = True,
        on_model_failure: OnModelFailure = "keep",
        rationale: bool = False,
        capture_intent: bool = True,
        intent_limit: int = MAX_CHARACTERS,
        agent_id: str | None = None,
        tenant: str | None = None,
    ) -> None:
        super().__init__()
        if interrupt_mode not in ("batched", "per_call"):
            raise ConfigError(f"interrupt_mode={interrupt_mode!r}: use 'batched' or 'per_call'")
        if on_model_failure not in ("keep", "rollback"):
            raise ConfigError(f"on_model_failure={on_model_failure!r}: use 'keep' or 'rollback'")
        self.tools = []
        self.rein, self.approver, self.reraise = rein, approver, reraise
        self.on_model_failure = on_model_failure
        self.agent_id, self.tenant = agent_id, rein.tenant_of(tenant)
        self._capture = Capture(capture_intent, intent_limit)
        self._beside = Beside()
        whom: Any = {"approver": approver, "beside": self._beside}
        self._lender = Lender(rein, rationale=rationale, interrupt_mode=interrupt_mode, **whom)
        self._gate = Gate(rein, self._lender.tools.get, per_call=interrupt_mode == "per_call", **whom)
        self._compensation = build_compensation_graph(rein, approver=approver)
        self._errors: dict[str, BaseException] = {}

    @property
    def name(self) -> str:
        """Its name. `create_agent` asks for it while it holds the list of middleware in which we stand."""
        self._beside.look(self, sys._getframe(1))
        return super().name

    # -- session -----------------------------------------------------------------------------------

    def before_agent(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """Open the session that the last human message begins."""
        return run(self._enter(state))

    async def abefore_agent(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """Open the session that the last human message begins."""
        return await arun(self._enter(state))

    def _enter(self, state: Mapping[str, Any]) -> Flow[dict[str, Any]]:
        outer = self._outer()
        if outer is not None:
            return {SESSION_CHANNEL: outer.id}
        thread_id = (get_config().get("configurable") or {}).get("thread_id")
        session_id = identity.session_id(thread_id, state["messages"])
        if thread_id is not None:
            yield from doubt.leave_behind(self.rein, thread_id, session_id, self.tenant)
        return {SESSION_CHANNEL: session_id}

    def _outer(self) -> Session | None:
        """The session around this agent, if it runs inside another one's tool."""
        outer = CURRENT.get()
        return outer if outer is not None and outer.rein is self.rein else None

    def _session(self, state: Mapping[str, Any], message_id: str | None = None) -> Session:
        outer = self._outer()
        if outer is not None:
            return outer
        config = get_config().get("configurable") or {}
        goal = identity.last_human(state["messages"])
        record = SessionRecord(
            id=state.get(SESSION_CHANNEL) or identity.session_id(config.get("thread_id"), state["messages"]),
            goal=goal.text if goal is not None else "",
            thread_id=config.get("thread_id"),
            agent_id=self.agent_id,
            tenant=self.tenant,
        )
        return Session(self.rein, record, opener=False, message_id=message_id)

    # -- model -------------------------------------------------------------------------------------

    @hook_config(can_jump_to=["end"])
    def before_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """Bring the stack up to date; after a failure, walk the session back and end."""
        update, failure = run(self._stacked(state)), failures.present(state)
        if failure is None:
            return update
        return {**update, **self._walk(state, failure), "jump_to": "end"}

    @hook_config(can_jump_to=["end"])
    async def abefore_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """Bring the stack up to date; after a failure, walk the session back and end."""
        update, failure = await arun(self._stacked(state)), failures.present(state)
        if failure is None:
            return update
        return {**update, **await self._awalk(state, failure), "jump_to": "end"}

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> Any:
        """Learn the tools, look for orphans, and let the model answer."""
        request = self._lender.learn(request)
        if (failure := run(self._failure(request.state))) is not None:
            return failures.overtaken(failure)
        adopted = run(self._orphans(request.state, request.runtime))
        try:
            return self._lender.marked(handler(request), adopted)
        except GraphBubbleUp:
            raise
        except Exception as error:
            run(self._model_failed(request.state, error))
            raise

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> Any:
        """Learn the tools, look for orphans, and let the model answer."""
        request = self._lender.learn(request)
        if (failure := await arun(self._failure(request.state))) is not None:
            return failures.overtaken(failure)
        adopted = await arun(self._orphans(request.state, request.runtime))
        try:
            return self._lender.marked(await handler(request), adopted)
        except GraphBubbleUp:
            raise
        except Exception as error:
            await arun(self._model_failed(request.state, error))
            raise

    def _orphans(self, state: Mapping[str, Any], runtime: Any) -> Flow[list[str]]:
        if self._outer() is not None:
            return []
        session, config = self._session(state), get_config()
        return (
            yield from doubt.orphans(
                self.rein, state, session.id, config=config, runtime=runtime, approver=self.approver
            )
        )

    def _failure(self, state: Mapping[str, Any]) -> Flow[failures.Failure | None]:
        return (yield from failures.found(self.rein, state, self._session(state).record, walks=self._walks))

    def _model_failed(self, state: Mapping[str, Any], error: Exception) -> Flow[None]:
        if self.on_model_failure == "rollback" and self._outer() is None:
            yield from failures.of_model(self.rein, self._session(state).record, error)

    def after_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """The gate: ask about the calls that may not simply run."""
        with self._acting(self._session(state)):
            update = run(self._gate.flow(state, get_config(), runtime, state["messages"]))
        return {**update, LAST_CHANNEL: last_turn(state["messages"])}

    async def aafter_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """The gate: ask about the calls that may not simply run."""
        with self._acting(self._session(state)):
            update = await arun(self._gate.flow(state, get_config(), runtime, state["messages"]))
        return {**update, LAST_CHANNEL: last_turn(state["messages"])}

    @contextlib.contextmanager
    def _acting(self, session: Session) -> Iterator[None]:
        token = CURRENT.set(session)
        try:
            with capturing(self._capture):
                yield
        finally:
            CURRENT.reset(token)

    # -- tools -------------------------------------------------------------------------------------

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        """Run the tool through its executor; a failure is caught, so that siblings finish."""
        lent, nested = self._lender.lend(request), self._outer() is not None
        with self._inside(lent):
            while True:
                try:
                    return noticed(request, handler(lent))
                except (GraphBubbleUp, ToolInvocationError):
                    raise
                except InDoubt as unsure:
                    run(doubt.settle(self.rein, unsure, request, self.approver))
                except Exception as error:
                    if is_invalid_resume(error):
                        raise
                    return failures.caught(request, run(self._freeze(request, error, nested=nested)))

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
    ) -> ToolMessage | Command[Any]:
        """Run the tool through its executor; a failure is caught, so that siblings finish."""
        lent, nested = self._lender.lend(request), self._outer() is not None
        with self._inside(lent):
            while True:
                try:
                    return noticed(request, await handler(lent))
                except (GraphBubbleUp, ToolInvocationError):
                    raise
                except InDoubt as unsure:
                    await arun(doubt.settle(self.rein, unsure, request, self.approver))
                except Exception as error:
                    if is_invalid_resume(error):
                        raise
                    return failures.caught(request, await arun(self._freeze(request, error, nested=nested)))

    @contextlib.contextmanager
    def _inside(self, request: ToolCallRequest) -> Iterator[None]:
        with self._lender.bound(request) as where:
            message = where.message
            with self._acting(self._session(request.state, message.id if message is not None else None)):
                yield

    # -- failure -----------------------------------------------------------------------------------

    def _freeze(self, request: ToolCallRequest, error: Exception, *, nested: bool) -> Flow[dict[str, Any]]:
        session = self._session(request.state).record
        self._errors[session.id] = error
        return (yield from failures.freeze(self.rein, request, session, error, nested=nested))

    def _walk(self, state: Any, failure: failures.Failure) -> dict[str, Any]:
        """Walk the session back, unless that was done; the update that tells it."""
        if failure.get("walked"):
            return {}
        session, report = self._session(state), None
        if self._walks:
            report = self._compensation.invoke(failures.walk_of(failure)).get("report")
        else:
            run(failures.kept(self.rein, session, nested=self._outer() is not None))
        return failures.ended(state, session.id, failure, report)

    async def _awalk(self, state: Any, failure: failures.Failure) -> dict[str, Any]:
        """Walk the session back, unless that was done; the update that tells it."""
        if failure.get("walked"):
            return {}
        session, report = self._session(state), None
        if self._walks:
            report = (await self._compensation.ainvoke(failures.walk_of(failure))).get("report")
        else:
            await arun(failures.kept(self.rein, session, nested=self._outer() is not None))
        return failures.ended(state, session.id, failure, report)

    @property
    def _walks(self) -> bool:
        """An inner agent leaves the walk to the opener; with `keep` nobody walks."""
        return self._outer() is None and self.rein.on_failure != "keep"

    def _stacked(self, state: Mapping[str, Any]) -> Flow[dict[str, Any]]:
        if self._outer() is not None:
            return {}
        return (yield from projected(self.rein.journal, state))

    # What fails after the last `before_model`, or behind a neighbour that jumped over it, is walked here. The
    # jump commits the state before anything is raised; `before_model` sends it back.

    @hook_config(can_jump_to=["model"])
    def after_agent(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """Complete the session, or raise what ended it."""
        failure = run(self._failure(state))
        if failure is not None and not failure.get("walked"):
            return {**self._walk(state, failure), "jump_to": "model"}
        return run(self._leave(state, failure))

    @hook_config(can_jump_to=["model"])
    async def aafter_agent(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """Complete the session, or raise what ended it."""
        failure = await arun(self._failure(state))
        if failure is not None and not failure.get("walked"):
            return {**await self._awalk(state, failure), "jump_to": "model"}
        return await arun(self._leave(state, failure))

    def _leave(
        self, state: Mapping[str, Any], failure: failures.Failure | None
    ) -> Flow[dict[str, Any] | None]:
        session = self._session(state)
        if failure is None:
            update = yield from self._stacked(state)
            if self._outer() is None:
                live = yield from engine.open_session(self.rein.core, session.record)
                # A run that died right after it had completed comes here again: what was due then still is.
                for session_id in dict.fromkeys((session.id, live.id)):
                    yield from engine.complete(self.rein.core, session_id)
            return update
        if not self.reraise and self._outer() is None:
            return None
        original = self._errors.pop(session.id, None)
        if self._outer() is not None and original is not None:
            raise original
        raise (yield from failures.failed(self.rein, session.id, failure, walked=self._walks)) from original
