"""Handlers that watch; the executor journals."""

from langchain_agentrein.callbacks.intent import IntentCallbackHandler

__all__ = ["IntentCallbackHandler"]
