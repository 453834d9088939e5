"""The checkpointed stack: the journal's projection onto an agent's state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage

from langchain_agentrein.flow import Flow, Step
from langchain_agentrein.graphs.state import LAST_CHANNEL, SEEN_CHANNEL, STACK_CHANNEL
from langchain_agentrein.identity import SESSION_CHANNEL

if TYPE_CHECKING:
    from langchain_agentrein.journal import Journal


def projected(journal: Journal, state: Mapping[str, Any]) -> Flow[dict[str, Any]]:
    """The update that adds the present session's new actions, as far as the state knows their messages.

    What it does not know the message of is an orphan, and must not be hidden by standing in the stack.
    """
    session_id = state.get(SESSION_CHANNEL)
    if session_id is None:
        return {}
    seen = (state.get(SEEN_CHANNEL) or {}).get(session_id, 0)
    new: list[tuple[int, str, str | None]] = yield Step(lambda: journal.effects(session_id, after=seen))
    messages = {message.id for message in state["messages"]} | {state.get(LAST_CHANNEL)}
    ours = [(seq, one) for seq, one, message_id in new if message_id is None or message_id in messages]
    if any(seq == 0 for seq, _ in ours):  # what is held has no place yet, and is found again each time
        stacked = set(state.get(STACK_CHANNEL) or ())
        ours = [(seq, one) for seq, one in ours if seq or one not in stacked]
    if not ours:
        return {}
    return {STACK_CHANNEL: [one for _, one in ours], SEEN_CHANNEL: {session_id: max(seen, ours[-1][0])}}


def last_turn(messages: Sequence[Any]) -> str | None:
    """The id of the model's last message."""
    return next((message.id for message in reversed(messages) if isinstance(message, AIMessage)), None)
