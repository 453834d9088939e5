"""SQL databases: SQLite and PostgreSQL, through the user's SQLAlchemy engine."""

from langchain_agentrein.toolkits.sql.toolkit import SQLToolkit

__all__ = ["SQLToolkit"]
