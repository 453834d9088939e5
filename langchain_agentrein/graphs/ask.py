"""Asking a person, in the shapes that LangChain's own approval middleware uses."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from langchain.agents.middleware.human_in_the_loop import ActionRequest, HITLRequest, ReviewConfig
from langchain_core.runnables import RunnableConfig
from langgraph._internal._constants import NULL_TASK_ID, RESUME
from langgraph.types import interrupt
from pydantic import BeforeValidator, WithJsonSchema

from langchain_agentrein.action import Action, Json
from langchain_agentrein.engine import Decision
from langchain_agentrein.errors import ConfigError
from langchain_agentrein.flow import Flow, Step
from langchain_agentrein.journal import Redactor
from langchain_agentrein.journal.redaction import REDACTED
from langchain_agentrein.operation import Assessment

DECISIONS = ("approve", "edit", "reject", "respond")
YES_NO = ("approve", "reject")
Approver = Callable[[RunnableConfig], str | None]


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to decide.

    Attributes:
        name: The tool's name, or what is asked about a rollback.
        check: Raises `ValueError` where edited arguments do not fit the tool.
    """

    id: str
    name: str
    args: Json
    description: str
    allowed: tuple[str, ...] = DECISIONS
    check: Callable[[dict[str, Any]], None] | None = None


def about_call(
    action: Action,
    assessment: Assessment,
    redactor: Redactor,
    *,
    tool: str,
    check: Callable[[dict[str, Any]], None] | None = None,
) -> Question:
    """What a person needs to decide about a call: risk, reversibility, why, and what an undo would do."""
    reason = action.approval.reason if action.approval else None
    undo = {
        "exact": "can be undone exactly",
        "compensating": "can be undone in meaning; something stays",
        "none": "CANNOT be undone",
    }[str(assessment.reversal)]
    lines = [f"{tool}: {assessment.risk} risk, {undo}."]
    if assessment.summary:
        lines.append(assessment.summary)
    if assessment.undo_effects:
        lines.append("Its undo " + ", ".join(sorted(map(str, assessment.undo_effects))) + ".")
    if reason:
        lines.append(f"Asked because: {reason}.")
    if action.intent.text:
        lines.append(f"The agent's reason: {action.intent.text}")
    if action.intent.goal:
        lines.append(f"The goal: {action.intent.goal}")
    return Question(
        action.id, tool, redactor.mask(action.args), redactor.text("\n".join(lines)), DECISIONS, check
    )


def ask_all(questions: Sequence[Question]) -> list[dict[str, Any]]:
    """One interrupt for all of them; an answer that does not fit can be given again.

    Returns:
        The decisions, in the order of the questions.
    """
    request = HITLRequest(
        action_requests=[
            ActionRequest(
                name=question.name,
                args=question.args,
                description=question.description,
                action_id=question.id,  # type: ignore[typeddict-unknown-key]
            )
            for question in questions
        ],
        review_configs=[
            ReviewConfig(action_name=question.name, allowed_decisions=list(question.allowed))  # type: ignore[arg-type]
            for question in questions
        ],
    )
    answer = interrupt(request, response_schema=_schema(questions))
    decisions: list[dict[str, Any]] = answer["decisions"]
    return decisions


def ask_one(question: Question, tool_call_id: str | None) -> dict[str, Any]:
    """One interrupt for one call, in LangChain's `per_call` shape."""
    request = {
        "type": "tool_approval",
        "tool_call_id": tool_call_id,
        "name": question.name,
        "args": question.args,
        "description": question.description,
        "action_id": question.id,
    }

    def check(answer: Any) -> Any:
        _fits(answer, question)
        return answer

    schema = Annotated[Any, BeforeValidator(check), WithJsonSchema(_decision_schema(question))]
    answered: dict[str, Any] = interrupt(request, response_schema=schema)
    return answered


def _schema(questions: Sequence[Question]) -> Any:
    def check(answer: Any) -> Any:
        decisions = answer.get("decisions") if isinstance(answer, dict) else None
        if not isinstance(decisions, list):
            raise ValueError('answer with {"decisions": [{"type": "approve"}, ...]}, one for each request')
        if len(decisions) != len(questions):
            raise ValueError(f"{len(questions)} request(s) wait for a decision, {len(decisions)} came")
        for decision, question in zip(decisions, questions, strict=True):
            _fits(decision, question)
        return answer

    shown = {
        "type": "object",
        "properties": {
            "decisions": {
                "type": "array",
                "minItems": len(questions),
                "maxItems": len(questions),
                "prefixItems": [_decision_schema(question) for question in questions],
            }
        },
        "required": ["decisions"],
    }
    return Annotated[Any, BeforeValidator(check), WithJsonSchema(shown)]


