"""A small outside world in memory that knows who may overwrite what, and operations that act on it.

It does not only hold things: it judges. An undo that writes over what others left, or that happens twice, is
kept in `wrongs`, whatever the journal says of it.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

from langchain_agentrein import (
    Action,
    Conflict,
    Happened,
    NotDone,
    NotHappened,
    Operation,
    Reversal,
    Risk,
    Throttled,
    UndoEffect,
    Undone,
    Unknown,
)

Thing = dict[str, Any]
CHILDREN = "children"


class Ground:
    """Things with fields and children, a log of all that happened, and what goes wrong next.

    Attributes:
        things: By name; a thing has the fields `x`, `y` and a list of children.
        log: `(what, action id, key)` of every effect and undo, in order.
        forward: What happens to the next effects: `refuse`, `lose request`, `lose reply`, `throttle`.
        back: What happens to the next undos: `fail`, `lose reply`, `throttle`.
        blind: Probes cannot tell.
        wrongs: What must never have happened.
    """

    def __init__(self) -> None:
        self.things: dict[str, Thing] = {"a": {"x": 0, "y": 0, CHILDREN: []}}
        self.log: list[tuple[str, str, str]] = []
        self.forward: list[str] = []
        self.back: list[str] = []
        self.blind = False
        self.wrongs: list[str] = []

    def happened(self, key: str) -> bool:
        return any(what == "do" and known == key for what, _, known in self.log)

    def count(self, what: str) -> Counter[str]:
        """How often each action did it."""
        return Counter(action_id for done, action_id, _ in self.log if done == what)

    def order(self, what: str) -> list[str]:
        """The ids of the actions that did it, in order."""
        return [action_id for done, action_id, _ in self.log if done == what]

    def judge(self, fine: bool, what: str, action: Action) -> None:
        if not fine and not action.undo_forced:
            self.wrongs.append(f"the undo of {action.operation} {action.args} {what}")


class GroundOperation(Operation):
    """What they share: the effect and the undo, as the ground's turns want them."""

    thing: str
    risk: ClassVar[Risk] = Risk.LOW
    reversal: ClassVar[Reversal] = Reversal.EXACT

    def touches(self) -> frozenset[str]:
        return frozenset({self.thing})

    def do(self, api: Ground, action: Action) -> Any:
        turn = api.forward.pop(0) if api.forward else ""
        if turn == "refuse":
            raise NotDone("refused")
        if turn == "throttle":
            raise Throttled("slow down", retry_after=0.0)
        if turn == "lose request":
            raise TimeoutError("no answer, and nothing happened")
        self.happen(api)
        api.log.append(("do", action.id, action.key))
        if turn == "lose reply":
            raise TimeoutError("no answer, and it happened")
        return {"thing": self.thing}

    def undo(self, api: Ground, action: Action) -> Any:
        turn = api.back.pop(0) if api.back else ""
        if turn == "fail":
            raise NotDone("no route")
        if turn == "throttle":
            raise Throttled("slow down", retry_after=0.0)
        residue = self.unhappen(api, action)
        api.log.append(("undo", action.id, action.key))
        if turn == "lose reply":
            raise TimeoutError("no answer, and it was undone")
        return residue

    def probe(self, api: Ground, action: Action) -> Any:
        if api.blind:
            return Unknown("the index lags")
        return Happened({"thing": self.thing}) if api.happened(action.key) else NotHappened()

    def happen(self, api: Ground) -> None:
        """The effect."""

    def unhappen(self, api: Ground, action: Action) -> Any:
        """The undo; returns its residue."""


class Put(GroundOperation):
    """Set fields of a thing that is there; restored field by field."""

    name, partial = "ground.put", True
    fields: dict[str, int]

    def snapshot(self, api: Ground) -> Any:
        return self.look(api)

    def look(self, api: Ground) -> Any:
        there = api.things.get(self.thing)
        return None if there is None else {name: there.get(name) for name in self.fields}

    def observe(self, api: Ground, action: Action) -> Any:
        return self.look(api)

    def expect(self, action: Action) -> Any:
        return dict(self.fields)

    def happen(self, api: Ground) -> None:
        if self.thing not in api.things:
            raise NotDone(f"there is no {self.thing}")
        api.things[self.thing].update(self.fields)

    def unhappen(self, api: Ground, action: Action) -> Any:
        there = api.things.get(self.thing)
        if there is None:
            raise Conflict(f"{self.thing} is gone")
        for name, value in self.fields.items():
            if action.undo_fields is None or name in action.undo_fields or "everything" in action.undo_fields:
                was = action.before[name]
                api.judge(there[name] in (value, was), f"overwrote {name}={there[name]!r}", action)
                if there[name] != was:
                    api.log.append(("took back", f"{action.id} {name}", action.key))
                there[name] = was


