"""What a merge changed, by path, and what of it may be taken back."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from langchain_agentrein import Action, AgentRein, Status
from langchain_agentrein.toolkits.github import Hub, trees
from langchain_agentrein.toolkits.github.merging import MergePull
from tests.integration_tests.toolkits.github.driving import back, call
from tests.integration_tests.toolkits.github.world import Shop
from tests.support.fault_proxy import Proxy


def commit(shop: Shop, branch: str, path: str, text: str | None) -> None:
    known = shop.ana.find(shop.at("contents", path), ref=branch)
    body: dict[str, Any] = {"message": path, "branch": branch, **({"sha": known["sha"]} if known else {})}
    if text is None:
        shop.ana.send("DELETE", shop.at("contents", path), body)
    else:
        content = base64.b64encode(text.encode()).decode()
        shop.ana.send("PUT", shop.at("contents", path), {**body, "content": content})


def files(shop: Shop) -> Any:
    return trees.files(shop.ana, shop.at(), str(shop.state()["branches"]["main"]))


@pytest.fixture
def merge(shop: Shop) -> MergePull:
    """Of a pull request that changes a file, deletes one, and makes some in a folder."""
    for path in ("changed", "deleted", "deep/down/kept"):
        commit(shop, "main", path, "as it was")
    shop.branch("topic")
    commit(shop, "topic", "changed", "other")
    commit(shop, "topic", "deleted", None)
    for path in ("deep/down/new", "deep/new"):
        commit(shop, "topic", path, "new")
    given = {"title": "topic", "head": "topic", "base": "main"}
    pull = shop.ana.send("POST", shop.at("pulls"), given)
    return MergePull(repo=shop.repo, number=pull["number"], sha=pull["head"]["sha"])


def test_every_kind_of_change_is_taken_back(
    shop: Shop, through: Hub, rein: AgentRein, merge: MergePull
) -> None:
    before = files(shop)
    session = call(rein, merge, through)
    assert len(files(shop)) == len(before) + 1
    assert back(rein, session).status is Status.STUCK
    shop.merge_reverts()
    assert back(rein, session).status is Status.COMPENSATED
    assert files(shop) == before


@pytest.mark.parametrize(
    ("path", "text", "taken"),
    [
        ("changed", "theirs", "changed"),
        ("deep/new", None, None),
        ("deleted", "theirs", "deleted"),
        ("deleted/inside", "theirs", "deleted"),
        ("elsewhere", "theirs", None),
    ],
)
def test_what_others_made_of_it(
    shop: Shop,
    through: Hub,
    rein: AgentRein,
    merge: MergePull,
    path: str,
    text: str | None,
    taken: str | None,
) -> None:
    """A file in a folder that has the name of one that was deleted is in the way of it."""
    session = call(rein, merge, through)
    commit(shop, "main", path, text)
    action = back(rein, session)
    assert (action.status is Status.CONFLICT) == (taken is not None)
    assert (taken or "revert proposed") in str(action.undo.error)


def test_a_file_where_its_folder_was_is_in_the_way(shop: Shop) -> None:
    commit(shop, "main", "a/b", "as it was")
    before = str(shop.state()["branches"]["main"])
    commit(shop, "main", "a/b", None)
    after = str(shop.state()["branches"]["main"])
    commit(shop, "main", "a", "theirs")
    found = trees.live(shop.hub, shop.at(), (before, after), "main")
    assert found is not None
    assert (found.taken, dict(found.back)) == (("a/b",), {})


def test_a_repository_that_is_too_large_is_left_to_github(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, merge: MergePull
) -> None:
    session = call(rein, merge, through)
    tip = shop.ana.get(shop.at("git", "commits", shop.state()["branches"]["main"]))["tree"]["sha"]
    tree = {**shop.ana.get(shop.at("git", "trees", tip)), "truncated": True}
    proxy.answers["GET " + shop.at("git", "trees", tip)] = lambda: tree
    action = back(rein, session)
    assert action.status is Status.CONFLICT
    assert "the repository is too large" in action.undo.error


@pytest.mark.parametrize(("base", "first"), [("elsewhere", "a"), ("b", "b")])
def test_a_rebase_puts_several_commits_onto_the_base(
    shop: Shop, proxy: Proxy, through: Hub, base: str, first: str
) -> None:
    """As many as the pull request has, or back to where the base was."""
    for one, parent in (("c", "b"), ("b", "a"), ("a", "before")):
        told = {"parents": [{"sha": parent}]}
        proxy.answers["GET " + shop.at("git", "commits", one)] = lambda told=told: told
    merge = MergePull(repo=shop.repo, number=1, sha="0" * 40, merge_method="rebase")
    before = {"commits": 2, "base_sha": base}
    action = Action("act", "", merge.name, 1, Status.EXECUTED, {}, before=before, receipt={"sha": "c"})
    assert merge._change(through, action) == (first, "c")
