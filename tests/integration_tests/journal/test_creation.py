"""Several processes make, and fork, one journal at once."""

from __future__ import annotations

import time

from langchain_agentrein.journal import Journal
from tests.support.driving import Elsewhere
from tests.support.journals import SESSION, action


def create(url: str, start: float) -> None:
    """In a process of its own: at `start`, open the journal and write to it."""
    time.sleep(max(0.0, start - time.time()))
    with Journal(url) as journal:
        for _ in range(3):
            journal.begin(action(), SESSION)


def test_processes_that_make_one_journal_at_once(journal_url: str) -> None:
    start = time.time() + 0.5
    others = [Elsewhere(create, journal_url, start) for _ in range(6)]
    assert [other.ended() for other in others] == [0] * 6
    with Journal(journal_url) as journal:
        assert [one.seq for one in journal.actions([SESSION.id])] == list(range(1, 19))
        assert journal.verify()


def test_a_journal_that_is_opened_again_is_the_same(journal_url: str) -> None:
    found: list[int] = []
    for _ in range(3):
        with Journal(journal_url) as journal:
            journal.begin(action(), SESSION)
            found.append(len(journal.actions([SESSION.id])))
    assert found == [1, 2, 3]
