"""Reversible tools. A vendor's SDK is imported only when its toolkit is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from langchain_agentrein.toolkits.base import ReversibleToolkit, Toolkit

if TYPE_CHECKING:
    from langchain_agentrein.toolkits.files import FilesToolkit
    from langchain_agentrein.toolkits.sql import SQLToolkit

_HOMES = {"FilesToolkit": "files", "SQLToolkit": "sql"}

__all__ = ["FilesToolkit", "ReversibleToolkit", "SQLToolkit", "Toolkit"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
