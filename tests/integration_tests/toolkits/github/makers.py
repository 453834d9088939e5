"""What is tried with faults, about pull requests: each makes its world, and returns an operation on it."""

from __future__ import annotations

from collections.abc import Callable

from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.github import reviewers
from tests.integration_tests.toolkits.github.world import Shop


def asked(shop: Shop) -> Operation:
    shop.also.add("reviewers")
    return reviewers.RequestReviewers(repo=shop.repo, number=shop.pull("topic"), reviewers=["dan"])


OPERATIONS: list[Callable[[Shop], Operation]] = [asked]
