"""`reversible`, in every spelling; and a tool that another process finds again by its name."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import BaseTool, StructuredTool, Tool, ToolException, tool

from langchain_agentrein import (
    AgentRein,
    ConfigError,
    Happened,
    NotDone,
    Operation,
    Reversal,
    ReversibleTool,
    Risk,
    Status,
    Throttled,
    reversible,
)
from langchain_agentrein.engine import Reported
from langchain_agentrein.function import Hooks, ToolOperation, declare, is_async, is_sync
from tests.unit_tests.test_tool import nothing
from tests.unit_tests.zoo import ZOO


@pytest.fixture
def rein(tmp_path: Path) -> Iterator[AgentRein]:
    with AgentRein(f"sqlite:///{tmp_path}/journal.db", backoff=0.01) as rein:
        yield rein


class Desk:
    """A desk on which things are put and taken away, with hooks of every kind."""

    def __init__(self) -> None:
        self.items: dict[str, int] = {}
        self.given: list[Any] = []

    def put(self, item: str, count: int = 1) -> dict[str, int]:
        """Put something on the desk."""
        before = self.items.get(item)
        self.items[item] = count
        return {"before": before or 0}

    async def aput(self, item: str, count: int = 1) -> dict[str, int]:
        """Put something on the desk."""
        return self.put(item, count)

    def snapshot(self, **args: Any) -> Any:
        self.given.append(args)
        return {"count": self.items.get(args["item"], 0)}

    async def asnapshot(self, **args: Any) -> Any:
        return self.snapshot(**args)

    def observe(self, action: Any) -> Any:
        return {"count": self.items.get(action.args["item"], 0)}

    async def aobserve(self, action: Any) -> Any:
        return self.observe(action)

    def undo(self, action: Any) -> str:
        if action.before["count"]:
            self.items[action.args["item"]] = action.before["count"]
        else:
            del self.items[action.args["item"]]
        return "a ring on the wood"

    async def aundo(self, action: Any) -> str:
        return self.undo(action)


def bare(desk: Desk) -> ReversibleTool:
    @reversible
    def put(item: str, count: int = 1) -> dict[str, int]:
        """Put something on the desk."""
        return desk.put(item, count)

    put.undo(desk.undo)
    put.snapshot(desk.snapshot)
    put.observe(desk.observe)
    return put


def with_arguments(desk: Desk) -> ReversibleTool:
    @reversible(undo=desk.undo, snapshot=desk.snapshot, observe=desk.observe)
    def put(item: str, count: int = 1) -> dict[str, int]:
        """Put something on the desk."""
        return desk.put(item, count)

    return put


def on_a_tool(desk: Desk) -> ReversibleTool:
    @reversible(undo=desk.undo, snapshot=desk.snapshot, observe=desk.observe)
    @tool("put")
    def place(item: str, count: int = 1) -> dict[str, int]:
        """Put something on the desk."""
        return desk.put(item, count)

    return place


def called_on_a_tool(desk: Desk) -> ReversibleTool:
    plain = StructuredTool.from_function(desk.put)
    return reversible(plain, undo=desk.undo, snapshot=desk.snapshot, observe=desk.observe)


def with_async_hooks(desk: Desk) -> ReversibleTool:
    return reversible(desk.put, undo=desk.aundo, snapshot=desk.asnapshot, observe=desk.aobserve)


def all_async(desk: Desk) -> ReversibleTool:
    plain = StructuredTool.from_function(coroutine=desk.aput, name="put")
    return reversible(plain, undo=desk.aundo, snapshot=desk.asnapshot, observe=desk.aobserve)


def async_by_partial(desk: Desk) -> ReversibleTool:
    async def look(prefix: str, **args: Any) -> Any:
        return desk.snapshot(**args)

    snapshot = functools.partial(look, "x")
    return reversible(desk.put, undo=desk.undo, snapshot=snapshot, observe=desk.observe)


def async_by_object(desk: Desk) -> ReversibleTool:
    class Look:
        async def __call__(self, **args: Any) -> Any:
            return desk.snapshot(**args)

    return reversible(desk.put, undo=desk.undo, snapshot=Look(), observe=desk.observe)


SPELLINGS: list[Callable[[Desk], ReversibleTool]] = [
    bare,
    with_arguments,
    on_a_tool,
    called_on_a_tool,
    with_async_hooks,
    all_async,
    async_by_partial,
    async_by_object,
]


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_every_spelling_acts_and_is_undone(
    rein: AgentRein, spelling: Callable[[Desk], ReversibleTool]
) -> None:
    desk = Desk()
    desk.items["cup"] = 2
    put = spelling(desk).bound(rein)
    async with rein.session() as session:
        assert await put.ainvoke({"item": "cup", "count": "3"}) == {"before": 2}
    [action] = session.actions()
    assert (put.name, action.before, action.after) == ("put", {"count": 2}, {"count": 3})
    assert desk.given == [{"item": "cup", "count": 3}]
    assert (action.risk, action.reversal) == (Risk.MEDIUM, Reversal.COMPENSATING)
    report = await rein.arollback(session=session.id)
    assert report.complete
    assert desk.items == {"cup": 2}
    [action] = session.actions()
    assert action.undo.residue == ("a ring on the wood",)


@pytest.mark.parametrize("spelling", [bare, with_arguments, on_a_tool, called_on_a_tool])
def test_every_sync_spelling_needs_no_loop(
    rein: AgentRein, spelling: Callable[[Desk], ReversibleTool]
) -> None:
    desk = Desk()
    put = spelling(desk).bound(rein)
    with rein.session() as session:
        put.invoke({"item": "cup"})
    assert desk.given == [{"item": "cup", "count": 1}]
    assert rein.rollback(session=session.id).complete
    assert desk.items == {}


def test_an_async_hook_without_a_loop_says_so_before_anything_happens(rein: AgentRein) -> None:
    desk = Desk()
    with pytest.raises(ConfigError, match="async"):
        with_async_hooks(desk).bound(rein).invoke({"item": "cup"})
    assert desk.items == {}


@pytest.mark.parametrize(
    ("hooks", "risk", "reversal"),
    [
        (Hooks(), Risk.HIGH, Reversal.NONE),
        (Hooks(undo=nothing), Risk.MEDIUM, Reversal.COMPENSATING),
        (Hooks(undo=nothing, risk=Risk.LOW, reversal=Reversal.EXACT), Risk.LOW, Reversal.EXACT),
        (Hooks(reversal=Reversal.EXACT), Risk.HIGH, Reversal.NONE),
        (Hooks(risk=Risk.CRITICAL), Risk.CRITICAL, Reversal.NONE),
    ],
)
def test_what_is_not_said_is_assumed(hooks: Hooks, risk: Risk, reversal: Reversal) -> None:
    assessment = hooks.assessment()
    assert (assessment.risk, assessment.reversal) == (risk, reversal)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match="read_only"):
        reversible(ZOO["str"].make(), undo=nothing, read_only=True)
    reading = reversible(ZOO["str"].make(), read_only=True)
    with pytest.raises(ConfigError, match="read_only"):
        reading.undo(nothing)
    with pytest.raises(ConfigError, match="already"):
        reversible(reading)
    with pytest.raises(ConfigError, match="neither"):
        reversible("book")

    class Turn(Operation):
        """Turn."""

        name = "zoofunction.turn"

    with pytest.raises(ConfigError, match="class"):
        ReversibleTool.of_operation(Turn, None).undo(nothing)


def test_hooks_are_those_of_one_tool_alone() -> None:
    one, other = (reversible(ZOO["str"].make()) for _ in range(2))
    one.undo(nothing)
    assert one.operation.overrides("undo")
    assert not other.operation.overrides("undo")


def test_a_hook_that_is_declared_later_counts_for_tools_that_were_bound_before(rein: AgentRein) -> None:
    made = reversible(ZOO["str"].make())
    bound = made.bound(rein)
    made.undo(nothing)
    assert bound.invoke({}) == "ok"


def test_a_person_edited_arguments_and_snapshot_reads_them_like_the_tool() -> None:
    desk = Desk()
    ours = with_arguments(desk)
    op = ours._parsed({"item": "cup", "count": "2"}, {})
    assert op is not None
    op.snapshot(None)
    op.replaced({"item": "pot", "count": "5"}).snapshot(None)
    assert desk.given == [{"item": "cup", "count": 2}, {"item": "pot", "count": 5}]


def test_an_edited_call_that_fails_is_not_taken_for_one_that_never_began() -> None:
    def act(n: int) -> str:
        """Act."""
        raise TimeoutError("lost")

    ours = reversible(act, undo=nothing)
    op = ours._parsed({"n": 1}, {})
    assert op is not None
    ours._arm(op, {"n": 1}, (), {}, asynchronous=False)
    edited = op.replaced({"n": 2})
    with pytest.raises(TimeoutError) as raised:
        edited.do(None, None)  # type: ignore[arg-type]
    assert edited.fate(raised.value) is None


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (ValueError("x"), None),
        (KeyError("declared"), NotDone),
        (NotDone("x"), NotDone),
        (Throttled("x"), Throttled),
        (ToolException("x"), None),
    ],
)
def test_the_fate_of_an_error_is_what_was_declared(error: Exception, fate: Any) -> None:
    op = declare(ZOO["str"].make(), Hooks(not_done=(KeyError,))).live({}, {})
    op._started = True
    assert op.fate(error) is fate
    reported = Reported("shown")
    reported.__cause__ = error
    assert op.fate(reported) is fate
    op._started = False
    assert op.fate(ValueError("x")) is NotDone


@pytest.mark.parametrize(
    ("name", "sync", "awaited"),
    [
        ("str", True, False),
        ("async only", False, True),
        ("sync and async", True, True),
        ("class", True, False),
        ("class with async", True, True),
        ("single", True, False),
    ],
)
def test_which_twins_a_tool_has(name: str, sync: bool, awaited: bool) -> None:
    plain = ZOO[name].make()
    assert (is_sync(plain), is_async(plain)) == (sync, awaited)


def test_a_tool_belongs_to_the_module_that_made_it_reversible() -> None:
    borrowed = StructuredTool.from_function(textwrap.dedent, description="From elsewhere.")
    assert reversible(borrowed, undo=nothing).operation.source() == __name__
    assert declare(borrowed, Hooks()).source() == "textwrap"
    partial = Tool(name="d", func=functools.partial(textwrap.dedent), description="d")
    assert declare(partial, Hooks()).source() == "textwrap"
    assert issubclass(declare(ZOO["class"].make(), Hooks()), ToolOperation)


MODULE = '''
import json
import pathlib
import textwrap

from langchain_core.tools import StructuredTool

from langchain_agentrein import AgentRein, reversible

HERE = pathlib.Path(__file__).parent
DESK = HERE / "desk.json"
rein = AgentRein(f"sqlite:///{HERE}/journal.db")


def items():
    return json.loads(DESK.read_text()) if DESK.exists() else []


@reversible(snapshot=lambda **args: items())
def put(item: str) -> dict:
    """Put something on the desk."""
    DESK.write_text(json.dumps([*items(), item]))
    return {"item": item}


@put.undo
def take(action):
    DESK.write_text(json.dumps([one for one in items() if one != action.receipt["item"]]))


@put.observe
def look(action):
    return items()


# Its function is defined elsewhere: what is found again is this module.
shout = reversible(
    StructuredTool.from_function(textwrap.dedent, name="shout", description="Shout."),
    undo=lambda action: (HERE / "hushed").write_text(action.receipt),
)
'''


def run_python(code: str, at: Path) -> str:
    """Run `code` in a fresh process."""
    path = os.pathsep.join([str(at), *sys.path])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        cwd=at,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_fresh_process_finds_the_tool_and_undoes_it(tmp_path: Path) -> None:
    (tmp_path / "office.py").write_text(MODULE)
    session = run_python(
        """
        import office
        with office.rein.session() as session:
            for item in ("cup", "pot"):
                office.put.bound(office.rein).invoke({"item": item})
            office.shout.bound(office.rein).invoke({"text": "hey"})
        print(session.id)
        """.replace("\n        ", "\n"),
        tmp_path,
    )
    undone = run_python(
        f"""
        import sys
        from langchain_agentrein import AgentRein
        assert "office" not in sys.modules
        rein = AgentRein("sqlite:///journal.db")
        report = rein.rollback(session={session!r})
        assert report.complete, report
        print(*[action.status for action in rein.actions(session={session!r})])
        """.replace("\n        ", "\n"),
        tmp_path,
    )
    assert undone == "compensated compensated compensated"
    assert (tmp_path / "desk.json").read_text() == "[]"
    assert (tmp_path / "hushed").read_text() == "hey"


def test_a_probe_may_find_the_receipt(rein: AgentRein) -> None:
    def act() -> str:
        """Act."""
        raise TimeoutError("lost")

    ours = reversible(act, undo=nothing, probe=lambda action: Happened({"id": 1})).bound(rein)
    with rein.session() as session:
        assert ours.invoke({}) == {"id": 1}
    assert [action.status for action in session.actions()] == [Status.EXECUTED]


def test_every_tool_can_be_made_reversible() -> None:
    for specimen in ZOO.values():
        assert isinstance(reversible(specimen.make(), undo=nothing), BaseTool)
