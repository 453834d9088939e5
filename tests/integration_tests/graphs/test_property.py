"""Whatever an agent is told, asked, forked and rolled back to, in whatever order: the promises hold.

`HYPOTHESIS_PROFILE=soak` plays some thousands of conversations instead of a handful (see `CONTRIBUTING.md`).
"""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import InvalidUpdateError
from langgraph.types import Command
from pydantic import Field

from langchain_agentrein import AgentRein, ReversibleTool, SessionFailed, reversible
from tests.integration_tests.engine.sessions import THREAD, Workers, check, newest_first
from tests.support.agents import Declined, calls
from tests.support.ground import CHILDREN, Confirm, Create, Gated, Held, Put, Send
from tests.support.models import ScriptedModel, _fresh
from tests.support.profiles import examples

ON: Any = {"configurable": {"thread_id": THREAD}}
WANTED = st.sampled_from(["put", "gated", "held", "confirm", "create", "send", "fail"])
TURN = st.lists(WANTED, min_size=1, max_size=2)
FORWARD = st.lists(st.sampled_from(["", "", "refuse", "lose reply"]), max_size=2)
ASYNC = st.booleans()


class Player(ScriptedModel):
    """Plays what lies on its desk, and then is done: a fork may ask it more often than anybody foresaw."""

    desk: list[AIMessage] = Field(default_factory=list)

    def _next(self, messages: list[BaseMessage]) -> AIMessage:
        return _fresh(self.desk.pop(0) if self.desk else AIMessage("done"))


class Conversations(RuleBasedStateMachine):
    """One thread with an agent, in one process after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.workers = Workers()
        self.ground = self.workers.ground
        self.ground.things["b"] = {"x": 0, "y": 0, CHILDREN: []}
        self.saver = InMemorySaver()
        self.player = Player(turns=[])
        self.said = 0
        self.agent = self._built(self.workers.alive[0])

    def teardown(self) -> None:
        try:
            if self.workers.actions():
                self._everything_back()
                check(self.workers, self._retried())
        finally:
            self.workers.close()

    def _built(self, rein: AgentRein) -> Any:
        def fail() -> str:
            """Fail."""
            raise Declined("card declined")

        tools = [
            ReversibleTool.of_operation(cls, self.ground) for cls in (Put, Gated, Held, Confirm, Create, Send)
        ]
        broken = reversible(undo=lambda action: None, not_done=(Declined,))(fail)
        return create_agent(
            self.player, [*tools, broken], middleware=[rein.middleware()], checkpointer=self.saver
        )

    def _wanted(self, turn: list[str]) -> AIMessage:
        """The calls of one turn, which act on different things."""
        self.said += 1
        made = []
        for what, thing in zip(turn, "ab", strict=False):
            if what == "fail":
                made.append(("fail", {}))
            elif what in ("create", "send"):
                made.append(
                    (f"ground_{what}", {"thing": thing if what == "send" else f"new {self.said}{thing}"})
                )
            else:
                made.append((f"ground_{what}", {"thing": thing, "fields": {"x": self.said}}))
        return calls(*made)

    def _go(self, given: Any, config: Any = ON, *, native: bool) -> None:
        """Run until it ends, asks, or fails; a failed session has been walked back."""
        since = len(self.ground.log)
        try:
            if native:
                asyncio.run(self.agent.ainvoke(given, config))
            else:
                self.agent.invoke(given, config)
        except SessionFailed as failed:
            report = failed.report
            assert report is not None
            undone = [one for what, one, _ in self.ground.log[since:] if what == "undo"]
            order = [line.action_id for line in report if line.action_id in undone]
            assert undone == order, "not newest first"

    def _retried(self) -> set[str]:
        """No undo loses its reply here."""
        return set()

    def _everything_back(self) -> None:
        since = len(self.ground.log)
        self.workers.alive[0].rollback(thread=THREAD, all_sessions=True, by="ana")
        newest_first(self.workers, since)

    # -- rules ---------------------------------------------------------------------------------

    @rule(turns=st.lists(TURN, min_size=1, max_size=3), native=ASYNC, forward=FORWARD)
    def message(self, turns: list[list[str]], native: bool, forward: list[str]) -> None:
        """A new message, also where a question is open: it is passed over."""
        self.player.desk = [self._wanted(turn) for turn in turns]
        self.ground.forward = list(forward)
        self._go({"messages": [HumanMessage(f"message {self.said}")]}, native=native)
        self.ground.forward = []

    @rule(native=ASYNC, data=st.data())
    def answer(self, native: bool, data: st.DataObject) -> None:
        if not (asked := self.agent.get_state(ON).interrupts):
            return
        given = {one.id: self._answer(one.value, data) for one in asked}
        self._go(Command(resume=given), native=native)

    def _answer(self, question: Any, data: st.DataObject) -> Any:
        if question == "sure?":
            return "yes"
        decisions: list[dict[str, Any]] = []
        for request, review in zip(question["action_requests"], question["review_configs"], strict=True):
            kind = data.draw(st.sampled_from(sorted(review["allowed_decisions"])))
            decision: dict[str, Any] = {"type": kind}
            if kind == "edit":
                args = {**request["args"], "fields": {"x": 1000 + self.said}}
                decision["edited_action"] = {"name": request["name"], "args": args}
            elif kind in ("reject", "respond"):
                decision["message"] = "no"
            decisions.append(decision)
        return {"decisions": decisions}

    @rule(native=ASYNC, back=st.integers(0, 30), say=st.booleans())
    def travel(self, native: bool, back: int, say: bool) -> None:
        """An old checkpoint is replayed, or forked with another message."""
        states = [state for state in self.agent.get_state_history(ON) if state.next]
        if not states:
            return
        config = states[back % len(states)].config
        if say:
            self.said += 1
            try:
                config = self.agent.update_state(config, {"messages": [HumanMessage(f"rather {self.said}")]})
            except InvalidUpdateError:
                return  # LangGraph cannot tell after which node it would be
        self._go(None, config, native=native)

    @rule()
    def rollback(self) -> None:
        if self.workers.actions():
            self._everything_back()

    @rule(thing=st.sampled_from("ab"))
    def somebody_else(self, thing: str) -> None:
        self.said += 1
        if thing in self.ground.things:
            self.ground.things[thing]["x"] = f"theirs {self.said}"

    @rule()
    def another_process(self) -> None:
        self.workers.alive[0].close()
        self.workers.alive[0] = self.workers.hired()
        self.agent = self._built(self.workers.alive[0])

    # -- what must hold ------------------------------------------------------------------------

    @invariant()
    def the_promises_hold(self) -> None:
        check(self.workers, self._retried())


TestConversations = Conversations.TestCase
TestConversations.settings = examples(10, steps=10)
