"""The private channels that our middleware adds to an agent's state: ids and marks, never payloads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NotRequired

from langchain.agents.middleware.types import AgentState, PrivateStateAttr

STACK_CHANNEL = "action_stack"
FAILURE_CHANNEL = "agentrein_failure"
EDITS_CHANNEL = "agentrein_edits"
SEEN_CHANNEL = "agentrein_seen"
OURS_CHANNEL = "agentrein_ours"
LAST_CHANNEL = "agentrein_last"


def merge_ids(stack: list[str], writes: Sequence[list[str]]) -> list[str]:
    """Append what is not there yet: the same id may be written again, by a subgraph or after a replay."""
    merged = dict.fromkeys(stack)
    for write in writes:
        merged.update(dict.fromkeys(write))
    return list(merged)


def merge_pair(stack: list[str] | None, write: list[str]) -> list[str]:
    """`merge_ids` for a plain reducer channel."""
    return merge_ids(stack or [], [write])


def merge_failures(
    failures: dict[str, dict[str, Any]] | None, more: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Failures by session: the first of several siblings is the cause; later writes only add to it."""
    merged = dict(failures or {})
    for session_id, failure in more.items():
        merged[session_id] = {**failure, **merged.get(session_id, {}), **_progress(failure)}
    return merged


def _progress(failure: dict[str, Any]) -> dict[str, Any]:
    return {"walked": True} if failure.get("walked") else {}


try:
    from langgraph.channels import DeltaChannel
except ImportError:  # an older LangGraph: the same channel, with the whole stack in each checkpoint
    _STACK: Any = merge_pair
else:
    _STACK = DeltaChannel(merge_ids)


class ReversibleState(AgentState[Any]):
    """The state of an agent whose actions are journaled.

    A reducer must stand last in `Annotated`; elsewhere LangGraph ignores it silently.
    """

    agentrein_session: NotRequired[Annotated[str, PrivateStateAttr]]
    """The session that the last human message began."""
    action_stack: NotRequired[Annotated[list[str], PrivateStateAttr, _STACK]]
    """The ids of the actions that this state knows of, in the order of their effects."""
    agentrein_seen: NotRequired[Annotated[dict[str, int], PrivateStateAttr]]
    """`{session: seq}`: up to where the stack has the present session's effects."""
    agentrein_failure: NotRequired[Annotated[dict[str, dict[str, Any]], PrivateStateAttr, merge_failures]]
    """By session: `{"type", "message", "action_id", "tool_call_id", "walked"}`."""
    agentrein_edits: NotRequired[Annotated[dict[str, dict[str, Any]], PrivateStateAttr]]
    """By tool call: the arguments with which a person replaced the model's, in this step."""
    agentrein_last: NotRequired[Annotated[str | None, PrivateStateAttr]]
    """The last turn's message: its effects are known even where a neighbour has removed it since."""
    agentrein_ours: NotRequired[Annotated[list[str], PrivateStateAttr]]
    """Beside `HumanInTheLoopMiddleware`: the tool calls of the last message that our gate answers for."""
