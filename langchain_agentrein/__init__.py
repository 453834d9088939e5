"""Reversible, gated and explained actions for LangChain and LangGraph agents."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from langchain_agentrein.action import Action, Reversal, Risk, Status, UndoEffect
from langchain_agentrein.callbacks import IntentCallbackHandler
from langchain_agentrein.decorator import reversible
from langchain_agentrein.errors import (
    ActionDenied,
    AgentReinError,
    ApprovalRequired,
    CallConflict,
    ChainBroken,
    ConfigError,
    Conflict,
    InDoubt,
    JournalError,
    JournalUnavailable,
    JournalVersion,
    LostRace,
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
from langchain_agentrein.operation import Happened, NotHappened, Operation, Undone, Unknown
from langchain_agentrein.policy import ApprovalRule, Budget
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.report import RollbackPlan, RollbackReport
from langchain_agentrein.session import Session
from langchain_agentrein.timeline import Timeline
from langchain_agentrein.tool import ReversibleTool
from langchain_agentrein.toolkits.base import ReversibleToolkit

if TYPE_CHECKING:
    from langchain_agentrein.graphs.middleware import AgentReinMiddleware

__all__ = [
    "Action",
    "ActionDenied",
    "AgentRein",
    "AgentReinError",
    "AgentReinMiddleware",
    "ApprovalRequired",
    "ApprovalRule",
    "Budget",
    "CallConflict",
    "ChainBroken",
    "ConfigError",
    "Conflict",
    "Happened",
    "InDoubt",
    "IntentCallbackHandler",
    "JournalError",
    "JournalUnavailable",
    "JournalVersion",
    "LostRace",
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
    "Undone",
    "UndoEffect",
    "UndoError",
    "UnknownOperation",
    "Unknown",
    "WrongAccount",
    "reversible",
]


def __getattr__(name: str) -> Any:
    if name == "AgentReinMiddleware":  # it brings `langchain.agents` along, which a CLI does not need
        return importlib.import_module("langchain_agentrein.graphs.middleware").AgentReinMiddleware
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
