"""Reversible tools. A vendor's SDK is imported only when its toolkit is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from langchain_agentrein.toolkits.base import ReversibleToolkit, Toolkit

if TYPE_CHECKING:
    from langchain_agentrein.toolkits.files import FilesToolkit
    from langchain_agentrein.toolkits.github import GitHubToolkit
    from langchain_agentrein.toolkits.gmail import GmailToolkit
    from langchain_agentrein.toolkits.sql import SQLToolkit

_HOMES = {"FilesToolkit": "files", "GitHubToolkit": "github", "GmailToolkit": "gmail", "SQLToolkit": "sql"}

__all__ = ["FilesToolkit", "GitHubToolkit", "GmailToolkit", "ReversibleToolkit", "SQLToolkit", "Toolkit"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        home = _HOMES[name]
        try:
            return getattr(importlib.import_module(f"{__name__}.{home}"), name)
        except ModuleNotFoundError as missing:
            if (missing.name or "").startswith(__name__.partition(".")[0]):
                raise
            raise ImportError(
                f"{name} needs {missing.name}: pip install 'langchain-agentrein[{home}]'"
            ) from missing
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
