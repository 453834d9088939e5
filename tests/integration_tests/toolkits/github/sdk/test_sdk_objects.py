"""A wrapped client looks like PyGithub's own, and nothing that comes out of it writes past the journal."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from github import Github, UnknownObjectException
from github.Issue import Issue
from github.PaginatedList import PaginatedList
from github.Repository import Repository
from github.Requester import Requester

from langchain_agentrein import AgentRein, ConfigError, NotCovered, NotDone
from langchain_agentrein.toolkits.github.sdk import SDK
from langchain_agentrein.toolkits.github.sdk.client import GitHubSdk
from langchain_agentrein.toolkits.github.sdk.guard import WAY_OUT
from langchain_agentrein.wrap import Wrapped, unwrapped
from tests.integration_tests.toolkits.github.refused import REFUSED
from tests.integration_tests.toolkits.github.sdk.test_sdk_walk import covered
from tests.integration_tests.toolkits.github.world import Shop, client, wrapped
from tests.support.fault_proxy import Proxy, proxied


@pytest.fixture(scope="module")
def front(github: str) -> Iterator[Proxy]:
    with proxied(github) as proxy:
        yield proxy


@pytest.fixture
def watched(front: Proxy) -> Proxy:
    """The emulator behind a proxy that counts what is written."""
    front.offered.clear()
    return front


@pytest.fixture
def gh(rein: AgentRein, watched: Proxy) -> Github:
    return wrapped(rein, watched.url, unknown="deny")


@pytest.fixture
def repo(gh: Github, shop: Shop) -> Repository:
    return gh.get_repo(shop.repo)


def test_it_counts_as_what_it_wraps(gh: Github, repo: Repository, shop: Shop) -> None:
    shop.issue("One", labels=["bug"])
    issue = repo.get_issue(1)
    assert isinstance(gh, Github) and isinstance(repo, Repository) and isinstance(issue, Issue)
    assert type(issue) is not Issue and issue.__class__ is Issue
    assert repr(issue) == '<Issue(title="One", number=1) wrapped by langchain_agentrein, connector github>'
    assert str(issue) == f"{issue}" == 'Issue(title="One", number=1)'
    assert {"edit", "title"} <= set(dir(issue))
    assert not hasattr(issue, "__iter__") and not hasattr(issue, "paint")
    assert issue.edit.__name__ == "edit"
    assert "title" in inspect.signature(issue.edit).parameters
    assert not hasattr(issue.edit, "__wrapped__")
    assert repr(issue.edit) == "<wrapped method Issue.edit>"


def test_whatever_comes_back_is_wrapped(repo: Repository, shop: Shop) -> None:
    for title in ("One", "Two"):
        shop.issue(title, labels=["bug"], assignees=["ana"])
    found = repo.get_issues(sort="created", direction="asc")
    assert isinstance(found, PaginatedList)
    several: list[Any] = [
        *found,
        *found[:1],
        *reversed(found),
        found[0],
        *found.get_page(0),
        found[0].repository,
        found[0].user,
        *found[0].labels,
        *found[0].assignees,
        repo.requester,
        repo.owner,
    ]
    assert all(isinstance(one, Wrapped) for one in several)
    assert [issue.title for issue in found] == ["One", "Two"]
    assert found.totalCount == 2


def test_equality_and_hashes_are_those_of_what_is_behind(repo: Repository, shop: Shop) -> None:
    number = shop.issue("One")
    issue, again = repo.get_issue(number), repo.get_issue(number)
    assert issue == again and issue == unwrapped(again) and unwrapped(issue) == again
    assert issue != repo and {issue: "known"}[again] == "known"


def test_wrapped_objects_are_arguments(repo: Repository, shop: Shop) -> None:
    shop.label("bug")
    shop.issue("One", labels=["bug"])
    shop.issue("Two")
    label = repo.get_label("bug")
    assert [issue.title for issue in repo.get_issues(labels=[label])] == ["One"]


@pytest.mark.parametrize("take", [copy.copy, copy.deepcopy, pickle.dumps])
def test_it_is_neither_copied_nor_pickled(repo: Repository, take: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"wrapped Repository can be neither copied nor pickled.*unwrapped"):
        take(repo)


def test_attributes_are_set_as_the_sdk_lets_them(gh: Github, repo: Repository) -> None:
    gh.per_page = 7
    assert gh.per_page == unwrapped(gh).per_page == 7
    with pytest.raises(AttributeError):
        repo.name = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError, match="guarded"):
        repo._requester = None  # type: ignore[assignment]
    with pytest.raises(AttributeError, match="cannot be deleted"):
        del repo.name


def test_the_developers_client_is_not_changed(rein: AgentRein, shop: Shop) -> None:
    own = client(shop.url)
    rein.wrap(own)
    own.get_repo(shop.repo).create_label("mine", "ff0000")
    assert list(shop.state()["labels"]) == ["mine"]


def test_a_client_of_a_class_of_ones_own(rein: AgentRein, shop: Shop) -> None:
    class Ours(Github):
        """A company's own."""

    own = Ours(base_url=shop.url, auth=client(shop.url).requester.auth, retry=None)
    assert rein.wrap(own).get_repo(shop.repo).full_name == shop.repo


