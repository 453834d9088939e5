"""Reversible, gated and explained actions for LangChain and LangGraph agents."""
