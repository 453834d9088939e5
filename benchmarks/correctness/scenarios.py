"""The accidents. Each says what the model does, what happens outside, what a person answers, and what is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Calls = tuple[tuple[str, dict[str, Any]], ...]


def order(item: str) -> tuple[str, dict[str, Any]]:
    return "shop_order", {"item": item}


PAY = ("shop_charge", {"amount": 100})
"""Always declined, which fails the task."""
EDIT = ("shop_edit", {"ticket": "t1", "title": "Printer on fire", "status": "closed"})
OPEN = ("shop_open", {"project": "launch"})
TWO: tuple[Calls, ...] = ((order("a"),), (order("b"),))


@dataclass(frozen=True, slots=True)
class Scenario:
    """One accident.

    Attributes:
        turns: The calls of each turn of the model; after them it says that all is done, or that it could not.
        wanted: The orders that stand if the run ends well. If it does not, none may.
        lose: A verb whose first reply is lost.
        kill: The moment at which the process is killed, once.
        at: The item whose tool, undo or checkpoint that moment belongs to.
        slow_saver: Seconds that each checkpoint takes to be written.
        slow_item: An item whose order takes half a second.
        retry: Failed tools are tried again, by what the system offers for it.
        review: Where somebody is asked about the result of the first order: in a middleware, or in the tool itself.
        gated: Orders and transfers need a person's approval.
        jump: A neighbour's middleware jumps to the tools after the rejected call was answered.
        meanwhile: What a colleague does before the model's last turn.
        answer: What a person decides when asked about a call.
        replay: The run is repeated from the checkpoint before its first tools.
    """

    name: str
    title: str
    turns: tuple[Calls, ...]
    wanted: tuple[str, ...] = ()
    lose: str | None = None
    kill: str | None = None
    at: str = "a"
    slow_saver: float = 0.0
    slow_item: str | None = None
    retry: bool = False
    review: str | None = None
    gated: bool = False
    jump: bool = False
    meanwhile: tuple[str, dict[str, Any]] | None = None
    answer: dict[str, Any] | None = None
    replay: bool = False


SCENARIOS = (
    Scenario("lost", "A reply is lost", TWO, ("a", "b"), lose="order"),
    Scenario(
        "retried", "A reply is lost, and failed tools are retried", TWO, ("a", "b"), lose="order", retry=True
    ),
    Scenario("before", "Killed before the effect", TWO, ("a", "b"), kill="before effect", at="b"),
    Scenario("after", "Killed after the effect, in the tool", TWO, ("a", "b"), kill="after effect", at="b"),
    Scenario(
        "returned", "Killed after the tool, before the checkpoint", TWO, ("a", "b"), kill="checkpoint", at="b"
    ),
    Scenario(
        "asked-again",
        "Killed after the effect, and the model's message lost",
        TWO,
        ("a", "b"),
        kill="after effect",
        slow_saver=0.4,
    ),
    Scenario(
        "interrupt", "An interrupt after the effect, in a middleware", TWO, ("a", "b"), review="middleware"
    ),
    Scenario("interrupt-tool", "An interrupt after the effect, in the tool", TWO, ("a", "b"), review="tool"),
    Scenario(
        "parallel", "One of three parallel calls fails", ((order("a"), order("b"), PAY),), slow_item="a"
    ),
    Scenario("replay", "Replay of a call from an old checkpoint", ((order("a"),),), ("a",), replay=True),
    Scenario("replay-on", "Replay from before calls that the model makes anew", TWO, ("a", "b"), replay=True),
    Scenario("undo", "Killed in the middle of a rollback", (*TWO, (PAY,)), kill="after undo", at="b"),
    Scenario(
        "foreign-edit",
        "Rollback after a colleague's edit",
        ((EDIT,), (PAY,)),
        meanwhile=("edit", {"ticket": "t1", "title": "Printer, see Ana"}),
    ),
    Scenario(
        "foreign-addition",
        "Rollback after a colleague's addition",
        ((OPEN,), (PAY,)),
        meanwhile=("attach", {"project": "launch", "task": "Ana's task"}),
    ),
    Scenario(
        "jump",
        "A rejected call, and a middleware that jumps",
        ((order("a"),),),
        gated=True,
        jump=True,
        answer={"type": "reject"},
    ),
    Scenario(
        "swap",
        "An edit that swaps the tool",
        ((order("a"),),),
        gated=True,
        answer={"type": "edit", "edited_action": {"name": "shop_transfer", "args": {"amount": 9000}}},
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
