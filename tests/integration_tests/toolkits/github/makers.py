"""What is tried with faults, about pull requests: each makes its world, and returns an operation on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.github import (
    release_deletion,
    releases,
    review_comments,
    reviewers,
    reviews,
)
from tests.integration_tests.toolkits.github.world import Shop


def asked(shop: Shop) -> Operation:
    shop.also.add("reviewers")
    return reviewers.RequestReviewers(repo=shop.repo, number=shop.pull("topic"), reviewers=["dan"])


def approved(shop: Shop) -> Operation:
    shop.also.add("reviews")
    given: Any = {**shop.headed("topic"), "event": "APPROVE"}
    return reviews.CreateReview(repo=shop.repo, **given)


def remarked(shop: Shop) -> Operation:
    shop.also.add("lines")
    given: Any = {**shop.headed("topic"), "path": "topic.txt", "line": 1, "body": "hm"}
    return review_comments.CreateReviewComment(repo=shop.repo, **given)


def reworded(shop: Shop) -> Operation:
    shop.also.add("lines")
    comment = shop.line(shop.pull("topic"), "first")
    return review_comments.UpdateReviewComment(repo=shop.repo, comment_id=comment, body="other")


def retracted(shop: Shop) -> Operation:
    shop.also.add("lines")
    comment = shop.line(shop.pull("topic"), "worth *keeping*")
    return review_comments.DeleteReviewComment(repo=shop.repo, comment_id=comment)


def released(shop: Shop) -> Operation:
    shop.also |= {"releases", "tags"}
    return releases.CreateRelease(repo=shop.repo, tag="v1", body="what is new")


def renamed(shop: Shop) -> Operation:
    shop.also.add("releases")
    return releases.UpdateRelease(repo=shop.repo, release_id=shop.release("v1"), title="One")


def revoked(shop: Shop) -> Operation:
    shop.also |= {"releases", "tags"}
    shop.tag("v1")
    return release_deletion.DeleteRelease(repo=shop.repo, release_id=shop.release("v1"))


OPERATIONS: list[Callable[[Shop], Operation]] = [
    asked,
    approved,
    remarked,
    reworded,
    retracted,
    released,
    renamed,
    revoked,
]
