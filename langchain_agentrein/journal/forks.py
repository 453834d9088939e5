"""What a forked process must not share with its parent: connections, threads, its name."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_kept: weakref.WeakKeyDictionary[Any, list[Callable[[Any], None]]] = weakref.WeakKeyDictionary()


def after_fork(owner: T, renew: Callable[[T], None]) -> None:
    """Call `renew(owner)` in every process that is forked while `owner` lives."""
    _kept.setdefault(owner, []).append(renew)


def _renew_all() -> None:
    for owner, renewals in list(_kept.items()):
        for renew in renewals:
            renew(owner)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
