"""SQL as LangChain tools."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any, ClassVar, Self

from sqlalchemy import URL, Engine, create_engine, make_url

from langchain_agentrein.errors import ConfigError
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.base import Toolkit
from langchain_agentrein.toolkits.sql.database import database_of
from langchain_agentrein.toolkits.sql.execute import SqlExecute
from langchain_agentrein.toolkits.sql.query import LIMIT, LIMIT_OPTION, SqlQuery
from langchain_agentrein.toolkits.sql.schema import SqlSchema

ENVIRONMENT = "DATABASE_URL"


class SQLToolkit(Toolkit):
    """Reading and reversible writing on a SQLite or PostgreSQL database.

        SQLToolkit("sqlite:///shop.db").get_tools()

    Args:
        engine_or_url: A SQLAlchemy `Engine` with a sync driver, or a URL to make one from.
        limit: How many rows `sql_query` returns where the model names no limit.
        options: `include`, `exclude`, `read_only`: see `Toolkit`.
    """

    connector: ClassVar[str] = "sql"
    operations: ClassVar[tuple[type[Operation], ...]] = (SqlQuery, SqlSchema, SqlExecute)

    def __init__(self, engine_or_url: Engine | URL | str, *, limit: int = LIMIT, **options: Any) -> None:
        engine = engine_or_url
        if isinstance(engine, str | URL):
            engine = _engine(engine)
        database_of(engine)
        super().__init__(client=engine.execution_options(**{LIMIT_OPTION: limit}), **options)

    @classmethod
    def from_env(cls) -> Self:
        """The toolkit for the database that `DATABASE_URL` names.

        Raises:
            ConfigError: It is not set.
        """
        url = os.environ.get(ENVIRONMENT)
        if not url:
            raise ConfigError(f"set {ENVIRONMENT} to a database URL, or pass one to {cls.__name__}(...)")
        return cls(url)


def _engine(url: URL | str) -> Engine:
    if isinstance(url, str) and url.startswith("postgres://"):  # as hosting platforms spell it
        url = "postgresql://" + url.removeprefix("postgres://")
    url = make_url(url)
    if url.drivername == "postgresql" and find_spec("psycopg") is not None:
        url = url.set(drivername="postgresql+psycopg")
    return create_engine(url)
