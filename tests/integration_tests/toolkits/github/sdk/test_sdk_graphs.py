"""A wrapped client inside LangGraph: once over resumes and retries, and its questions are interrupts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from github.Repository import Repository
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.types import Command, RetryPolicy, interrupt

from langchain_agentrein import ActionDenied, AgentRein, ApprovalRule, CallConflict, SessionFailed, Status
from langchain_agentrein.toolkits.github.hub import unmarked
from tests.integration_tests.toolkits.github.world import Shop, wrapped
from tests.support.agents import calls, script

CONFIG: Any = {"configurable": {"thread_id": "t", "approver": "ana"}}


class State(TypedDict, total=False):
    """Messages, and what came out."""

    messages: Annotated[list[AnyMessage], add_messages]
    found: Any


@pytest.fixture
def rein(tmp_path: Path, shop: Shop) -> Iterator[AgentRein]:
    rules = [ApprovalRule("tidy", "allow")]
    with AgentRein(f"sqlite:///{tmp_path}/journal.db", rules=rules, backoff=0.01) as rein:
        rein.unwinds = True  # these graphs are not meant to be unwound
        yield rein


@pytest.fixture
def repo(rein: AgentRein, shop: Shop) -> Repository:
    return wrapped(rein, shop.url).get_repo(shop.repo)


def graph_of(node: Any, **options: Any) -> Any:
    builder = StateGraph(State)
    builder.add_node("work", node, **options)
    builder.add_edge(START, "work")
    builder.add_edge("work", END)
    return builder.compile(checkpointer=InMemorySaver())


START_WITH: Any = {"messages": [("user", "do it")]}


def answered(*decisions: str) -> Command[Any]:
    return Command(resume={"decisions": [{"type": decision} for decision in decisions]})


def asked(out: Any) -> list[str]:
    [question] = out["__interrupt__"]
    return [request["name"] for request in question.value["action_requests"]]


def test_a_node_that_runs_again_acts_once(rein: AgentRein, repo: Repository, shop: Shop) -> None:
    def work(state: State) -> State:
        issue = repo.create_issue("One")
        issue.create_comment("first")
        issue.create_comment("first")
        answer = interrupt("really?")
        issue.edit(title=answer)
        return {"found": (issue.number, issue.title)}

    graph = graph_of(work)
    graph.invoke(START_WITH, CONFIG)
    assert graph.invoke(Command(resume="Two"), CONFIG)["found"] == (1, "Two")
    [(number, there)] = shop.state()["issues"].items()
    assert (number, there["title"], len(there["comments"])) == (1, "Two", 2)
    assert [session.goal for session in rein.sessions()] == ["do it"]
    assert len(rein.actions(thread="t")) == 4


def test_a_node_that_is_retried_acts_once(repo: Repository, shop: Shop) -> None:
    tries: list[int] = []

    def work(state: State) -> State:
        number = repo.create_issue("One").number
        tries.append(number)
        if len(tries) < 3:
            raise ConnectionError("flaky")
        return {"found": number}

    graph = graph_of(work, retry_policy=RetryPolicy(initial_interval=0.01, max_attempts=3, jitter=False))
    assert graph.invoke(START_WITH, CONFIG)["found"] == 1
    assert tries == [1, 1, 1]
    assert len(shop.state()["issues"]) == 1


def test_a_node_that_runs_again_with_other_arguments_is_a_conflict(repo: Repository, shop: Shop) -> None:
    titles = iter(["One", "Other"])

    def work(state: State) -> State:
        repo.create_issue(next(titles))
        interrupt("really?")
        return {}

    graph = graph_of(work)
    graph.invoke(START_WITH, CONFIG)
    with pytest.raises(CallConflict):
        graph.invoke(Command(resume="yes"), CONFIG)
    assert [one["title"] for one in shop.state()["issues"].values()] == ["One"]


@pytest.mark.parametrize("from_outside", [False, True])
def test_each_question_of_a_node_gets_its_own_answer(
    rein: AgentRein, repo: Repository, shop: Shop, from_outside: bool
) -> None:
    """LangGraph hands out a task's answers in order; a call that was decided before must not shift them."""
    number = shop.issue("Talk")
    issue = repo.get_issue(number)
    ids = [shop.comment(number, text) for text in ("first", "second", "third")]
    theirs = [issue.get_comment(one) for one in ids]

    def work(state: State) -> State:
        found: list[Any] = []
        for position, comment in enumerate(theirs):
            try:
                found.append(comment.delete())
            except ActionDenied:
                found.append("denied")
            found.append(interrupt(f"after {position}"))
        return {"found": found}

    graph = graph_of(work)
    out = graph.invoke(START_WITH, CONFIG)
    assert asked(out) == ["github_comments_delete"]
    if from_outside:
        [waiting] = rein.actions(thread="t")
        rein.approve(waiting.id, by="dan")
    for number_of, decision in enumerate(("approve", "reject", "approve")):
        out = graph.invoke(answered(decision), CONFIG)
        [question] = out["__interrupt__"]
        assert question.value == f"after {number_of}"
        out = graph.invoke(Command(resume=f"answer {number_of}"), CONFIG)
    assert out["found"] == [None, "answer 0", "denied", "answer 1", None, "answer 2"]
    [there] = shop.state()["issues"].values()
    assert [text for _, text in there["comments"].values()] == ["second"]
    decided = {action.args["comment_id"]: action.approval for action in rein.actions(thread="t")}
    by = [decided[one].by for one in ids]  # type: ignore[union-attr]
    assert by == ["dan" if from_outside else "ana", "ana", "ana"]


