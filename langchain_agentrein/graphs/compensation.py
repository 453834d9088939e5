"""The compensation subgraph: one undo per superstep, so that a rollback is checkpointed, streamed and resumable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from langchain_agentrein import engine
from langchain_agentrein.action import Action, Json, Reversal, SessionStatus, Status
from langchain_agentrein.engine import Progress, Scope
from langchain_agentrein.flow import Flow, Step, arun, run
from langchain_agentrein.graphs.ask import YES_NO, Question, approver_of, ask_all, has_checkpointer, spent
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.report import RollbackPlan, RollbackReport

SOMEBODY = "whoever resumed the run"
RECURSION_LIMIT = 1_000_000
"""Supersteps; a walk takes one for each action, and inherits the caller's limit unless it sets its own."""


class CompensationState(TypedDict, total=False):
    """What the walk carries from step to step; everything else is in the journal."""

    session_id: str
    cause: str
    failure: Json
    below: int | None
    """The `seq` of the last action that was looked at: the walk goes on below it."""
    blocked: list[str]
    stopped: bool
    attending: dict[str, Any] | None
    """`{"id", "blocked", "stopped"}`: the action about which a person is asked, and the walk as it came to it."""
    kept: bool
    """A person said no to the whole rollback."""
    report: dict[str, Any]


