"""The accident: an agent tidies the wrong issues, a colleague works on some meanwhile, and then it fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from langchain_agentrein import AgentRein, SessionFailed, Status, reversible
from langchain_agentrein.toolkits import GitHubToolkit
from tests.integration_tests.toolkits.github.world import Shop
from tests.support.agents import calls, script

CONFIG: Any = {"configurable": {"thread_id": "triage", "approver": "ana"}}


class Broken(Exception):
    """The report could not be filed."""


@pytest.fixture
def rein(tmp_path: Path, shop: Shop) -> Iterator[AgentRein]:
    with AgentRein(f"sqlite:///{tmp_path}/journal.db", clients={"github": shop.hub}, backoff=0.01) as rein:
        yield rein


def triage(rein: AgentRein, shop: Shop) -> Any:
    """An agent that closes what it takes for stale."""
    repo = {"repo": shop.repo}

    @reversible(undo=lambda action: None)
    def file_report(text: str) -> str:
        """File the report of the triage."""
        shop.edit(3, title="Login fails: fix in review")
        shop.comment(2, "Still happens on 2.4.")
        raise Broken(text)

    model = script(
        calls(("github_issues_list", repo)),
        calls(*(("github_issues_update", {**repo, "number": n, "state": "closed"}) for n in (1, 2))),
        calls(("github_issues_update", {**repo, "number": 3, "title": "Stale", "labels": ["stale"]})),
        calls(("github_comments_create", {**repo, "number": 1, "body": "Closed as stale."})),
        calls(("github_issues_delete", {**repo, "number": 4})),
        calls(("file_report", {"text": "tidied"})),
    )
    return create_agent(
        model,
        [*GitHubToolkit(shop.hub).get_tools(), file_report],
        middleware=[rein.middleware()],
        checkpointer=InMemorySaver(),
    )


def test_the_colleagues_words_stand_and_the_rest_is_as_it_was(rein: AgentRein, shop: Shop) -> None:
    shop.label("bug")
    for title in ("Crash on start", "Slow search", "Login fails", "Typo"):
        shop.issue(title, body=f"{title}, every time.", labels=["bug"])
    before = shop.state()
    agent = triage(rein, shop)

    out = agent.invoke({"messages": [("user", "Tidy the stale issues")]}, CONFIG)
    [question] = out["__interrupt__"]
    [asked] = question.value["action_requests"]
    assert asked["name"] == "github_issues_delete"
    assert "CANNOT be undone" in asked["description"]
    out = agent.invoke(Command(resume={"decisions": [{"type": "reject", "message": "never delete"}]}), CONFIG)
    # The walk meets what ana wrote to #3, and asks; she says: leave it.
    while "__interrupt__" in out:
        try:
            out = agent.invoke(Command(resume={"decisions": [{"type": "reject"}]}), CONFIG)
        except SessionFailed:
            break

    now = shop.state()
    assert now["issues"][4] == before["issues"][4]
    assert now["issues"][1]["state"][0] == "open"
    assert now["issues"][1]["comments"] == {}
    assert now["issues"][2]["state"][0] == "open"
    assert [text for _, text in now["issues"][2]["comments"].values()] == ["Still happens on 2.4."]
    assert now["issues"][3]["title"] == "Login fails: fix in review"
    assert now["issues"][3]["labels"] == ["bug"]
    assert now["labels"] == before["labels"]
    [theirs] = [action for action in rein.actions(thread="triage") if action.args.get("number") == 3]
    assert theirs.status is Status.CONFLICT
    told = str(rein.timeline(thread="triage").to_dict())
    assert "Broken: tidied" in told
    assert "kept title, which somebody changed since" in told
