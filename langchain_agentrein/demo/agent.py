"""The demo's agent: an ordinary `create_agent`, plus one middleware."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from langchain.agents import create_agent
from langchain.chat_models import init_chat_model
from langchain_core.language_models.chat_models import BaseChatModel
from langgraph.checkpoint.memory import InMemorySaver
from sqlalchemy import Engine, create_engine, event

from langchain_agentrein.demo.billing import BillingToolkit
from langchain_agentrein.demo.script import ScriptedModel
from langchain_agentrein.demo.shop import Shop
from langchain_agentrein.rein import AgentRein
from langchain_agentrein.toolkits import FilesToolkit, SQLToolkit

THREAD = "july-clean-up"
PROMPT = (
    "You keep a small shop's data tidy. Look before you change anything, follow RULES.md to "
    "the letter, and say why before each step. The working folder holds the files; the database is SQLite."
)


@dataclass(frozen=True, slots=True)
class Desk:
    """An agent at work on a shop.

    Attributes:
        engine: The agent's own way to the database.
    """

    rein: AgentRein
    agent: Any
    engine: Engine


def open_desk(shop: Shop, model: str | None = None) -> Desk:
    """Seat an agent.

    Args:
        model: `provider:name` for `init_chat_model`; `None`: the scripted one.
    """
    engine = open_database(shop)
    rein = AgentRein(shop.journal_url)
    chat: BaseChatModel = ScriptedModel() if model is None else init_chat_model(model)
    agent = create_agent(
        chat,
        [
            *SQLToolkit(engine).get_tools(),
            *FilesToolkit(shop.files).get_tools(),
            *BillingToolkit(shop).get_tools(),
        ],
        system_prompt=PROMPT,
        middleware=[rein.middleware()],
        checkpointer=InMemorySaver(),
    )
    return Desk(rein, agent, engine)


def open_database(shop: Shop) -> Engine:
    """The shop's database, with its foreign keys enforced."""
    engine = create_engine(shop.database_url)

    @event.listens_for(engine, "connect")
    def enforce(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA foreign_keys = ON")

    return engine