def _decision_schema(question: Question) -> dict[str, Any]:
    return {
        "type": "object",
        "description": f"About {question.name} ({question.id})",
        "properties": {
            "type": {"enum": list(question.allowed)},
            "message": {"type": "string"},
            "edited_action": {
                "type": "object",
                "properties": {"name": {"const": question.name}, "args": {"type": "object"}},
                "required": ["name", "args"],
            },
        },
        "required": ["type"],
    }


def _fits(decision: Any, question: Question) -> None:
    if not isinstance(decision, dict) or decision.get("type") not in question.allowed:
        raise ValueError(f"the decision about {question.name} must be one of {', '.join(question.allowed)}")
    meant = decision.get("action_id")
    if meant is not None and meant != question.id:
        raise ValueError(f"a decision about {meant} came where {question.id} waits for one")
    if decision["type"] == "respond" and not isinstance(decision.get("message"), str):
        raise ValueError(f"a response about {question.name} needs a message")
    if decision["type"] != "edit":
        return
    edited = decision.get("edited_action")
    if not isinstance(edited, dict) or not isinstance(edited.get("args"), dict):
        raise ValueError(f"an edit of {question.name} needs edited_action with name and args")
    if edited.get("name") != question.name:
        raise ValueError(
            f"an edit changes the arguments of {question.name}, not the tool: {edited.get('name')!r} is another; "
            "reject the call instead, and say what you want"
        )
    if question.check is not None:
        question.check(edited["args"])


def decision_of(answer: dict[str, Any], action: Action, by: str | None) -> Decision:
    """A person's answer as the journal takes it; what was hidden from them stays as it was."""
    kind: Literal["approve", "edit", "reject", "respond"] = answer["type"]
    args = _unhidden(answer["edited_action"]["args"], action.args) if kind == "edit" else None
    return Decision(kind, by=by, args=args, message=answer.get("message"))


def _unhidden(edited: Json, original: Json) -> Json:
    if edited == REDACTED:
        return original
    if isinstance(edited, dict) and isinstance(original, dict):
        return {name: _unhidden(item, original.get(name)) for name, item in edited.items()}
    if isinstance(edited, list) and isinstance(original, list) and len(edited) == len(original):
        return [_unhidden(item, before) for item, before in zip(edited, original, strict=True)]
    return edited


def approver_of(config: RunnableConfig, runtime: Any, own: Approver | None) -> str | None:
    """Who answers: the server's authenticated user, else what the application says; never the payload."""
    server = getattr(runtime, "server_info", None)
    user = getattr(server, "user", None)
    if user is not None:
        return str(user.identity)
    if own is not None:
        return own(config)
    if server is not None:
        return None  # a server's config is what its client sent: anybody could claim to be anybody
    named = (config.get("configurable") or {}).get("approver")
    return str(named) if named else None


def spent(config: RunnableConfig) -> Flow[None]:
    """Take back the answer that was just read, so that after a crash nothing else reads it.

    LangGraph keeps an answer beside the root's checkpoint until the whole step is over, for whoever asks next. Where
    one step asks several questions, a later one would be given it. An answer that is taken back and not acted upon is
    asked for again.
    """
    where = config.get("configurable") or {}
    saver, anchor = where.get("__pregel_checkpointer"), (where.get("checkpoint_map") or {}).get("")
    if saver is None or anchor is None:
        return
    root = {"thread_id": where.get("thread_id"), "checkpoint_ns": "", "checkpoint_id": anchor}
    yield Step(
        saver.put_writes, ({"configurable": root}, [(RESUME, None)], NULL_TASK_ID), twin=saver.aput_writes
    )


def has_checkpointer(config: RunnableConfig) -> bool:
    """Whether the run can pause and be resumed."""
    return bool((config.get("configurable") or {}).get("__pregel_checkpointer"))


def no_checkpointer(what: str) -> ConfigError:
    """Says why a question could not be asked, and what to do."""
    return ConfigError(
        f"{what} needs a person's approval, and this graph cannot pause: give it a checkpointer, such as "
        "create_agent(..., checkpointer=InMemorySaver()), and a thread_id; on LangGraph's server, which brings "
        "the checkpointer, say checkpointer=True, and run it on a thread; or allow it with an ApprovalRule"
    )


def shown(args: Json) -> str:
    """Arguments in one line."""
    return json.dumps(args, ensure_ascii=False, default=str)
