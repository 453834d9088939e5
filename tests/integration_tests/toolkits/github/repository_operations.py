"""What is done to repositories, to the people in them, and beside their issues: one of each kind, as tests need them."""

from __future__ import annotations

from collections.abc import Callable

from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.github import (
    collaborators,
    dispatches,
    issues,
    reactions,
    repositories,
    sub_issues,
    transfers,
)
from tests.integration_tests.toolkits.github.world import Shop, hub


def founded(shop: Shop) -> Operation:
    return repositories.CreateRepo(repo=shop.beside, description="New", private=False, auto_init=True)


def settled(shop: Shop) -> Operation:
    return repositories.UpdateRepo(repo=shop.repo, description="Other", homepage="https://acme.com")


def hidden(shop: Shop) -> Operation:
    return repositories.UpdateRepo(repo=shop.repo, private=True)


def shelved(shop: Shop) -> Operation:
    return repositories.UpdateRepo(repo=shop.repo, archived=True)


def invited(shop: Shop) -> Operation:
    return collaborators.AddCollaborator(repo=shop.repo, user="dan")


def expelled(shop: Shop) -> Operation:
    return collaborators.RemoveCollaborator(repo=shop.repo, user="ana")


def uninvited(shop: Shop) -> Operation:
    hub(shop.url).send("PUT", shop.at("collaborators", "dan"), {"permission": "push"})
    return collaborators.RemoveCollaborator(repo=shop.repo, user="dan")


def liked(shop: Shop) -> Operation:
    return reactions.CreateReaction(repo=shop.repo, number=shop.issue("Good"), content="+1")


def cheered(shop: Shop) -> Operation:
    comment = shop.comment(shop.issue("Good"), "It works.")
    return reactions.CreateReaction(repo=shop.repo, comment_id=comment, content="hooray")


def nested(shop: Shop) -> Operation:
    return sub_issues.AddSubIssue(repo=shop.repo, number=shop.issue("Whole"), child=shop.issue("Part"))


def unnested(shop: Shop) -> Operation:
    whole, *parts = (shop.issue(title) for title in ("Whole", "First", "Second", "Third"))
    for part in parts:
        given = {"sub_issue_id": shop.ana.get(shop.at("issues", part))["id"]}
        hub(shop.url, "ana").send("POST", shop.at("issues", whole, "sub_issues"), given)
    return sub_issues.RemoveSubIssue(repo=shop.repo, number=whole, child=parts[1])


def razed(shop: Shop) -> Operation:
    return repositories.DeleteRepo(repo=shop.repo)


def started(shop: Shop) -> Operation:
    return dispatches.DispatchWorkflow(
        repo=shop.repo, workflow="deploy.yml", ref="main", inputs={"to": "test"}
    )


def signalled(shop: Shop) -> Operation:
    payload = {"to": "test"}
    return dispatches.DispatchRepository(repo=shop.repo, event_type="deploy", client_payload=payload)


def transferred(shop: Shop) -> Operation:
    shop.owner.send("POST", "/user/repos", {"name": shop.beside.partition("/")[2]})
    return transfers.TransferIssue(repo=shop.repo, number=shop.issue("Elsewhere"), to=shop.beside)


def erased(shop: Shop) -> Operation:
    return issues.DeleteIssue(repo=shop.repo, number=shop.issue("Spam"))


UNDONE: list[Callable[[Shop], Operation]] = [
    founded,
    settled,
    hidden,
    shelved,
    invited,
    expelled,
    uninvited,
    liked,
    cheered,
    nested,
    unnested,
]
NEVER: list[Callable[[Shop], Operation]] = [razed, started, signalled, transferred, erased]
"""Nothing undoes these."""
