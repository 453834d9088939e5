"""The page tells what the tests declare."""

from __future__ import annotations

import pytest

from tests.integration_tests.neighbours.matrix import PAGE, page, scenarios


@pytest.fixture
def awaited() -> bool:
    return False


def test_the_page_is_what_the_tests_declare() -> None:
    now = PAGE.read_text()
    assert page(now) == now, "docs/compatibility.md is out of date: run `make matrix`"


def test_no_two_rows_are_the_same() -> None:
    rows = [(row.neighbour, row.how) for row in scenarios()]
    assert len(rows) == len(set(rows)) > 40


def test_no_claim_is_both_held_and_lacking() -> None:
    assert not [row for row in scenarios() if row.holds & set(row.lacks)]
