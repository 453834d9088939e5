"""Limits, broken replies, credentials that end, and much to read: each with an outcome that says what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from github import Auth, Github

from langchain_agentrein import AgentRein, NotDone, Status, Throttled
from langchain_agentrein.engine import Call
from langchain_agentrein.flow import run
from langchain_agentrein.operation import Happened, Operation
from langchain_agentrein.toolkits.github import Hub, comments, reads
from tests.integration_tests.toolkits.github.conftest import TOKEN
from tests.integration_tests.toolkits.github.test_faults import (
    back,
    call,
    comment,
    created,
    label,
    milestone,
    moved,
    renamed,
    title,
)
from tests.integration_tests.toolkits.github.world import Shop
from tests.support.fault_proxy import Fault, Proxy, proxied

MANY = 10_000
SOME: list[Callable[[Shop], Operation]] = [created, title, milestone]


@pytest.mark.parametrize("status", [429, 403])
def test_whoever_is_asked_to_wait_for_ever_gives_up_and_has_done_nothing(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, status: int
) -> None:
    operation = title(shop)
    before = shop.state()
    proxy.fault = Fault("answer", status, {"Retry-After": "0"}, "secondary rate limit", times=1000)
    session = rein.session(intent="limits")
    with pytest.raises(Throttled, match="secondary rate limit"):
        run(rein.perform(operation, through, Call(session=session.record)))
    [action] = session.actions()
    assert (action.status, proxy.writes, shop.state()) == (Status.FAILED, [], before)


@pytest.mark.parametrize(("make", "status"), [(created, 429), (title, 403), (comment, 403)])
def test_an_undo_that_is_asked_to_wait_for_ever_is_stuck_and_done_later(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, make: Any, status: int
) -> None:
    session = call(rein, make(shop), through)
    proxy.fault = Fault("answer", status, {"Retry-After": "0"}, "secondary rate limit", times=1000)
    action = back(rein, session)
    assert action.status is Status.STUCK
    assert "secondary rate limit" in (action.undo.error or "")
    proxy.fault = None
    assert back(rein, session).status in (Status.RESTORED, Status.COMPENSATED)


@pytest.mark.parametrize("make", SOME)
def test_a_server_error_before_the_effect_is_a_failure(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, make: Any
) -> None:
    operation = make(shop)
    before = shop.state()
    proxy.fault = Fault("answer", 503)
    session = rein.session(intent="limits")
    with pytest.raises(Exception, match="503"):
        run(rein.perform(operation, through, Call(session=session.record)))
    [action] = session.actions()
    assert (action.status, proxy.writes, shop.state()) == (Status.FAILED, [], before)


@pytest.mark.parametrize("make", SOME)
def test_a_reply_that_ends_in_its_middle_is_settled_and_so_is_that_of_the_undo(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, make: Any
) -> None:
    operation = make(shop)
    proxy.fault = Fault("truncate")
    session = call(rein, operation, through)
    [action] = session.actions()
    assert (action.status, len(proxy.writes)) == (Status.EXECUTED, 1)
    proxy.writes.clear()
    proxy.fault = Fault("truncate")
    action = back(rein, session)
    assert action.status in (Status.RESTORED, Status.COMPENSATED), action.undo.error
    assert len(proxy.writes) == len(set(proxy.writes))


def test_what_is_read_and_ends_in_its_middle_is_no_effect(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein
) -> None:
    operation = title(shop)
    proxy.fault = Fault("truncate", reads=True, times=100)
    session = rein.session(intent="limits")
    with pytest.raises(NotDone, match="could not be read, nothing was done"):
        run(rein.perform(operation, through, Call(session=session.record)))
    assert session.actions() == []
    assert set(proxy.writes) <= {"POST /graphql"}, "which asks whose credentials these are"


@pytest.mark.parametrize("make", SOME)
def test_a_token_that_expired_before_the_rollback_leaves_it_to_the_next_one(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, token: str, make: Any
) -> None:
    session = call(rein, make(shop), through)
    before = shop.state()
    proxy.fault = Fault("answer", 401, message="Bad credentials", reads=True, times=1000)
    action = back(rein, session)
    assert action.status is Status.STUCK
    assert "Bad credentials" in (action.undo.error or "")
    assert token not in str(action)
    assert shop.state() == before
    proxy.fault = None
    assert back(rein, session).status in (Status.RESTORED, Status.COMPENSATED)


def gone_issue(shop: Shop) -> None:
    shop.extra.gone[shop.repo, 1] = None


def gone_label(shop: Shop) -> None:
    shop.ana.send("DELETE", shop.at("labels", "new"))


def gone_milestone(shop: Shop) -> None:
    shop.ana.send("DELETE", shop.at("milestones", 1))


def gone_name(shop: Shop) -> None:
    shop.ana.send("DELETE", shop.at("labels", "defect"))


@pytest.mark.parametrize(
    ("make", "delete", "status"),
    [
        (created, gone_issue, Status.COMPENSATED),
        (label, gone_label, Status.RESTORED),
        (milestone, gone_milestone, Status.RESTORED),
        (title, gone_issue, Status.STUCK),
        (renamed, gone_name, Status.STUCK),
        (moved, gone_milestone, Status.STUCK),
    ],
)
def test_what_others_deleted_is_undone_if_that_is_what_the_undo_wanted_and_else_a_persons(
    shop: Shop, through: Hub, rein: AgentRein, make: Any, delete: Any, status: Status
) -> None:
    session = call(rein, make(shop), through)
    delete(shop)
    action = back(rein, session)
    assert action.status is status
    if status is Status.STUCK:
        assert any(word in (action.undo.error or "") for word in ("no such thing", "was deleted"))


class Long:
    """An issue with 10,000 comments, the last of which is as a test wants it; as GitHub pages them."""

    def __init__(self, shop: Shop, extra: Any) -> None:
        self.path = shop.at("issues", 1, "comments")
        self.last, self.extra, self.pages = "", extra, 0
        self.like = extra.description.content["components"]["examples"]["issue-comment-items"]["value"][0]

    def __call__(self, verb: str, target: str, body: bytes, token: str) -> Any:
        parts = urlsplit(target)
        if (verb, parts.path) != ("GET", self.path):
            return None
        self.pages += 1
        asked = parse_qs(parts.query)
        size, page = int(asked["per_page"][0]), int(asked["page"][0])
        begin, end = (page - 1) * size, min(page * size, MANY)
        said = [{**self.like, "id": n + 1, "body": f"comment {n}"} for n in range(begin, end)]
        if end == MANY:
            said[-1]["body"] = self.last
        more = {} if end == MANY else {"Link": f'<http://localhost{self.path}?page={page + 1}>; rel="next"'}
        self.extra.wrong += self.extra.description.reply(verb, target, 200, said[:1])
        return 200, said, more


@pytest.fixture
def long(shop: Shop, github: str) -> Iterator[tuple[Long, Hub]]:
    shop.issue("Long")
    serve = Long(shop, shop.extra)
    with proxied(github, serve=serve) as proxy:
        client = Github(base_url=proxy.url, auth=Auth.Token(TOKEN), seconds_between_requests=0)
        yield serve, Hub(client, settles=0.0)


def test_one_of_ten_thousand_comments_is_found(
    shop: Shop, rein: AgentRein, long: tuple[Long, Hub], proxy: Proxy, through: Hub
) -> None:
    serve, hub = long
    operation = comments.CreateComment(repo=shop.repo, number=1, body="hello")
    session = call(rein, operation, through)
    [action] = session.actions()
    serve.last = hub.marked("hello", action)
    found = operation.probe(hub, action)
    assert isinstance(found, Happened)
    assert found.receipt is not None
    assert (found.receipt["id"], serve.pages) == (MANY, MANY // 100)


def test_a_model_that_asks_for_thirty_comments_costs_one_page(long: tuple[Long, Hub], shop: Shop) -> None:
    serve, hub = long
    told: Any = reads.ListComments(repo=shop.repo, number=1).do(hub, None)  # type: ignore[arg-type]
    assert (len(told["items"]), told["truncated"], serve.pages) == (30, True, 1)
