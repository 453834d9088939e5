"""A world, tools that act on it, agents that hold them, and the checks behind the table."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from langchain_agentrein import AgentRein, ApprovalRule, ReversibleTool, Risk, SessionFailed, reversible
from langchain_agentrein.action import UNDONE
from tests.integration_tests.neighbours.matrix import Claim
from tests.support.agents import Declined, script
from tests.support.world import Mail, Put, World

APPROVE: dict[str, Any] = {"type": "approve"}
REJECT: dict[str, Any] = {"type": "reject", "message": "no"}
ASK = ApprovalRule("world.put", "ask")
"""A rule by which every `put` is asked about."""


def put(thing: str, text: str = "") -> AIMessage:
    """A turn that puts one thing."""
    return puts(thing, text=text)


def puts(*things: str, text: str = "") -> AIMessage:
    """A turn that puts several things at once."""
    return turn(*[("world_put", {"thing": thing, "fields": {"n": 1}}) for thing in things], text=text)


def turn(*calls: tuple[str, dict[str, Any]], text: str = "") -> AIMessage:
    """A turn that calls tools, with ids of its own."""
    made = [
        {"name": name, "args": args, "id": f"call_{uuid.uuid4().hex[:8]}", "type": "tool_call"}
        for name, args in calls
    ]
    return AIMessage(text, tool_calls=made)


FAIL = ("charge", {"amount": 1})
"""A call that ends the run: the card is declined."""


class Stage:
    """One test's world, journal and thread, driven by `invoke` or by `ainvoke`.

    Attributes:
        asked: What persons were asked about, `(tool, arguments)`, in order.
    """

    def __init__(self, path: Path, *, awaited: bool = False) -> None:
        self.path, self.awaited = path, awaited
        self.world = World(path / "world.db")
        self.saver: Any = InMemorySaver()
        self.config: Any = {"configurable": {"thread_id": "t"}}
        self.asked: list[tuple[str, str]] = []
        self.proven: set[Claim] = set()
        self.disproven: set[Claim] = set()
        self._reins: list[AgentRein] = []

    def rein(self, *rules: ApprovalRule, **options: Any) -> AgentRein:
        """An `AgentRein` on this test's journal; each one is as good as a process of its own."""
        clients = {"world": self.world}
        made = AgentRein(
            f"sqlite:///{self.path}/journal.db", rules=rules, clients=clients, backoff=0.01, **options
        )
        self._reins.append(made)
        return made

    def close(self) -> None:
        for rein in self._reins:
            rein.close()

    @property
    def tools(self) -> list[BaseTool]:
        """`world_put`, `world_mail` and `charge`, which is declined."""

        @reversible(undo=lambda action: None, not_done=(Declined,), risk=Risk.MEDIUM)
        def charge(amount: int) -> str:
            """Charge the card."""
            raise Declined("card declined")

        return [
            ReversibleTool.of_operation(Put, self.world),
            ReversibleTool.of_operation(Mail, self.world),
            charge,
        ]

    def agent(self, middleware: Sequence[Any], *turns: Any, **options: Any) -> Any:
        """An agent with these middleware, which may stand in any order."""
        model = options.pop("model", None) or script(*turns)
        tools = options.pop("tools", self.tools)
        options.setdefault("checkpointer", self.saver)
        return create_agent(model, tools, middleware=list(middleware), **options)

    # -- driving -----------------------------------------------------------------------------------

    def run(self, agent: Any, message: Any = "put things", config: Any = None, **options: Any) -> Any:
        """Run the agent on a message, or on what `invoke` takes."""
        given = {"messages": [("user", message)]} if isinstance(message, str) else message
        config = config or self.config
        if self.awaited:
            out = asyncio.run(agent.ainvoke(given, config, **options))
        else:
            out = agent.invoke(given, config, **options)
        return self.saw(out)

    def saw(self, out: Any) -> Any:
        """Note what a run asks."""
        for one in out.get("__interrupt__", ()) if isinstance(out, dict) else ():
            for request in one.value.get("action_requests", [one.value]):
                self.asked.append((request["name"], str(request["args"].get("thing", request["args"]))))
        return out

    def resume(self, agent: Any, *decisions: Any) -> Any:
        """Answer the batched question."""
        return self.run(agent, Command(resume={"decisions": list(decisions)}))

    def resume_each(self, agent: Any, out: Any, **decisions: Any) -> Any:
        """Answer the questions that each call asked for itself, by the thing that it is about."""
        answers = {one.id: decisions[one.value["args"]["thing"]] for one in out["__interrupt__"]}
        return self.run(agent, Command(resume=answers))

    def fails(self, agent: Any, message: Any = "put things", **options: Any) -> SessionFailed:
        """Run it to its failure."""
        try:
            self.run(agent, message, **options)
        except SessionFailed as failed:
            return failed
        raise AssertionError("it did not fail")

    def messages(self, agent: Any) -> list[BaseMessage]:
        """The thread's messages."""
        return list(agent.get_state(self.config).values["messages"])

    # -- checking ----------------------------------------------------------------------------------

    def one_effect(self, *things: str) -> None:
        """These things were put, each once, and nothing else was."""
        assert Counter(name for _, name in self.world.events("do")) == Counter(things)
        self.proven.add(Claim.ONE_EFFECT)

    def not_repeated(self, thing: str) -> None:
        """What happened before its reply was lost, or its process died, did not happen again."""
        assert not self.world.knob("lose reply") and not self.world.knob("kill"), "nothing was lost"
        assert self.world.count("do", thing) == 1
        self.proven.add(Claim.NOT_REPEATED)

    def asked_once(self, *things: str) -> None:
        """A person was asked about each of these once, and about nothing else."""
        assert Counter(thing for _, thing in self.asked) == Counter(things)
        self.proven.add(Claim.ASKED_ONCE)

    def rejected(self, *things: str) -> None:
        """These never happened."""
        assert things and not [thing for thing in things if self.world.count("do", thing)]
        self.proven.add(Claim.REJECTED)

    def unwound(self, count: int) -> None:
        """All `count` effects were undone, the one that started last first, and no session is left half-way."""
        done = [name for _, name in self.world.events("do")]
        undone = [name for _, name in self.world.events("undo")]
        with self.rein() as reader:
            actions = reader.actions(thread="t")
            started = [next(iter(action.args.values())) for action in actions if action.status in UNDONE]
            assert len(done) == count and sorted(started) == sorted(done) and undone == started[::-1]
            assert {str(one.status) for one in reader.sessions(thread="t")} <= {"rolled_back", "completed"}
            assert reader.verify().ok
        self.proven.add(Claim.UNWOUND)

    def resumes(self, out: Any, text: str = "done") -> None:
        """The run that was resumed came to its end."""
        assert "__interrupt__" not in out
        self.came_to(out["messages"][-1].text, text)

    def came_to(self, end: Any, wanted: Any) -> None:
        """What was resumed, not an agent, came to this end."""
        assert end == wanted
        self.proven.add(Claim.RESUMES)

    def answered(self, agent: Any, *, trimmed: bool = False) -> None:
        """Every tool call that is left in the thread, an agent's or these messages, has its one message."""
        messages = agent if isinstance(agent, list) else self.messages(agent)
        called = [
            call["id"]
            for message in messages
            if isinstance(message, AIMessage)
            for call in message.tool_calls
        ]
        told = [message.tool_call_id for message in messages if isinstance(message, ToolMessage)]
        assert (called or trimmed) and sorted(called) == sorted(told)
        self.proven.add(Claim.ANSWERED)

    def next_message(self, agent: Any, **state: Any) -> None:
        """The thread's next message is answered, by the script's next turn: "hello", or with this state.

        Args:
            agent: Asks it; or what it answered already.
        """
        out = agent if isinstance(agent, dict) else self.run(agent, "hi")
        assert {name: out[name] for name in state} == state
        assert state or out["messages"][-1].text == "hello"
        self.proven.add(Claim.NEXT)

    def lacks(self, claim: Claim, fact: bool) -> None:
        """Something does not hold, as the fact shows."""
        assert fact, f"{claim.value} holds after all: say so"
        self.disproven.add(claim)
