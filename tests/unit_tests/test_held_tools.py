"""Tools whose calls are held: what a model is told, and what runs when they are released."""

from __future__ import annotations

import asyncio
import datetime
import sqlite3
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import InjectedToolCallId, StructuredTool, Tool, tool
from langgraph.prebuilt import InjectedState, ToolRuntime

from langchain_agentrein import AgentRein, ApprovalRule, Reversal, Status, reversible
from langchain_agentrein.action import Json
from langchain_agentrein.record import decode
from langchain_agentrein.toolkits import FilesToolkit, SQLToolkit

happened: list[Any] = []
HOLD = [ApprovalRule("*", "hold"), ApprovalRule("say", "hold")]


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    happened.clear()


@pytest.fixture
def rein(tmp_path: Path) -> Any:
    with AgentRein(f"sqlite:///{tmp_path}/journal.db", rules=HOLD) as made:
        yield made


def look(when: datetime.date) -> Json:
    return {"year": when.year}


@reversible(undo=lambda action: happened.append(("undone", action.receipt)), snapshot=look)  # type: ignore[untyped-decorator]
def book(when: datetime.date) -> str:
    """Book a day."""
    happened.append(when)
    return f"booked {when.isoformat()}"


@reversible(undo=lambda action: None)  # type: ignore[untyped-decorator]
async def call(number: str) -> str:
    """Call somebody."""
    await asyncio.sleep(0)
    happened.append(number)
    return "called"


@reversible(undo=lambda action: None)  # type: ignore[untyped-decorator]
@tool(response_format="content_and_artifact")
def measure(what: str) -> tuple[str, dict[str, int]]:
    """Measure something."""
    happened.append(what)
    return "measured", {"size": 3}


def said(name: str, **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args, "id": "call_1", "type": "tool_call"}


def test_a_held_function_answers_and_runs_when_the_session_completes(rein: AgentRein) -> None:
    [tool] = rein.tools(book)
    with rein.session() as session:
        answer = tool.invoke(said("book", when="2030-01-02"))
        assert isinstance(answer, ToolMessage)
        assert (answer.tool_call_id, answer.status, answer.name) == ("call_1", "success", "book")
        assert "Held, not done" in str(answer.content)
        assert "when the session completes" in str(answer.content)
        assert happened == []
    assert happened == [datetime.date(2030, 1, 2)], "the arguments as its schema reads them"
    [action] = session.actions()
    assert (action.status, action.before, action.receipt) == (
        Status.EXECUTED,
        {"year": 2030},
        "booked 2030-01-02",
    )
    assert session.rollback().complete
    assert happened[1:] == [("undone", "booked 2030-01-02")]


def test_content_and_artifact(rein: AgentRein) -> None:
    [tool] = rein.tools(measure)
    with rein.session() as session:
        answer = tool.invoke(said("measure", what="x"))
        assert (answer.artifact, happened) == (None, [])
        assert str(answer.content).startswith("Held, not done")
        assert str(tool.invoke({"what": "y"})).startswith("Held, not done")
    assert happened == ["x", "y"]
    first, _ = session.actions()
    assert decode(first.result).artifact == {"size": 3}


def test_a_connectors_operation(rein: AgentRein, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "b.txt").write_text("there")
    tools = {tool.name: tool for tool in rein.tools(FilesToolkit(work))}
    with rein.session() as session:
        answer = tools["files_write"].invoke(said("files_write", path="a.txt", content="new"))
        assert (answer.status, answer.artifact) == ("success", None)
        assert str(answer.content).startswith("Held, not done: this call of files.write")
        assert not (work / "a.txt").exists()
        assert tools["files_read"].invoke({"path": "b.txt"}), "what only reads is not held"
    assert (work / "a.txt").read_text() == "new"
    assert session.rollback().complete
    assert not (work / "a.txt").exists()


@pytest.mark.parametrize("drive", ["sync", "async"])
async def test_a_statement_keeps_its_transaction_from_the_look_to_the_effect(
    rein: AgentRein, tmp_path: Path, drive: str
) -> None:
    url = f"sqlite:///{tmp_path}/shop.db"
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.executescript(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, open INTEGER); INSERT INTO orders VALUES (1, 1)"
        )
    tools = {tool.name: tool for tool in rein.tools(SQLToolkit(url))}
    call = said("sql_execute", statement="UPDATE orders SET open = 0")

    def still_open() -> int:
        with sqlite3.connect(tmp_path / "shop.db") as shop:
            return int(shop.execute("SELECT sum(open) FROM orders").fetchone()[0])

    if drive == "sync":
        with rein.session() as session:
            tools["sql_execute"].invoke(call)
            assert still_open() == 1
    else:
        async with rein.session() as session:
            await tools["sql_execute"].ainvoke(call)
            assert still_open() == 1
    assert still_open() == 0
    assert session.rollback().complete
    assert still_open() == 1