def test_a_pygithub_that_sends_another_way_is_not_wrapped(
    rein: AgentRein, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = client(shop.url)
    monkeypatch.delattr(Requester, WAY_OUT)
    with pytest.raises(ConfigError, match="nothing guards them"):
        rein.wrap(own)


def test_what_cannot_be_wrapped_is_said(rein: AgentRein, gh: Github, repo: Repository, shop: Shop) -> None:
    for nonsense, why in (
        (gh, "wrapped already"),
        (unwrapped(gh), "behind a wrapped client"),
        (unwrapped(repo), "not a Repository"),
        (shop.hub, "no connector wraps"),
        (json, "no connector wraps"),
    ):
        with pytest.raises(ConfigError, match=why):
            rein.wrap(nonsense)
    with pytest.raises(ConfigError, match="unknown='maybe'"):
        rein.wrap(client(shop.url), unknown="maybe")
    with AgentRein("sqlite://") as other, pytest.raises(ConfigError, match="another AgentRein"):
        rein.wrap(client(shop.url), other.session())


# -- nothing gets past ---------------------------------------------------------------------------


def ways_around(gh: Github, repo: Repository) -> Iterator[Callable[[], Any]]:
    """What somebody could try, or do by accident."""
    raw = unwrapped(repo)
    path = f"/repos/{repo.full_name}/labels"
    body = {"name": "sneaked in", "color": "ff0000"}
    yield lambda: raw.create_label("sneaked in", "ff0000")
    yield lambda: raw.requester.requestJsonAndCheck("POST", path, input=body)
    yield lambda: repo.requester.requestJsonAndCheck("POST", path, input=body)
    yield lambda: repo.requester.requestJson("POST", path, None, None, body)
    yield lambda: repo._requester.requestJsonAndCheck("POST", path, input=body)
    yield lambda: unwrapped(repo.requester.withLazy(True)).requestJsonAndCheck("POST", path, input=body)
    yield lambda: unwrapped(repo.requester.withAuth(None)).requestJsonAndCheck("POST", path, input=body)
    yield lambda: unwrapped(gh.withLazy(True)).get_repo(repo.full_name).create_label("sneaked in", "ff0000")
    yield lambda: unwrapped(next(iter(gh.get_user().get_repos()))).create_label("sneaked in", "ff0000")
    yield lambda: Repository.create_label(repo, "sneaked in", "ff0000")
    yield lambda: raw.requester.graphql_named_mutation("deleteIssue", {"issueId": "x"}, "clientMutationId")
    yield lambda: raw.requester.graphql_query("query { a } mutation { b }", {})
    yield lambda: raw.requester.requestMultipartAndCheck("POST", path, input={"a": "b"})
    yield lambda: raw.requester.requestBlobAndCheck("POST", path, input=__file__)
    yield lambda: raw.requester.requestMemoryBlobAndCheck("POST", path, None, {"Content-Type": "a/b"}, b"")
    yield lambda: raw.requester._Requester__requestEncode(None, "POST", path, None, None, body, _encoded)


def _encoded(body: Any) -> tuple[str, str]:
    return "application/json", json.dumps(body)


def test_no_way_around_writes(gh: Github, repo: Repository, watched: Proxy, shop: Shop) -> None:
    for number, way in enumerate(ways_around(gh, repo)):
        with pytest.raises(NotCovered):
            way()
        assert watched.offered == [], f"way {number} got through"
    path = f"/repos/{shop.repo}/labels"
    for requester in (repo.requester, repo.requester.withLazy(True), repo.requester.withAuth(None)):
        assert requester.requestJsonAndCheck("GET", path)[1] == []
    assert (
        repo.requester.graphql_query("query { viewer { login } }", {})[1]["data"]["viewer"]["login"] == "bot"
    )
    assert watched.offered == []


class Careless(GitHubSdk):
    """A table that takes everything for a read."""

    def reads(self, owner: Any, method: str, arguments: Any) -> bool:
        return True


def test_a_method_that_is_taken_for_a_read_by_mistake_does_not_write(
    rein: AgentRein, watched: Proxy, shop: Shop
) -> None:
    repo = rein.wrap(client(watched.url), connector=Careless()).get_repo(shop.repo)
    number = shop.issue("One")
    for act in (
        lambda: repo.create_issue("Sneaked in"),
        lambda: repo.get_issue(number).edit(title="Sneaked in"),
        lambda: repo.get_issue(number).add_to_assignees("ana"),
    ):
        with pytest.raises(NotCovered, match="from no operation"):
            act()
    assert watched.offered == []


def test_every_method_that_nothing_covers_is_refused(rein: AgentRein, gh: Github, watched: Proxy) -> None:
    """Whatever its arguments: nothing of PyGithub runs, and nothing is sent."""
    house = object.__getattribute__(gh, "_agentrein_house")
    classes = {cls.__name__: cls for cls in _classes()}
    assert {method.partition(".")[0] for method in REFUSED} <= set(classes)
    for method in sorted(REFUSED):
        cls, _, name = method.partition(".")
        owner = object.__new__(classes[cls])
        call = getattr(owner, name)
        given = [
            "x"
            for parameter in inspect.signature(call).parameters.values()
            if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ]
        named = {
            parameter.name: "x"
            for parameter in inspect.signature(call).parameters.values()
            if parameter.default is parameter.empty and parameter.kind is parameter.KEYWORD_ONLY
        }
        with pytest.raises(NotCovered) as refused:
            house.call(owner, name, tuple(given), named)
        assert refused.value.method == method
        assert refused.value.action_id is not None
    assert watched.offered == []


def _classes() -> Iterator[type]:
    import github

    for module in vars(github).values():
        for thing in vars(module).values() if inspect.ismodule(module) else ():
            if inspect.isclass(thing) and thing.__name__ in covered():
                yield thing


def test_a_method_of_tomorrow_is_refused(
    gh: Github, repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def paint(self: Repository, color: str) -> None:
        self._requester.requestJsonAndCheck("PATCH", self.url, input={"color": color})

    monkeypatch.setattr(Repository, "paint", paint, raising=False)
    with pytest.raises(NotCovered, match=r"Repository\.paint changes something"):
        repo.paint("red")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("method", "nearest"),
    [
        ("Issue.add_to_assignees", "github.issues.update"),
        ("CommitComment.delete", "github.comments.delete"),
        ("PullRequestComment.edit", "github.comments.update"),
        ("PullRequest.create_review_comment", "github.comments.create"),
        ("Issue.create_reaction", None),
        ("Team.delete", None),
        ("Repository.edit", None),
    ],
)
def test_the_nearest_operation_is_named_and_no_far_one(method: str, nearest: str | None) -> None:
    assert SDK.nearest(method) == nearest


def test_what_github_refuses_is_raised_as_pygithub_does(
    rein: AgentRein, gh: Github, repo: Repository, shop: Shop
) -> None:
    with pytest.raises(UnknownObjectException):
        gh.get_repo("bot/nothing")
    shop.label("bug")
    number = shop.issue("Talk")
    comment = repo.get_issue(number).get_comment(shop.comment(number, "mine"))
    shop.ana.send("DELETE", shop.at("issues", "comments", comment.id))
    with rein.session() as session:
        with pytest.raises(UnknownObjectException) as refused:
            comment.edit("yours")
        with pytest.raises(NotDone, match="has the label 'bug' already"):
            repo.create_label("bug", "ff0000")
    assert refused.value.status == 404
    assert "these credentials do not see it" in " ".join(refused.value.__notes__)
    assert session.actions() == []
