"""Why something was undone, and how a session ended, in plain sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from langchain_agentrein.action import Json, SessionRecord, Status
from langchain_agentrein.timeline.nodes import ActionNode
from langchain_agentrein.timeline.shown import Shown, line

_VERBS = {
    Status.RESTORED: "was restored because",
    Status.COMPENSATED: "was compensated because",
    Status.IRREVERSIBLE: "could not be undone; its undo was due because",
    Status.COMPENSATING: "is being undone because",
    Status.CONFLICT: "was left alone, since somebody changed it meanwhile; its undo was due because",
    Status.STUCK: "could not be undone yet; its undo is due because",
    Status.DROPPED: "had been held and was never done: it was dropped because",
}
UNDO_TRIED = frozenset(_VERBS)
"""The statuses of actions that a rollback has come to, or a person who dropped what was held."""


def called(action: ActionNode) -> str:
    """The action's name, with a few words of its arguments."""
    return f"`{action.operation}`" + (f" ({action.summary})" if action.summary else "")


def failed_with(failure: Json, shown: Shown, limit: int = 200) -> str:
    """`Type: message` of a journaled failure; empty if there is none."""
    if not failure:
        return ""
    if not isinstance(failure, Mapping):
        return line(shown.text(failure), limit)
    said = [shown.text(failure.get(name)) for name in ("type", "message")]
    return line(": ".join(part for part in said if part), limit)


def failed(session: SessionRecord, culprit: ActionNode | None, shown: Shown, *, away: str = "") -> str:
    """Why a session failed, as a clause.

    Args:
        session: Its `failure` says what went wrong.
        culprit: The action that failed, if one did.
        shown: Makes the failure fit to be shown.
        away: How many effects away that was, as `distance` says it.
    """
    error = failed_with(session.failure, shown)
    with_ = f" with {error.rstrip('.')}" if error else ""
    if culprit is None:
        return f"the session failed{with_}"
    drift = f", which happened because the agent had{_strayed(culprit)}" if culprit.drifted else ""
    return f"`{culprit.operation}` failed{with_}{away}{drift}"


def distance(steps: int) -> str:
    """How many effects later something came; negative: earlier."""
    plural = "" if abs(steps) == 1 else "s"
    return f", {abs(steps)} step{plural} {'later' if steps > 0 else 'earlier'}" if steps else ""


def called_back(by: str, reason: str) -> str:
    """Who wanted a session rolled back, as a clause."""
    who = f"{by} rolled the session back" if by else "the session was rolled back"
    return f"{who}: '{line(reason, 300)}'" if reason else who


def let_go(action: ActionNode) -> str:
    """Who dropped what was held, as a clause; empty if no person did."""
    said = action.approval
    if action.status is not Status.DROPPED or said is None or said.decision != "drop":
        return ""
    return f"{said.by or 'somebody'} said so" + (f": '{line(said.reason, 300)}'" if said.reason else "")


def short(action: ActionNode, why: str) -> str:
    """What became of `action`, and why, in as few words as do; `why` is a clause."""
    undone = action.status in (Status.RESTORED, Status.COMPENSATED, Status.DROPPED)
    return f"{action.status if undone else 'to be undone'} because {line(why, 200)}"


def sentence(action: ActionNode, why: str, *, itself: bool = False) -> str:
    """Why `action` was undone.

    Args:
        action: An action that a rollback has come to.
        why: What began the rollback, as a clause.
        itself: Whether it was this action that failed.
    """
    verb = _VERBS[action.status]
    if action.status is Status.STUCK and (action.undo.error or "").startswith("awaiting approval"):
        verb = "waits until somebody approves its undo, which is due because"
    if itself:
        why = f"{why.replace(f'`{action.operation}`', 'it', 1)}, when its effect was there already"
    text = f"{called(action)} {verb} {why.rstrip('.')}"
    if action.intent.text:
        strayed = f", having{_strayed(action)}," if action.drifted and not itself else ""
        did = "wanted" if action.status is Status.DROPPED else "did"
        text += f"; the agent {did} it{strayed} because: '{line(action.intent.text).rstrip('.')}'"
    return text + "."


def ending(actions: Iterable[ActionNode]) -> str:
    """What became of a session's actions, counted."""
    counts = Counter(action.status for action in actions)
    order = [status for status in Status if counts[status]]
    return ", ".join(f"{counts[status]} {str(status).replace('_', ' ')}" for status in order)


def _strayed(action: ActionNode) -> str:
    return f" drifted from its goal (drift {action.intent.drift:.2f})"