def build_compensation_graph(
    rein: AgentRein, *, approver: Any = None
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The subgraph that rolls one session back: `invoke({"session_id": ..., "cause": ...})`.

    With a checkpointer it asks: once for the plan, where an undo reaches people, moves money,
    publishes or triggers automation; for a conflict; for an undo that is stuck; and for an action in
    doubt. Without one it does what is harmless, and leaves the rest to a person.

    Args:
        approver: `(config) -> name` of who answers, where the server does not say.
    """
    walk = _Walk(rein, approver)
    builder = StateGraph(CompensationState)
    builder.add_node("prepare", _node(walk.prepare))
    builder.add_node("confirm", _node(walk.confirm))
    builder.add_node("undo", _node(walk.undo))
    builder.add_node("attend", _node(walk.attend))
    builder.add_node("finish", _node(walk.finish))
    builder.add_edge(START, "prepare")
    builder.add_edge("prepare", "confirm")
    builder.add_conditional_edges(
        "confirm", lambda state: "finish" if state.get("kept") else "undo", ["undo", "finish"]
    )
    builder.add_conditional_edges("undo", _next, ["undo", "attend", "finish"])
    builder.add_conditional_edges("attend", _next, ["undo", "attend", "finish"])
    builder.add_edge("finish", END)
    graph = builder.compile(name="compensation")
    return graph.with_config({"recursion_limit": RECURSION_LIMIT})


def _next(state: CompensationState) -> str:
    if state.get("attending"):
        return "attend"
    return "finish" if state.get("below") == 0 else "undo"


def _node(flow: Callable[[CompensationState, RunnableConfig], Flow[dict[str, Any]]]) -> Any:
    def sync(state: CompensationState, config: RunnableConfig) -> dict[str, Any]:
        return run(flow(state, config))

    async def asynchronous(state: CompensationState, config: RunnableConfig) -> dict[str, Any]:
        return await arun(flow(state, config))

    return RunnableLambda(sync, afunc=asynchronous, name=flow.__name__)


class _Walk:
    """The nodes, each a flow."""

    def __init__(self, rein: AgentRein, approver: Any) -> None:
        self.rein, self.core, self.approver = rein, rein.core, approver

    def prepare(self, state: CompensationState, config: RunnableConfig) -> Flow[dict[str, Any]]:
        """Refuse new actions, and let those under way end."""
        scope = Scope((state["session_id"],))
        asking = self.rein.on_failure == "ask" and has_checkpointer(config)
        yield from engine.freeze(self.core, scope, failure=state.get("failure"), asking=asking)
        yield from engine.drain(self.core, scope)
        return {"below": None, "attending": None, "blocked": [], "stopped": False, "kept": False}

    def confirm(self, state: CompensationState, config: RunnableConfig) -> Flow[dict[str, Any]]:
        """Ask once for the whole plan, if anything in it reaches further than putting things back."""
        scope = Scope((state["session_id"],))
        if not has_checkpointer(config):
            return {"kept": False}
        plan: RollbackPlan = yield from engine.plan(self.core, scope)
        whole = self.rein.on_failure == "ask"
        if not plan.asks and not (whole and len(plan)):
            return {"kept": False}
        # No other process may start the walk while a person thinks about it.
        yield from engine.freeze(self.core, scope, asking=True)
        question = self._about_plan(plan, state, whole=whole)
        answer, by = yield from self._answer(question, config)
        if answer["type"] == "reject" and whole:
            yield Step(
                lambda: self.core.journal.set_session(
                    state["session_id"], SessionStatus.KEPT, by=by, reason=answer.get("message")
                )
            )
            return {"kept": True}
        if answer["type"] == "approve":
            for line in plan.asks:
                yield from engine.approve_undo(self.core, line.action, by=by or SOMEBODY)
        yield from engine.freeze(self.core, scope, asking=False)
        return {"kept": False}

    def undo(self, state: CompensationState, config: RunnableConfig) -> Flow[dict[str, Any]]:
        """Undo the next action down the stack, as far as it can be done without a person."""
        action: Action | None = yield from engine.next_back(
            self.core, state["session_id"], state.get("below")
        )
        if action is None:
            return {"below": 0}
        before = _progress(state)
        progress = yield from self._step(action, before, state)
        attending = None
        if has_checkpointer(config):
            attending = yield from self._attending(action.id, before)
        return {"below": action.seq, **_told(progress), "attending": attending}

    def attend(self, state: CompensationState, config: RunnableConfig) -> Flow[dict[str, Any]]:
        """Ask about the undo that needs a person, and do what they say.

        A step of its own for each question: it runs again from its top when they answer, and nothing
        may be tried before the answer is read.
        """
        asking = state["attending"]
        assert asking is not None
        before, progress = _progress(asking), _progress(state)
        now: Action = yield Step(self.core.journal.get, (asking["id"],))
        question = self._about_undo(now, before)
        if question is None:  # answered before a crash, or settled elsewhere meanwhile
            if now.status in (Status.EXECUTED, Status.COMPENSATING):
                progress = yield from self._step(now, before, state)
            return {**_told(progress), "attending": None}
        answer, by = yield from self._answer(question, config)
        if now.status is Status.IN_DOUBT:
            now = yield from engine.settle(
                self.core, now, happened=answer["type"] == "approve", by=by or SOMEBODY
            )
            if now.status is Status.FAILED:
                return {**_told(before), "attending": None}
        elif answer["type"] == "reject":
            yield from engine.leave_undone(self.core, now, by=by or SOMEBODY)
            return {"attending": None}
        elif now.status is Status.STUCK:
            now = yield from engine.approve_undo(self.core, now, by=by or SOMEBODY)
        if now.status is Status.CONFLICT:
            yield from engine.compensate(self.core, now, cause=state.get("cause"), on_conflict="force")
            progress = before
        else:
            progress = yield from self._step(now, before, state)
        attending = yield from self._attending(now.id, before)
        return {**_told(progress), "attending": attending}

    def _answer(self, question: Question, config: RunnableConfig) -> Flow[tuple[dict[str, Any], str | None]]:
        """A person's answer, and who they are."""
        [answer] = yield Step(ask_all, ([question],))
        yield from spent(config)
        return answer, approver_of(config, _runtime(config), self.approver)

    def _attending(self, action_id: str, before: Progress) -> Flow[dict[str, Any] | None]:
        """Whom to ask about next, if the undo still needs a person."""
        now: Action = yield Step(self.core.journal.get, (action_id,))
        return None if self._about_undo(now, before) is None else {"id": action_id, **_told(before)}

    def finish(self, state: CompensationState, config: RunnableConfig) -> Flow[dict[str, Any]]:
        """Record how the session ended, and report."""
        scope = Scope((state["session_id"],))
        yield from engine.close(self.core, scope)
        report: RollbackReport = yield from engine.report(self.core, scope)
        return {"report": report.to_dict()}

    def _step(self, action: Action, before: Progress, state: CompensationState) -> Flow[Progress]:
        progress = Progress(set(before.blocked), before.stopped)
        yield from engine.step_back(self.core, action, progress, cause=state.get("cause"))
        return progress

    def _about_plan(self, plan: RollbackPlan, state: CompensationState, *, whole: bool) -> Question:
        counts = ", ".join(f"{count} {verdict}" for verdict, count in plan.counts.items())
        what = (
            "Roll the session back?" if whole else "Some of the undos reach further than putting things back."
        )
        lines = [f"{what} It failed: {state.get('cause')}", f"The plan: {counts}.", str(plan)]
        return Question(
            f"plan:{state['session_id']}",
            "agentrein_rollback",
            self.core.journal.redactor.mask(plan.to_dict()),
            self.core.journal.redactor.text("\n".join(lines)),
            YES_NO,
        )

    def _about_undo(self, action: Action, before: Progress) -> Question | None:
        if engine.unsure(action):
            # Not asked here: after a crash the answer to an earlier question could be taken for this one's.
            return None
        if before.stopped or (action.undo.error is None and action.status is not Status.IN_DOUBT):
            return None
        if action.status is Status.CONFLICT and self.core.on_conflict == "ask":
            text = (
                f"Undoing {action.operation} would overwrite what somebody changed since: {action.undo.error}. "
                "Approve to overwrite it, reject to leave it as it is."
            )
        elif action.status is Status.STUCK and not str(action.undo.error).startswith(
            engine.AWAITING_APPROVAL
        ):
            text = f"Undoing {action.operation} failed: {action.undo.error}. Approve to try again, reject to leave it."
        elif action.status is Status.IN_DOUBT and action.reversal is not Reversal.NONE:
            why = (action.error or {}).get("unsettled", "")
            text = (
                f"{action.operation} may have happened, and nobody can tell: {why}. "
                "Look. Approve if it did happen (it is then undone), reject if it did not."
            )
        else:
            return None
        redactor = self.core.journal.redactor
        args = {"operation": action.operation, "args": redactor.mask(action.args), "action_id": action.id}
        return Question(action.id, "agentrein_undo", args, redactor.text(text), YES_NO)


def _progress(state: Mapping[str, Any]) -> Progress:
    return Progress(set(state.get("blocked") or ()), bool(state.get("stopped")))


def _told(progress: Progress) -> dict[str, Any]:
    return {"blocked": sorted(progress.blocked), "stopped": progress.stopped}


def _runtime(config: RunnableConfig) -> Any:
    return (config.get("configurable") or {}).get("__pregel_runtime")


__all__ = ["CompensationState", "build_compensation_graph"]
