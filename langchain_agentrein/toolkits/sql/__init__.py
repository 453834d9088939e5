"""SQL databases: SQLite and PostgreSQL, through the user's SQLAlchemy engine."""

from langchain_agentrein.toolkits.sql.toolkit import SQLToolkit

TOOLKIT = SQLToolkit
"""Where an undo in a fresh process gets its client from."""

__all__ = ["TOOLKIT", "SQLToolkit"]
