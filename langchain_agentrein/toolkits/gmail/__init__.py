"""Gmail: mail, drafts, labels, trash and settings, through google-api-python-client."""

from langchain_agentrein.toolkits.gmail.hub import Hub
from langchain_agentrein.toolkits.gmail.toolkit import GmailToolkit

TOOLKIT = GmailToolkit
"""Where an undo in a fresh process gets its client from."""

__all__ = ["TOOLKIT", "GmailToolkit", "Hub"]
