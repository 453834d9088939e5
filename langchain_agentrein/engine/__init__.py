"""Forward and back, written once as generators that `flow` drives, sync or async."""

from langchain_agentrein.engine.approvals import decide, propose
from langchain_agentrein.engine.calls import open_session
from langchain_agentrein.engine.compensate import AWAITING_APPROVAL, compensate
from langchain_agentrein.engine.core import (
    Call,
    Core,
    Decision,
    OnConflict,
    OnStuck,
    Performed,
    Reported,
    Verdict,
)
from langchain_agentrein.engine.effect import told
from langchain_agentrein.engine.freezing import close, drain, expire, freeze
from langchain_agentrein.engine.gate import Considered, consider, recall
from langchain_agentrein.engine.holding import drop, due_at, held_message, let_fall
from langchain_agentrein.engine.lease import Keeper
from langchain_agentrein.engine.perform import perform
from langchain_agentrein.engine.plan import plan
from langchain_agentrein.engine.reconcile import approve_undo, leave_undone, reconcile, settle, settle_by_hand
from langchain_agentrein.engine.recover import finish_walks, may_retry, recover
from langchain_agentrein.engine.releasing import complete, release
from langchain_agentrein.engine.scope import Progress, Scope
from langchain_agentrein.engine.undoing import unsure
from langchain_agentrein.engine.walk import next_back, report, rollback, stack, step_back

__all__ = [
    "AWAITING_APPROVAL",
    "Call",
    "Considered",
    "Core",
    "Decision",
    "Keeper",
    "OnConflict",
    "OnStuck",
    "Performed",
    "Progress",
    "Reported",
    "Scope",
    "Verdict",
    "approve_undo",
    "close",
    "compensate",
    "complete",
    "consider",
    "decide",
    "drain",
    "drop",
    "due_at",
    "expire",
    "finish_walks",
    "freeze",
    "held_message",
    "leave_undone",
    "let_fall",
    "may_retry",
    "next_back",
    "open_session",
    "perform",
    "plan",
    "propose",
    "recall",
    "reconcile",
    "recover",
    "release",
    "report",
    "rollback",
    "settle",
    "settle_by_hand",
    "stack",
    "step_back",
    "told",
    "unsure",
]
