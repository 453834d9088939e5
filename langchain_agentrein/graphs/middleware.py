"""The middleware for `create_agent`: session, intent, gate, catch and walk. The executor keeps the promises."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse, hook_config
from langchain.agents.middleware.types import ExtendedModelResponse, ToolCallRequest
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.config import get_config
from langgraph.errors import GraphBubbleUp, is_invalid_resume
from langgraph.prebuilt.tool_node import ToolInvocationError
from langgraph.types import Command

from langchain_agentrein import engine, identity
from langchain_agentrein.action import UNDONE, Action, SessionRecord, SessionStatus, Status
from langchain_agentrein.engine import Decision, Scope
from langchain_agentrein.errors import ConfigError, InDoubt, JournalError, OrphanedActions, SessionFailed
from langchain_agentrein.flow import Flow, Step, arun, run
from langchain_agentrein.graphs.ask import (
    Approver,
    Question,
    about_call,
    approver_of,
    ask_all,
    ask_one,
    decision_of,
    has_checkpointer,
)
from langchain_agentrein.graphs.compensation import YES_NO, build_compensation_graph
from langchain_agentrein.graphs.gate import Gate, pending
from langchain_agentrein.graphs.state import EDITS_CHANNEL, FAILURE_CHANNEL, STACK_CHANNEL, ReversibleState
from langchain_agentrein.identity import SESSION_CHANNEL
from langchain_agentrein.intent import MAX_CHARACTERS, Capture, capturing
from langchain_agentrein.operation import Assessment
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.report import RollbackReport
from langchain_agentrein.session import CURRENT, Session
from langchain_agentrein.tool import BINDING, Binding, ReversibleTool
from langchain_agentrein.toolkits.base import reversible_form

OnModelFailure: TypeAlias = Literal["keep", "rollback"]
SEEN_CHANNEL = "agentrein_seen"


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
        interrupt_mode: Literal["batched", "per_call"] = "batched",
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
        self.interrupt_mode, self.on_model_failure = interrupt_mode, on_model_failure
        self.rationale, self.agent_id, self.tenant = rationale, agent_id, tenant
        self._capture = Capture(capture_intent, intent_limit)
        self._tools: dict[str, ReversibleTool] = {}
        self._gate = Gate(rein, self._tools.get, approver=approver, per_call=interrupt_mode == "per_call")
        self._compensation = build_compensation_graph(rein, approver=approver)
        self._errors: dict[str, BaseException] = {}
        self._checked = False

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
            replaced: list[str] = yield Step(self.rein.journal.supersede, (thread_id, session_id))
            for old in replaced:
                yield from engine.expire(self.rein.core, Scope((old,)))
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
        failure = self._failure(state)
        stacked = run(self._stacked(state))
        if failure is None:
            return stacked
        session = self._session(state)
        if self._walks(failure):
            walk = {"session_id": session.id, "cause": _cause(failure), "failure": failure}
            report = self._compensation.invoke(walk).get("report")
        else:
            report = run(self._kept(session))
        return {**(stacked or {}), **self._ended(state, session, failure, report)}

    @hook_config(can_jump_to=["end"])
    async def abefore_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """Bring the stack up to date; after a failure, walk the session back and end."""
        failure = self._failure(state)
        stacked = await arun(self._stacked(state))
        if failure is None:
            return stacked
        session = self._session(state)
        if self._walks(failure):
            walk = {"session_id": session.id, "cause": _cause(failure), "failure": failure}
            report = (await self._compensation.ainvoke(walk)).get("report")
        else:
            report = await arun(self._kept(session))
        return {**(stacked or {}), **self._ended(state, session, failure, report)}

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> Any:
        """Learn the tools, look for orphans, and let the model answer."""
        request = self._learn(request)
        adopted = run(self._orphans(request.state, request.runtime))
        try:
            return _with(handler(request), adopted)
        except GraphBubbleUp:
            raise
        except Exception as error:
            run(self._model_failed(request.state, error))
            raise

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> Any:
        """Learn the tools, look for orphans, and let the model answer."""
        request = self._learn(request)
        adopted = await arun(self._orphans(request.state, request.runtime))
        try:
            return _with(await handler(request), adopted)
        except GraphBubbleUp:
            raise
        except Exception as error:
            await arun(self._model_failed(request.state, error))
            raise

    def _learn(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        for tool in request.tools:
            if isinstance(tool, BaseTool):
                self._reversible(tool)
        if not self._checked:
            operations = [tool.operation.name for tool in self._tools.values()]
            self.rein.policy.check({*self._tools, *operations})
            self._checked = True
        if not self.rationale:
            return request
        shown = [self._tools.get(tool.name, tool) if isinstance(tool, BaseTool) else tool for tool in request.tools]
        return request.override(tools=shown)

    def _reversible(self, tool: BaseTool) -> ReversibleTool:
        known = self._tools.get(tool.name)
        if known is None or known is not tool and known.inner is not tool and known.operation is not getattr(
            tool, "operation", None
        ):
            known = reversible_form(tool)
            known = known.bound(known.rein or self.rein, rationale=known.rationale or self.rationale)
            self._tools[tool.name] = known
        return known

    def _orphans(self, state: Mapping[str, Any], runtime: Any) -> Flow[list[str]]:
        """Effects of this thread that a crash cut off from its messages: nothing runs on beside them.

        Returns:
            The ids that a person chose to keep.
        """
        config = get_config()
        thread_id = (config.get("configurable") or {}).get("thread_id")
        if thread_id is None or self._outer() is not None:
            return []
        session = self._session(state)
        lost: list[Action] = yield Step(
            lambda: self.rein.journal.strays(
                thread_id,
                known=set(state.get(STACK_CHANNEL) or ()),
                messages={message.id for message in state["messages"] if message.id},
                session_id=session.id,
                after=(state.get(SEEN_CHANNEL) or {}).get(session.id, 0),
            )
        )
        if not lost:
            return []
        ids = [action.id for action in lost]
        by = None
        if self.rein.on_orphans == "ask" and has_checkpointer(config):
            names = ", ".join(action.operation for action in lost)
            question = Question(
                f"orphans:{thread_id}",
                "agentrein_orphans",
                {"actions": ids, "operations": names},
                f"A crash cut {len(lost)} effect(s) off from the conversation: {names}. The model does not know of "
                "them and may do them again. Approve to roll them back first, reject to keep them and go on.",
                YES_NO,
            )
            [answer] = yield Step(ask_all, ([question],))
            if answer["type"] == "reject":
                return ids
            by = approver_of(config, runtime, self.approver)
        sessions = tuple(dict.fromkeys(action.session_id for action in lost))
        cause = "a crash cut it off from the conversation"
        scope = Scope(sessions, only=frozenset(ids))
        report: RollbackReport = yield from engine.rollback(self.rein.core, scope, cause=cause, by=by)
        if not report.complete:
            raise OrphanedActions(thread_id, [line.action_id for line in report.unsettled])
        return []

    def _model_failed(self, state: Mapping[str, Any], error: Exception) -> Flow[None]:
        if self.on_model_failure == "rollback" and self._outer() is None:
            scope = Scope((self._session(state).id,))
            if (yield Step(self.rein.journal.session, scope.session_ids)) is not None:
                failure = engine.told(error)
                yield from engine.freeze(self.rein.core, scope, failure=failure)
                yield from engine.rollback(self.rein.core, scope, cause=_cause(failure))

    def after_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """The gate: ask about the calls that may not simply run."""
        with self._asking(state):
            return run(self._gate.flow(state, get_config(), runtime, state["messages"]))

    async def aafter_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """The gate: ask about the calls that may not simply run."""
        with self._asking(state):
            return await arun(self._gate.flow(state, get_config(), runtime, state["messages"]))

    @contextlib.contextmanager
    def _asking(self, state: Mapping[str, Any]) -> Iterator[None]:
        token = CURRENT.set(self._session(state))
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
        lent, nested = self._lend(request), self._outer() is not None
        with self._inside(lent):
            while True:
                try:
                    return self._noticed(request, handler(lent))
                except (GraphBubbleUp, ToolInvocationError):
                    raise
                except InDoubt as doubt:
                    run(self._settle(doubt, request.runtime))
                except Exception as error:
                    if is_invalid_resume(error):
                        raise
                    return self._failed(request, run(self._freeze(request, error, nested=nested)))

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
    ) -> ToolMessage | Command[Any]:
        """Run the tool through its executor; a failure is caught, so that siblings finish."""
        lent, nested = self._lend(request), self._outer() is not None
        with self._inside(lent):
            while True:
                try:
                    return self._noticed(request, await handler(lent))
                except (GraphBubbleUp, ToolInvocationError):
                    raise
                except InDoubt as doubt:
                    await arun(self._settle(doubt, request.runtime))
                except Exception as error:
                    if is_invalid_resume(error):
                        raise
                    return self._failed(request, await arun(self._freeze(request, error, nested=nested)))

    def _lend(self, request: ToolCallRequest) -> ToolCallRequest:
        """Replace the tool, and those that another middleware could pick instead, by reversible ones."""
        if request.tool is None:
            return request
        tools = [self._reversible(tool) for tool in request.runtime.tools]
        runtime = replace(request.runtime, tools=tools)
        return replace(request, tool=self._reversible(request.tool), runtime=runtime)

    @contextlib.contextmanager
    def _inside(self, request: ToolCallRequest) -> Iterator[None]:
        runtime = request.runtime
        where = identity.caller(request.tool_call["id"], runtime.config, runtime)
        message = where.message
        session = self._session(request.state, message.id if message is not None else None)
        asks = has_checkpointer(runtime.config)
        ask = self._asker(request, runtime) if asks else None
        tokens = CURRENT.set(session), BINDING.set(Binding(self.rein, where, ask))
        try:
            with capturing(self._capture):
                yield
        finally:
            BINDING.reset(tokens[1])
            CURRENT.reset(tokens[0])

    def _asker(self, request: ToolCallRequest, runtime: Any) -> Callable[[Action, Assessment], Decision]:
        def ask(action: Action, assessment: Assessment) -> Decision:
            tool = self._tools.get(request.tool_call["name"])
            question = about_call(
                action,
                assessment,
                self.rein.journal.redactor,
                tool=request.tool_call["name"],
                check=tool.validate_args if tool is not None else None,
            )
            if self.interrupt_mode == "per_call":
                answer = ask_one(question, request.tool_call["id"])
            else:
                [answer] = ask_all([question])
            return decision_of(answer, action, approver_of(runtime.config, runtime, self.approver))

        return ask

    def _settle(self, doubt: InDoubt, runtime: Any) -> Flow[None]:
        """An earlier try may have had its effect: a person says whether, before anything runs."""
        if doubt.action_id is None or not has_checkpointer(runtime.config):
            raise doubt
        action: Action = yield Step(self.rein.journal.get, (doubt.action_id,))
        if action.status is not Status.IN_DOUBT:
            raise doubt
        redactor = self.rein.journal.redactor
        question = Question(
            action.id,
            "agentrein_settle",
            {"operation": action.operation, "args": redactor.mask(action.args)},
            redactor.text(f"{doubt} Approve if it happened, reject if it did not: it then runs again."),
            YES_NO,
        )
        [answer] = yield Step(ask_all, ([question],))
        by = approver_of(runtime.config, runtime, self.approver)
        yield from engine.settle(self.rein.core, action, happened=answer["type"] == "approve", by=by)

    def _noticed(self, request: ToolCallRequest, result: Any) -> Any:
        """Tell the model where a person changed its call."""
        edited = (request.state.get(EDITS_CHANNEL) or {}).get(request.tool_call["id"])
        if edited is None or not isinstance(result, ToolMessage) or not isinstance(result.content, str):
            return result
        notice = f"Note: a person changed this call before it ran. It ran with {edited}."
        return result.model_copy(update={"content": f"{notice}\n\n{result.content}"})

    # -- failure -----------------------------------------------------------------------------------

    def _freeze(self, request: ToolCallRequest, error: Exception, *, nested: bool) -> Flow[dict[str, Any]]:
        """The first act of any failure: no new actions of this session."""
        session = self._session(request.state)
        failure = {**engine.told(error), "tool": request.tool_call["name"], "tool_call_id": request.tool_call["id"]}
        failure["message"] = self.rein.journal.redactor.text(failure["message"])
        self._errors[session.id] = error
        if not nested and self.rein.on_failure != "keep":
            try:
                yield from engine.freeze(
                    self.rein.core,
                    Scope((session.id,)),
                    failure=failure,
                    asking=self.rein.on_failure == "ask" and has_checkpointer(request.runtime.config),
                )
            except JournalError as unavailable:
                # Without its journal nothing can be walked, and the caller must know the first error.
                raise error from unavailable
        return {session.id: failure}

    def _failed(self, request: ToolCallRequest, failure: dict[str, Any]) -> Command[Any]:
        [told] = failure.values()
        message = ToolMessage(
            f"{told['type']}: {told['message']}",
            tool_call_id=request.tool_call["id"],
            name=request.tool_call["name"],
            status="error",
        )
        return Command(update={"messages": [message], FAILURE_CHANNEL: failure})

    def _failure(self, state: Mapping[str, Any]) -> dict[str, Any] | None:
        failure: dict[str, Any] | None = (state.get(FAILURE_CHANNEL) or {}).get(state.get(SESSION_CHANNEL))
        return None if failure is None or failure.get("walked") else failure

    def _walks(self, failure: dict[str, Any]) -> bool:
        return self._outer() is None and self.rein.on_failure != "keep"

    def _kept(self, session: Session) -> Flow[dict[str, Any] | None]:
        """An inner agent leaves the walk to the opener; with `keep` nobody walks."""
        if self._outer() is None:
            known = yield Step(self.rein.journal.session, (session.id,))
            if known is not None:
                yield Step(self.rein.journal.set_session, (session.id, SessionStatus.KEPT))
        return None

    def _ended(
        self, state: Mapping[str, Any], session: Session, failure: dict[str, Any], report: Any
    ) -> dict[str, Any]:
        """Leave a state from which the next message works: every call answered, and a word of what was done."""
        unanswered = [
            ToolMessage("It did not run.", tool_call_id=call["id"] or "", name=call["name"], status="error")
            for call in pending(state["messages"])
        ]
        last = AIMessage(f"This failed and ended: {_cause(failure)}. {_told(report)}")
        update: dict[str, Any] = {
            "messages": [*unanswered, last],
            FAILURE_CHANNEL: {session.id: {**failure, "walked": True, "report": (report or {}).get("counts")}},
            "jump_to": "end",
        }
        return update

    @hook_config(can_jump_to=["model"])
    def after_agent(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """Complete the session, or raise what ended it."""
        return run(self._leave(state))

    @hook_config(can_jump_to=["model"])
    async def aafter_agent(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """Complete the session, or raise what ended it."""
        return await arun(self._leave(state))

    def _leave(self, state: Mapping[str, Any]) -> Flow[dict[str, Any] | None]:
        if self._failure(state) is not None:
            return {"jump_to": "model"}  # a `return_direct` tool failed: `before_model` walks, and comes back
        session = self._session(state)
        failure = (state.get(FAILURE_CHANNEL) or {}).get(session.id)
        if failure is None:
            update = yield from self._stacked(state)
            if self._outer() is None:
                yield from session._complete()
            return update
        if not self.reraise and self._outer() is None:
            return None
        original = self._errors.pop(session.id, None)
        if self._outer() is not None and original is not None:
            raise original
        report = None
        if self._walks(failure):
            report = yield from engine.report(self.rein.core, Scope((session.id,)))
        raise SessionFailed(
            f"session {session.id} failed: {_cause(failure)}. {_told(report.to_dict() if report else None)}",
            session_id=session.id,
            report=report,
            error={"type": failure["type"], "message": failure["message"]},
        ) from original

    def _stacked(self, state: Mapping[str, Any]) -> Flow[dict[str, Any] | None]:
        """Project the journal's new actions onto the checkpointed stack."""
        session_id = state.get(SESSION_CHANNEL)
        if session_id is None or self._outer() is not None:
            return None
        seen = (state.get(SEEN_CHANNEL) or {}).get(session_id, 0)
        new: list[tuple[int, str, str | None]] = yield Step(
            lambda: self.rein.journal.effects(session_id, after=seen)
        )
        messages = {message.id for message in state["messages"]}
        ours: Sequence[tuple[int, str]] = [
            (seq, one) for seq, one, message_id in new if message_id is None or message_id in messages
        ]
        if not ours:
            return None
        return {STACK_CHANNEL: [one for _, one in ours], SEEN_CHANNEL: {session_id: ours[-1][0]}}


def _with(response: Any, adopted: list[str]) -> Any:
    """Let the state know of the effects that a person chose to keep."""
    if not adopted:
        return response
    command: Command[Any] = Command(update={STACK_CHANNEL: adopted})
    if isinstance(response, AIMessage):
        response = ModelResponse(result=[response])
    return ExtendedModelResponse(model_response=response, command=command)


def _cause(failure: Mapping[str, Any]) -> str:
    where = f"`{failure['tool']}` failed with " if failure.get("tool") else ""
    return f"{where}{failure['type']}: {failure['message']}"


def _told(report: Mapping[str, Any] | None) -> str:
    if report is None:
        return "Its effects were kept."
    if not report["lines"]:
        return "Nothing had to be undone."
    undone = {name: count for name, count in report["counts"].items() if name in UNDONE}
    left = {name: count for name, count in report["counts"].items() if name not in UNDONE}
    parts = []
    if undone:
        parts.append("What it had done was undone: " + _counted(undone) + ".")
    if left:
        parts.append("Left for a person: " + _counted(left) + ".")
    return " ".join(parts)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
