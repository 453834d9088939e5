"""The laws, kept by reviews and comments on lines; and what differs by verdict."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_agentrein import Action, AgentRein, NotDone, Reversal, Risk, Status
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.github import Hub, pull_reads, review_comments
from langchain_agentrein.toolkits.github.reviews import CreateReview, LineComment
from tests.integration_tests.toolkits.github import makers
from tests.integration_tests.toolkits.github.driving import back, call
from tests.integration_tests.toolkits.github.test_laws import GitHubLaws, GitHubReads
from tests.integration_tests.toolkits.github.world import Shop
from tests.support.fault_proxy import Fault, Proxy


class TestCreateReview(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return makers.approved(shop)

    def left(self, before: Any, after: Any) -> Any:
        """It stays, dismissed."""
        return {**after, "reviews": {one: (who, "DISMISSED") for one, (who, _) in after["reviews"].items()}}


class TestCreateReviewComment(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        operation = makers.remarked(shop)
        shop.line(1, "another's")
        return operation

    @property
    def mine(self) -> int:
        return max(self.shop.state()["lines"])

    def foreign_edit(self, api: Any) -> bool:
        self.shop.ana.send("PATCH", self.shop.at("pulls", "comments", self.mine), {"body": "theirs"})
        return True

    def foreign_addition(self, api: Any) -> bool:
        self.shop.line(1, "why?", in_reply_to_id=self.mine)
        return True


class TestUpdateReviewComment(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return makers.reworded(shop)

    def foreign_edit(self, api: Any) -> bool:
        [mine] = self.shop.state()["lines"]
        self.shop.ana.send("PATCH", self.shop.at("pulls", "comments", mine), {"body": "theirs"})
        return True


class TestDeleteReviewComment(GitHubLaws):
    @pytest.fixture
    def operation(self, shop: Shop) -> Operation:
        return makers.retracted(shop)

    def left(self, before: Any, after: Any) -> Any:
        """Its text, at its line, by another author."""
        now = self.shop.state()["lines"]
        [(who, path, line, text)] = now.values()
        assert (who, path, line) == ("bot", "topic.txt", 1)
        assert text.startswith("worth *keeping*\n\n*Written by `ana`")
        return {**before, "lines": now}


class PullReads(GitHubReads):
    @pytest.fixture
    def number(self, shop: Shop) -> int:
        number = shop.pull("topic")
        for body in ("one", "two", "three"):
            shop.line(number, body)
            shop.ana.send("POST", shop.at("pulls", number, "reviews"), {"event": "COMMENT", "body": body})
        return number


class TestListFiles(PullReads):
    @pytest.fixture
    def operation(self, shop: Shop, number: int) -> Operation:
        return pull_reads.ListFiles(repo=shop.repo, number=number)


class TestListReviews(PullReads):
    @pytest.fixture
    def operation(self, shop: Shop, number: int) -> Operation:
        return pull_reads.ListReviews(repo=shop.repo, number=number)

    def test_page_by_page(self, shop: Shop, number: int) -> None:
        def page(n: int) -> tuple[list[str], bool]:
            read = pull_reads.ListReviews(repo=shop.repo, number=number, limit=2, page=n)
            said = read.do(shop.hub, None)  # type: ignore[arg-type]
            return [one["body"] for one in said["items"]], said["truncated"]

        assert (page(1), page(2)) == ((["one", "two"], True), (["three"], False))


class TestListReviewComments(PullReads):
    @pytest.fixture
    def operation(self, shop: Shop, number: int) -> Operation:
        return pull_reads.ListReviewComments(repo=shop.repo, number=number)


# -- by verdict ------------------------------------------------------------------------------------


def review(shop: Shop, event: Any, *lines: str) -> CreateReview:
    shop.also |= {"reviews", "lines"}
    said = [LineComment(path="topic.txt", line=1, body=line) for line in lines]
    return CreateReview(repo=shop.repo, event=event, body="well", comments=said, **shop.headed("topic"))


@pytest.fixture
def by_line(shop: Shop, proxy: Proxy) -> None:
    """The emulator takes comments of a review by position alone, as GitHub did once."""

    def post(**given: Any) -> Any:
        for one in given.get("comments", ()):
            assert set(one) == {"path", "line", "side", "body"}
            one["position"] = one["line"]
        return shop.hub.send("POST", shop.at("pulls", 1, "reviews"), given)

    proxy.answers["POST " + shop.at("pulls", 1, "reviews")] = post


def test_what_each_verdict_can_do(shop: Shop) -> None:
    def told(event: Any, *lines: str) -> tuple[Any, ...]:
        said = [LineComment(path="a", line=1, body=line) for line in lines]
        seen = CreateReview(repo=shop.repo, number=1, sha="0" * 40, event=event, comments=said).assess(None)
        return seen.risk, seen.reversal, len(seen.undo_effects)

    assert told("APPROVE") == (Risk.HIGH, Reversal.COMPENSATING, 1)
    assert told("REQUEST_CHANGES") == (Risk.MEDIUM, Reversal.COMPENSATING, 1)
    assert told("COMMENT", "hm") == (Risk.MEDIUM, Reversal.COMPENSATING, 0)
    assert told("COMMENT") == (Risk.MEDIUM, Reversal.NONE, 0)


@pytest.mark.usefixtures("by_line")
@pytest.mark.parametrize(("event", "ends"), [("COMMENT", "COMMENTED"), ("REQUEST_CHANGES", "DISMISSED")])
def test_its_comments_on_lines_are_deleted(
    shop: Shop, through: Hub, rein: AgentRein, event: str, ends: str
) -> None:
    session = call(rein, review(shop, event, "one", "two"), through)
    assert len(shop.state()["lines"]) == 2
    action = back(rein, session)
    assert action.status is Status.COMPENSATED
    assert any("its text stays" in said for said in action.undo.residue) == (event == "COMMENT")
    now = shop.state()
    assert (now["lines"], [state for _, state in now["reviews"].values()]) == ({}, [ends])


def test_a_comment_without_lines_cannot_be_undone(shop: Shop, through: Hub, rein: AgentRein) -> None:
    session = call(rein, review(shop, "COMMENT"), through)
    before = shop.state()
    assert back(rein, session).status is Status.IRREVERSIBLE
    assert shop.state() == before


@pytest.mark.usefixtures("by_line")
def test_what_was_answered_is_left_to_a_person(shop: Shop, through: Hub, rein: AgentRein) -> None:
    session = call(rein, review(shop, "REQUEST_CHANGES", "one"), through)
    [mine] = shop.state()["lines"]
    shop.line(1, "done", in_reply_to_id=mine)
    before = shop.state()
    action = back(rein, session)
    assert action.status is Status.CONFLICT
    assert "ana answered" in action.undo.error
    assert shop.state() == before


def test_a_pending_review_is_deleted(shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein) -> None:
    """The emulator does not serve that: the request is what GitHub documents."""
    session = call(rein, review(shop, "PENDING"), through)
    [(identity, (_, state))] = shop.state()["reviews"].items()
    assert state == "PENDING"
    proxy.answers["DELETE " + shop.at("pulls", 1, "reviews", identity)] = lambda: {"id": identity}
    proxy.writes.clear()
    action = back(rein, session)
    assert proxy.writes == ["DELETE " + shop.at("pulls", 1, "reviews", identity)]
    assert action.undo.residue == ("a review of #1 was pending for a while; nobody else saw it",)


def test_an_approval_that_was_merged_on_says_so(shop: Shop, through: Hub, rein: AgentRein) -> None:
    session = call(rein, review(shop, "APPROVE"), through)
    shop.ana.send("PUT", shop.at("pulls", 1, "merge"), {})
    assert "#1 has been merged meanwhile" in back(rein, session).undo.residue[1]


def test_what_was_not_looked_at_is_not_reviewed(shop: Shop) -> None:
    old = review(shop, "APPROVE").model_copy(update={"sha": "0" * 40})
    with pytest.raises(NotDone, match="look at it again"):
        old.snapshot(shop.hub)


def test_a_comment_needs_a_place(shop: Shop) -> None:
    bare = review_comments.CreateReviewComment(repo=shop.repo, number=shop.pull("topic"), body="hm")
    with pytest.raises(NotDone, match="give sha, path and line"):
        bare.snapshot(shop.hub)


ON_THE_FILE = {"commit_id": "c", "path": "topic.txt", "subject_type": "file"}


@pytest.mark.parametrize(
    ("comment", "refused", "place"),
    [
        ({"in_reply_to_id": 7}, 0, {"answers": 7}),
        (
            {"original_line": 3, "line": None, "side": "LEFT"},
            0,
            {"commit_id": "c", "path": "topic.txt", "line": 3, "side": "LEFT"},
        ),
        ({"original_line": 3, "line": None}, 1, ON_THE_FILE),
        ({"subject_type": "file", "line": None}, 0, ON_THE_FILE),
    ],
)
def test_where_a_deleted_comment_is_posted_again(
    shop: Shop, proxy: Proxy, through: Hub, comment: dict[str, Any], refused: int, place: dict[str, Any]
) -> None:
    """At its place; where GitHub refuses that, on the file."""
    number = shop.pull("topic")
    at = shop.at("pulls", "comments", shop.line(number, "kept"))
    there, seen = {**shop.ana.get(at), "original_commit_id": "c", **comment}, list[dict[str, Any]]()
    proxy.answers[f"GET {at}"] = lambda: there
    path = shop.at("pulls", number, "comments")
    proxy.answers[f"POST {path}"] = lambda **given: seen.append(given) or {}
    proxy.answers[f"POST {path}/7/replies"] = lambda **given: seen.append({**given, "answers": 7}) or {}
    operation = review_comments.DeleteReviewComment(repo=shop.repo, comment_id=int(at.rpartition("/")[2]))
    before = operation.snapshot(through)
    proxy.fault = Fault("answer", 422, message="no such line") if refused else None

    operation.post(through, Action("act_1", "", operation.name, 1, Status.EXECUTED, {}, before=before))

    [given] = seen
    assert given.pop("body").startswith("kept")
    assert given == place


@pytest.mark.parametrize("answered", [False, True])
def test_an_answer(shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein, answered: bool) -> None:
    """Posted to the thread, and deleted if nobody said anything after it; the emulator spells that otherwise."""
    shop.also.add("lines")
    number = shop.pull("topic")
    first = shop.line(number, "why?")
    shop.line(number, "yes, why?", in_reply_to_id=first)
    path = shop.at("pulls", number, "comments")

    def post(body: str) -> Any:
        return shop.owner.send("POST", path, {"body": body, "path": "topic.txt", "in_reply_to_id": first})

    proxy.answers[f"POST {path}/{first}/replies"] = post
    before = shop.state()
    operation = review_comments.CreateReviewComment(
        repo=shop.repo, number=number, body="because", in_reply_to=first
    )
    session = call(rein, operation, through)
    assert len(shop.state()["lines"]) == 3
    if answered:
        shop.line(number, "I see", in_reply_to_id=first)
        assert back(rein, session).status is Status.CONFLICT
        assert len(shop.state()["lines"]) == 4
    else:
        assert back(rein, session).status is Status.COMPENSATED
        assert shop.state() == before


@pytest.mark.usefixtures("by_line")
def test_what_somebody_dismissed_already_is_not_dismissed_again(
    shop: Shop, proxy: Proxy, through: Hub, rein: AgentRein
) -> None:
    session = call(rein, review(shop, "REQUEST_CHANGES", "one"), through)
    [identity] = shop.state()["reviews"]
    shop.ana.send("PUT", shop.at("pulls", 1, "reviews", identity, "dismissals"), {"message": "no"})
    proxy.writes.clear()
    assert back(rein, session).status is Status.COMPENSATED
    assert [one.partition("comments")[0] for one in proxy.writes] == ["DELETE " + shop.at("pulls", "")]
