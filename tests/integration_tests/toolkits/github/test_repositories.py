"""Repositories and the people in them: what the laws do not say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from langchain_agentrein import Action, AgentRein, ApprovalRule, NotDone, Session, Status
from langchain_agentrein.operation import Operation
from langchain_agentrein.tool import ReversibleTool
from langchain_agentrein.toolkits.github import collaborators, files, issues, reactions, repositories
from tests.integration_tests.toolkits.github.repository_operations import invited
from tests.integration_tests.toolkits.github.world import Shop


@pytest.fixture
def rein(tmp_path: Path, shop: Shop) -> Iterator[AgentRein]:
    rules = [ApprovalRule("github.*", "allow")]
    url = f"sqlite:///{tmp_path}/journal.db"
    names = [ApprovalRule(f"github.repos.{verb}", "allow") for verb in ("create", "update")]
    with AgentRein(url, rules=[*names, *rules], backoff=0.0, clients={"github": shop.hub}) as rein:
        yield rein


def done(rein: AgentRein, shop: Shop, *operations: Operation) -> Session:
    session = rein.session(intent="details")
    with session:
        for operation in operations:
            ReversibleTool.of_operation(type(operation), shop.hub).bound(rein).invoke(operation.args)
    return session


def back(rein: AgentRein, session: Session) -> list[Action]:
    rein.rollback(session=session.id, approve=rein.plan(session=session.id), by="ana")
    return list(session.actions())


def test_what_a_run_put_into_its_own_repository_is_nobodys_work(shop: Shop, rein: AgentRein) -> None:
    session = done(
        rein,
        shop,
        repositories.CreateRepo(repo=shop.beside),
        files.CreateFile(repo=shop.beside, path="a.md", content="a", message="m", branch="main"),
        issues.CreateIssue(repo=shop.beside, title="To do"),
    )
    assert shop.state()["beside"]["private"]
    # While the issue is open and the file there, the plan knows of a conflict, and not of a question.
    back(rein, session)
    actions = back(rein, session)
    assert {action.status for action in actions} == {Status.COMPENSATED}, [a.undo.error for a in actions]
    assert shop.state()["beside"] is None


def test_an_undo_that_deletes_a_repository_waits_for_a_person(shop: Shop, rein: AgentRein) -> None:
    session = done(rein, shop, repositories.CreateRepo(repo=shop.beside))
    rein.rollback(session=session.id)
    [action] = session.actions()
    assert action.status is Status.STUCK
    assert "its undo has high risk" in (action.undo.error or "")
    assert shop.state()["beside"] is not None


def test_an_invitation_that_was_accepted_is_taken_back_as_access(shop: Shop, rein: AgentRein) -> None:
    before = shop.state()
    session = done(rein, shop, invited(shop))
    shop.extra.accept(shop.repo, "dan")
    [action] = back(rein, session)
    assert action.status is Status.COMPENSATED
    assert "dan had accepted" in action.undo.residue[0]
    assert shop.state() == before


def test_in_a_users_repository_collaborators_push(shop: Shop, rein: AgentRein) -> None:
    operation = collaborators.AddCollaborator(repo=shop.repo, user="dan", permission="admin")
    with pytest.raises(NotDone, match="no more and no less"):
        operation.snapshot(shop.hub)


def test_an_archived_repository_is_opened_before_the_rest_is_set_back(shop: Shop, rein: AgentRein) -> None:
    before = shop.state()
    operation = repositories.UpdateRepo(repo=shop.repo, archived=True, has_wiki=False)
    seen: list[Any] = []
    session = done(rein, shop, operation)
    real = shop.hub.send

    def noted(verb: str, path: str, body: Any = None) -> Any:
        seen.append(body)
        return real(verb, path, body)

    shop.hub.send = noted  # type: ignore[method-assign]
    [action] = back(rein, session)
    assert (action.status, shop.state()) == (Status.RESTORED, before)
    assert seen == [{"archived": False}, {"has_wiki": True}]


def test_an_organization_that_is_not_seen_holds_no_free_names(shop: Shop) -> None:
    with pytest.raises(NotDone, match="do not see it"):
        repositories.CreateRepo(repo="acme/new").snapshot(shop.hub)


@pytest.mark.parametrize("subject", [{}, {"number": 1, "comment_id": 2}])
def test_a_reaction_is_to_one_thing(subject: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match="either number or comment_id"):
        reactions.CreateReaction(repo="a/b", content="heart", **subject)
