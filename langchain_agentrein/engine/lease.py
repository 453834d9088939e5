"""Who holds an action, and whether they still live."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from langchain_agentrein.action import Action
from langchain_agentrein.errors import JournalError
from langchain_agentrein.journal import after_fork, is_dead

if TYPE_CHECKING:
    from langchain_agentrein.journal import Journal


def is_abandoned(action: Action, worker: str) -> bool:
    """Whether whoever held `action` is gone: its lease has passed, or its process on this host has died."""
    if action.held_by is None:
        return True
    if action.held_until is None or action.held_until <= datetime.now(UTC):
        return True
    return action.held_by != worker and is_dead(action.held_by)


class Keeper:
    """Renews the leases of what this process is doing, from a thread that sleeps when there is nothing."""

    def __init__(self, journal: Journal, lease: float) -> None:
        self._journal, self._lease = journal, lease
        self._closed = False
        self._start_anew()
        after_fork(self, Keeper._start_anew)

    def _start_anew(self) -> None:
        self._held: set[str] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def holding(self, action_id: str) -> Iterator[None]:
        """Keep the lease of `action_id` alive for as long as the block takes."""
        with self._lock:
            self._held.add(action_id)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._renew, name="agentrein-leases", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(action_id)

    def close(self) -> None:
        """Stop renewing."""
        self._closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _renew(self) -> None:
        while not self._wake.wait(self._lease / 3):
            with self._lock:
                held = list(self._held)
            try:
                self._journal.renew(held, self._lease)
            except JournalError:
                continue  # it is tried again; once the lease passes, its fence refuses us
