"""The durable log on SQLAlchemy."""

from langchain_agentrein.journal.audit import Verification
from langchain_agentrein.journal.journal import Journal, JournalSource
from langchain_agentrein.journal.presence import found_version
from langchain_agentrein.journal.redaction import IsSecret, Redactor
from langchain_agentrein.journal.codec import jsonable
from langchain_agentrein.journal.rows import new_id
from langchain_agentrein.journal.sealing import KeySource

__all__ = [
    "IsSecret",
    "Journal",
    "JournalSource",
    "KeySource",
    "Redactor",
    "Verification",
    "found_version",
    "jsonable",
    "new_id",
]