def test_what_is_unknown_is_asked_about_in_the_graph(rein: AgentRein, repo: Repository, shop: Shop) -> None:
    issue = repo.get_issue(shop.issue("One"))

    def work(state: State) -> State:
        issue.add_to_assignees("ana")
        return {"found": "assigned"}

    graph = graph_of(work)
    out = graph.invoke(START_WITH, CONFIG)
    assert asked(out) == ["github_unknown"]
    [question] = out["__interrupt__"]
    said = question.value["action_requests"][0]["description"]
    assert "CANNOT be undone" in said
    assert "No operation covers Issue.add_to_assignees; the nearest is github.issues.update." in said
    assert shop.state()["issues"][1]["assignees"] == []
    assert graph.invoke(answered("approve"), CONFIG)["found"] == "assigned"
    assert shop.state()["issues"][1]["assignees"] == ["ana"]
    assert [action.status for action in rein.actions(thread="t")] == [Status.EXECUTED]


@pytest.mark.parametrize("by", ["ana", "the server"])
def test_a_tool_that_calls_the_sdk_asks_and_belongs_to_the_agents_session(
    rein: AgentRein, repo: Repository, shop: Shop, by: str
) -> None:
    number = shop.issue("Talk")
    theirs = repo.get_issue(number).get_comment(shop.comment(number, "mine"))
    ran: list[int] = []

    @tool
    def tidy(number: int) -> str:
        """Tidy an issue."""
        ran.append(number)
        repo.get_issue(number).edit(title="Tidied")
        theirs.delete()
        return "tidied"

    model = script(
        calls(("tidy", {"number": number}), text="It is stale"), AIMessage("Done."), AIMessage("Done.")
    )
    said = (
        {} if by == "ana" else {"approver": lambda config: by}
    )  # what the config claims counts only without
    agent = create_agent(model, [tidy], middleware=[rein.middleware(**said)], checkpointer=InMemorySaver())
    out = agent.invoke(START_WITH, CONFIG)
    assert asked(out) == ["github_comments_delete"]
    out = agent.invoke(answered("approve"), CONFIG)
    assert out["messages"][-1].text == "Done."
    assert ran == [number, number]
    edit, delete = (action for action in rein.actions(thread="t") if action.connector == "github")
    assert [one.status for one in (edit, delete)] == [Status.EXECUTED] * 2
    assert edit.generation == delete.generation == 1
    assert delete.approval is not None and delete.approval.by == by
    assert edit.intent.goal == "do it"
    assert edit.intent.text == "It is stale"
    [session] = rein.sessions()
    assert session.goal == "do it"


async def test_an_async_agent_asks_and_acts_once(rein: AgentRein, repo: Repository, shop: Shop) -> None:
    number = shop.issue("Talk")
    theirs = [
        repo.get_issue(number).get_comment(shop.comment(number, text)) for text in ("mine", "mine, too")
    ]

    @tool
    def tidy(position: int) -> str:
        """Tidy a comment."""
        repo.get_issue(number).create_comment(f"tidying {position}")
        theirs[position].delete()
        return "tidied"

    @tool
    async def wait_for(position: int) -> str:
        """Tidy a comment, without blocking the loop."""
        return str(await asyncio.to_thread(tidy.func, position))  # type: ignore[arg-type]

    rein.policy.rules = (ApprovalRule("tidy", "allow"), ApprovalRule("wait_for", "allow"))
    model = script(calls(("tidy", {"position": 0}), ("wait_for", {"position": 1})), AIMessage("Done."))
    agent = create_agent(
        model, [tidy, wait_for], middleware=[rein.middleware()], checkpointer=InMemorySaver()
    )
    out = await agent.ainvoke(START_WITH, CONFIG)
    assert len(out["__interrupt__"]) == 2
    answers = {one.id: {"decisions": [{"type": "approve"}]} for one in out["__interrupt__"]}
    out = await agent.ainvoke(Command(resume=answers), CONFIG)
    assert out["messages"][-1].text == "Done."
    [there] = shop.state()["issues"].values()
    said = sorted(unmarked(text) for _, text in there["comments"].values())
    assert said == ["tidying 0", "tidying 1"]
    done = [action.operation for action in rein.actions(thread="t") if action.connector == "github"]
    assert sorted(done) == ["github.comments.create"] * 2 + ["github.comments.delete"] * 2


def test_what_a_failing_agent_did_through_the_sdk_is_taken_back(
    rein: AgentRein, repo: Repository, shop: Shop
) -> None:
    shop.issue("Open", body="as it was")
    before = shop.state()

    @tool
    def tidy(number: int) -> str:
        """Tidy an issue."""
        repo.get_issue(number).edit(title="Tidied", state="closed")
        return "tidied"

    @tool
    def report() -> str:
        """Report."""
        raise RuntimeError("the report could not be filed")

    model = script(calls(("tidy", {"number": 1})), calls(("report", {})))
    agent = create_agent(
        model,
        [tidy, report],
        middleware=[rein.middleware()],
        checkpointer=InMemorySaver(),
    )
    rein.policy.rules = (ApprovalRule("tidy", "allow"), ApprovalRule("report", "allow"))
    with pytest.raises(SessionFailed):
        agent.invoke(START_WITH, CONFIG)
    assert shop.state() == before
