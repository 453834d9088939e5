"""LangGraph: the middleware, the gate, the compensation subgraph, and agents built with them."""

from langchain_agentrein.graphs.agent import add_compensation, create_reversible_agent
from langchain_agentrein.graphs.compensation import build_compensation_graph
from langchain_agentrein.graphs.gate import build_gate
from langchain_agentrein.graphs.middleware import AgentReinMiddleware

__all__ = [
    "AgentReinMiddleware",
    "add_compensation",
    "build_compensation_graph",
    "build_gate",
    "create_reversible_agent",
]