class Whole(Put):
    """Like `Put`, but all or nothing."""

    name, partial = "ground.whole", False


class Gated(Put):
    """Like `Put`, but somebody must agree."""

    name = "ground.gated"


class Held(Put):
    """Like `Put`, and done when the session completes."""

    name = "ground.held"


class Confirm(Put):
    """Like `Put`, but it interrupts its own run to ask."""

    name = "ground.confirm"

    def do(self, api: Ground, action: Action) -> Any:
        from langgraph.types import interrupt

        interrupt("sure?")
        return super().do(api, action)


class Create(GroundOperation):
    """Create a thing; others may change it, and attach to it."""

    name = "ground.create"

    def observe(self, api: Ground, action: Action) -> Any:
        there = api.things.get(self.thing)
        return None if there is None else {name: there[name] for name in ("x", "y")}

    def expect(self, action: Action) -> Any:
        return {"x": 0, "y": 0}

    def attached(self, api: Ground, action: Action) -> Sequence[str]:
        return list((api.things.get(self.thing) or {}).get(CHILDREN, []))

    def happen(self, api: Ground) -> None:
        if self.thing in api.things:
            raise NotDone(f"{self.thing} is there already")
        api.things[self.thing] = {"x": 0, "y": 0, CHILDREN: []}

    def unhappen(self, api: Ground, action: Action) -> Any:
        there = api.things.get(self.thing)
        api.judge(there == {"x": 0, "y": 0, CHILDREN: []}, f"removed {there}", action)
        api.things.pop(self.thing, None)


class Delete(GroundOperation):
    """Remove a thing, with all that is on it."""

    name = "ground.delete"

    def snapshot(self, api: Ground) -> Any:
        return {"there": copy.deepcopy(api.things.get(self.thing))}

    def observe(self, api: Ground, action: Action) -> Any:
        return self.snapshot(api)

    def expect(self, action: Action) -> Any:
        return {"there": None}

    def happen(self, api: Ground) -> None:
        if self.thing not in api.things:
            raise NotDone(f"there is no {self.thing}")
        del api.things[self.thing]

    def unhappen(self, api: Ground, action: Action) -> Any:
        api.judge(self.thing not in api.things, f"overwrote {api.things.get(self.thing)}", action)
        api.things[self.thing] = copy.deepcopy(action.before["there"])


class Attach(GroundOperation):
    """Attach a child to a thing."""

    name = "ground.attach"
    child: str

    def observe(self, api: Ground, action: Action) -> Any:
        return {"attached": self.child in (api.things.get(self.thing) or {}).get(CHILDREN, [])}

    def snapshot(self, api: Ground) -> Any:
        return {"attached": False}

    def expect(self, action: Action) -> Any:
        return {"attached": True}

    def happen(self, api: Ground) -> None:
        there = api.things.get(self.thing)
        if there is None or self.child in there[CHILDREN]:
            raise NotDone(f"{self.child} cannot be attached to {self.thing}")
        there[CHILDREN].append(self.child)

    def unhappen(self, api: Ground, action: Action) -> Any:
        api.things[self.thing][CHILDREN].remove(self.child)


class Send(GroundOperation):
    """Send a notice: a second one corrects it, and nobody can look."""

    name, reversal = "ground.send", Reversal.COMPENSATING

    def unhappen(self, api: Ground, action: Action) -> Any:
        return Undone(("the notice was read",))


class Pay(Send):
    """Pay: the refund moves money, too."""

    name = "ground.pay"
    undo_effects = frozenset({UndoEffect.MOVES_MONEY})


class Burn(GroundOperation):
    """Nothing takes it back."""

    name, reversal = "ground.burn", Reversal.NONE
