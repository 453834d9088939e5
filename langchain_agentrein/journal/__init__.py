"""The durable log on SQLAlchemy, which is imported with the first journal: it takes longer than all the rest."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from langchain_agentrein.journal.codec import jsonable
from langchain_agentrein.journal.forks import after_fork
from langchain_agentrein.journal.redaction import IsSecret, Redactor
from langchain_agentrein.journal.rows import new_id
from langchain_agentrein.journal.sealing import KeySource
from langchain_agentrein.journal.workers import is_dead

if TYPE_CHECKING:
    from langchain_agentrein.journal.audit import Verification
    from langchain_agentrein.journal.journal import Journal, JournalSource
    from langchain_agentrein.journal.presence import found_version

__all__ = [
    "IsSecret",
    "Journal",
    "JournalSource",
    "KeySource",
    "Redactor",
    "Verification",
    "after_fork",
    "found_version",
    "is_dead",
    "jsonable",
    "new_id",
]

_LATE = {
    "Journal": "journal",
    "JournalSource": "journal",
    "Verification": "audit",
    "found_version": "presence",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_LATE[name]}"), name)
    globals()[name] = value
    return value
