"""The checkpointed stack: the journal's projection onto an agent's state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage

from langchain_agentrein.action import UNDONE, Status
from langchain_agentrein.flow import Flow, Step
from langchain_agentrein.graphs.state import LAST_CHANNEL, SEEN_CHANNEL, STACK_CHANNEL
from langchain_agentrein.identity import SESSION_CHANNEL

if TYPE_CHECKING:
    from langchain_agentrein.journal import Journal
    from langchain_agentrein.journal.reader import Effect

NOTHING_STANDS = UNDONE | {Status.FAILED}


def projected(journal: Journal, state: Mapping[str, Any]) -> Flow[dict[str, Any]]:
    """The update that adds the present session's new actions, as far as the state knows their messages.

    What it does not know the message of is an orphan, and must not be hidden by standing in the stack.
    """
    session_id = state.get(SESSION_CHANNEL)
    if session_id is None:
        return {}
    seen = (state.get(SEEN_CHANNEL) or {}).get(session_id, 0)
    new: list[Effect] = yield Step(lambda: journal.effects(session_id, after=seen))
    messages = {message.id for message in state["messages"]} | {state.get(LAST_CHANNEL)}

    def known(effect: Effect) -> bool:
        return effect.message_id is None or effect.message_id in messages

    stacked: set[str] = set()
    if not all(one.seq and known(one) for one in new):  # read only then: it is as long as the session
        stacked.update(state.get(STACK_CHANNEL) or ())
    # What is held has no place yet, and is found again each time.
    ours = [one for one in new if known(one) and (one.seq or one.id not in stacked)]
    # It is done after what was called later: the mark must not pass an orphan that lies below it.
    for effect in new:
        if not (known(effect) or effect.id in stacked or effect.status in NOTHING_STANDS):
            break
        seen = max(seen, effect.seq)
    update: dict[str, Any] = {STACK_CHANNEL: [one.id for one in ours]} if ours else {}
    if seen > (state.get(SEEN_CHANNEL) or {}).get(session_id, 0):
        update[SEEN_CHANNEL] = {session_id: seen}
    return update


def last_turn(messages: Sequence[Any]) -> str | None:
    """The id of the model's last message."""
    return next((message.id for message in reversed(messages) if isinstance(message, AIMessage)), None)