def shouted(what: str) -> str:
    """Shout."""
    happened.append(what)
    return what.upper()


@pytest.mark.parametrize(
    ("inner", "args"),
    [
        (Tool("shout", shouted, "Shout."), {"__arg1": "a"}),
        (
            StructuredTool(
                name="shout",
                description="Shout.",
                func=shouted,
                args_schema={
                    "type": "object",
                    "properties": {"what": {"type": "string"}},
                    "required": ["what"],
                },
            ),
            {"what": "a"},
        ),
    ],
    ids=["one text", "a JSON schema"],
)
def test_tools_of_other_shapes(rein: AgentRein, inner: Any, args: dict[str, Any]) -> None:
    [tool] = rein.tools(reversible(inner, undo=lambda action: None))
    with rein.session() as session:
        assert "Held, not done" in str(tool.invoke(said("shout", **args)).content)
    [action] = session.actions()
    assert (happened, action.status, action.receipt) == (["a"], Status.EXECUTED, "A")


async def test_an_async_function(rein: AgentRein) -> None:
    [tool] = rein.tools(call)
    async with rein.session() as session:
        answer = await tool.ainvoke(said("call", number="1"))
        assert str(answer.content).startswith("Held, not done")
        assert happened == []
    assert (happened, session.actions()[0].status) == (["1"], Status.EXECUTED)


def test_an_undeclared_function_waits_for_a_person_unless_it_is_named(rein: AgentRein) -> None:
    def shout(what: str) -> str:
        """Shout."""
        happened.append(what)
        return "shouted"

    def say(what: str) -> str:
        """Say."""
        happened.append(what)
        return "said"

    shouts, says = rein.tools(shout, say)
    with rein.session() as session:
        assert "when a person releases it" in shouts.invoke({"what": "a"})
        with rein.session(rules=[ApprovalRule("say", "hold", release_after=0)]):
            assert "when the session completes" in says.invoke({"what": "b"})
    assert happened == ["b"]
    [held] = rein.held(session=session.id)
    assert held.reversal is Reversal.NONE
    rein.release(held.id, by="ana")
    assert happened == ["b", "a"]


@tool
def remember(what: str, state: Annotated[dict[str, Any], InjectedState]) -> str:
    """Remember."""
    return what


@tool
def reply(what: str, call_id: Annotated[str, InjectedToolCallId]) -> str:
    """Reply."""
    return what


@tool
def run_on(what: str, runtime: ToolRuntime) -> str:
    """Run on."""
    return what


def test_what_takes_the_runtime_needs_its_graph(rein: AgentRein) -> None:
    [tool] = rein.tools(run_on)
    assert tool.operation.tied == "it takes runtime from the running graph"


@pytest.mark.parametrize(("inner", "name"), [(remember, "state"), (reply, "call_id")])
def test_what_needs_its_graph_is_asked_about_instead(rein: AgentRein, inner: Any, name: str) -> None:
    [tool] = rein.tools(inner)
    assert rein.policy.may_ask(tool.operation)
    answer = tool.invoke(said(inner.name, what="x", state={}))
    assert answer.status == "error"
    assert f"cannot be held: it takes {name} from the running graph" in answer.content


def test_a_call_outside_every_session_is_done_and_says_so(rein: AgentRein) -> None:
    [tool] = rein.tools(book)
    assert tool.invoke({"when": "2030-01-02"}) == "booked 2030-01-02"
    assert len(happened) == 1


def test_a_call_outside_every_session_may_still_be_delayed(tmp_path: Path) -> None:
    rules = [ApprovalRule("book", "hold", release_after=3600)]
    with AgentRein(f"sqlite:///{tmp_path}/later.db", rules=rules) as rein:
        [tool] = rein.tools(book)
        assert "1:00:00 later" in tool.invoke({"when": "2030-01-02"})
        assert happened == []
        assert len(rein.held()) == 1
