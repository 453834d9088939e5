"""Reversible, gated and explained actions for LangChain and LangGraph agents."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_agentrein.action import Action, Reversal, Risk, Status, UndoEffect
    from langchain_agentrein.callbacks import IntentCallbackHandler
    from langchain_agentrein.decorator import reversible
    from langchain_agentrein.engine import Decision
    from langchain_agentrein.errors import (
        ActionDenied,
        AgentReinError,
        ApprovalRequired,
        ApprovalTimeout,
        CallConflict,
        ChainBroken,
        ConfigError,
        Conflict,
        InDoubt,
        JournalError,
        JournalUnavailable,
        JournalVersion,
        LostRace,
        NotCovered,
        NotDone,
        OrphanedActions,
        PayloadTooLarge,
        Refused,
        RuleError,
        SealError,
        SessionFailed,
        SessionFrozen,
        Throttled,
        TransitionError,
        UnboundTool,
        UndoError,
        UnknownOperation,
        WrongAccount,
    )
    from langchain_agentrein.graphs.middleware import AgentReinMiddleware
    from langchain_agentrein.operation import Happened, NotHappened, Operation, Undone, Unknown
    from langchain_agentrein.policy import ApprovalRule, Budget
    from langchain_agentrein.rein import AgentRein
    from langchain_agentrein.report import RollbackPlan, RollbackReport
    from langchain_agentrein.session import Session
    from langchain_agentrein.timeline import Timeline
    from langchain_agentrein.tool import ReversibleTool
    from langchain_agentrein.toolkits.base import ReversibleToolkit

__all__ = [
    "Action",
    "ActionDenied",
    "AgentRein",
    "AgentReinError",
    "AgentReinMiddleware",
    "ApprovalRequired",
    "ApprovalRule",
    "ApprovalTimeout",
    "Budget",
    "CallConflict",
    "ChainBroken",
    "ConfigError",
    "Conflict",
    "Decision",
    "Happened",
    "InDoubt",
    "IntentCallbackHandler",
    "JournalError",
    "JournalUnavailable",
    "JournalVersion",
    "LostRace",
    "NotCovered",
    "NotDone",
    "NotHappened",
    "Operation",
    "OrphanedActions",
    "PayloadTooLarge",
    "Refused",
    "Reversal",
    "ReversibleTool",
    "ReversibleToolkit",
    "Risk",
    "RollbackPlan",
    "RollbackReport",
    "RuleError",
    "SealError",
    "Session",
    "SessionFailed",
    "SessionFrozen",
    "Status",
    "Throttled",
    "Timeline",
    "TransitionError",
    "UnboundTool",
    "UndoEffect",
    "UndoError",
    "Undone",
    "Unknown",
    "UnknownOperation",
    "WrongAccount",
    "reversible",
]

_HOMES = {
    "action": (
        "Action",
        "Reversal",
        "Risk",
        "Status",
        "UndoEffect",
    ),
    "callbacks": ("IntentCallbackHandler",),
    "decorator": ("reversible",),
    "engine": ("Decision",),
    "errors": (
        "ActionDenied",
        "AgentReinError",
        "ApprovalRequired",
        "ApprovalTimeout",
        "CallConflict",
        "ChainBroken",
        "ConfigError",
        "Conflict",
        "InDoubt",
        "JournalError",
        "JournalUnavailable",
        "JournalVersion",
        "LostRace",
        "NotCovered",
        "NotDone",
        "OrphanedActions",
        "PayloadTooLarge",
        "Refused",
        "RuleError",
        "SealError",
        "SessionFailed",
        "SessionFrozen",
        "Throttled",
        "TransitionError",
        "UnboundTool",
        "UndoError",
        "UnknownOperation",
        "WrongAccount",
    ),
    "graphs.middleware": ("AgentReinMiddleware",),
    "operation": (
        "Happened",
        "NotHappened",
        "Operation",
        "Undone",
        "Unknown",
    ),
    "policy": (
        "ApprovalRule",
        "Budget",
    ),
    "rein": ("AgentRein",),
    "report": (
        "RollbackPlan",
        "RollbackReport",
    ),
    "session": ("Session",),
    "timeline": ("Timeline",),
    "tool": ("ReversibleTool",),
    "toolkits.base": ("ReversibleToolkit",),
}
"""Where each public name lives. It is loaded when it is asked for: reading a journal needs no LangChain."""


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
