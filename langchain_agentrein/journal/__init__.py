"""The durable log on SQLAlchemy."""

from langchain_agentrein.journal.audit import Verification
from langchain_agentrein.journal.codec import jsonable
from langchain_agentrein.journal.forks import after_fork
from langchain_agentrein.journal.journal import Journal, JournalSource
from langchain_agentrein.journal.presence import found_version
from langchain_agentrein.journal.redaction import IsSecret, Redactor
from langchain_agentrein.journal.rows import new_id
from langchain_agentrein.journal.sealing import KeySource
from langchain_agentrein.journal.workers import is_dead

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
