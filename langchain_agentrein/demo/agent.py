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
from langchain_agentrein.demo.shop import Shop
from langchain_agentrein.errors import ConfigError
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


def open_desk(
    shop: Shop, chat: BaseChatModel, *, journal_url: str | None = None, served: bool = False
) -> Desk:
    """Seat an agent.

    Args:
        journal_url: Another journal than the shop's own.
        served: LangGraph's server runs it, and brings the checkpointer.
    """
    engine = open_database(shop)
    rein = AgentRein(journal_url or shop.journal_url)
    agent = create_agent(
        chat,
        rein.tools(SQLToolkit(engine), FilesToolkit(shop.files), BillingToolkit(shop)),
        system_prompt=PROMPT,
        middleware=[rein.middleware()],
        checkpointer=None if served else InMemorySaver(),
    )
    return Desk(rein, agent, engine)


def real_model(name: str) -> BaseChatModel:
    """A model by `provider:name`.

    Raises:
        ConfigError: Its package, its key or the name itself is missing.
    """
    try:
        chat: BaseChatModel = init_chat_model(name)
    except Exception as error:  # whatever the provider's package raises
        raise ConfigError(f"--model {name}: {type(error).__name__}: {error}") from error
    return chat


def open_database(shop: Shop) -> Engine:
    """The shop's database, with its foreign keys enforced."""
    engine = create_engine(shop.database_url)

    @event.listens_for(engine, "connect")
    def enforce(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA foreign_keys = ON")

    return engine
