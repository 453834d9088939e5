"""Is a statement provably a read?"""

from __future__ import annotations

import re

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.errors import SqlglotError

from langchain_agentrein.toolkits.sql.functions import suspicious
from langchain_agentrein.toolkits.sql.statement import refuse
from langchain_agentrein.toolkits.sql.tokens import tokens_of

_PRAGMA = re.compile(
    r"(?is)pragma\s+(?:(?:table_info|table_xinfo|index_list|index_info|index_xinfo|foreign_key_list|foreign_key_check"
    r"|table_list)\s*(?:\(\s*(?:\w+|\"[^\"]+\"|'[^']+')\s*\))?"
    r"|database_list|collation_list|compile_options|foreign_keys|user_version|encoding|page_count|integrity_check)"
)
"""PRAGMAs that only tell, in the forms in which they only tell."""

_WRITES = (
    exp.Insert,
    exp.Update,
    exp.Delete,
    exp.Merge,
    exp.Create,
    exp.Command,
    exp.Into,
    exp.Lock,
    exp.Set,
)


def check(sql: str, dialect: str) -> str:
    """The one statement, trimmed, if it can only read.

    Raises:
        NotDone: It might write.
    """
    try:
        tokens = tokens_of(sql, dialect)
    except SqlglotError as error:
        refuse(f"the statement cannot be read: {str(error).splitlines()[0]}")
    if not tokens:
        refuse("the statement is empty")
    if any(token.token_type is TokenType.SEMICOLON for token in tokens):
        refuse("it is several statements", "send them one by one")
    text = sql[tokens[0].start : tokens[-1].end + 1]
    first = tokens[0].text.lower()
    if first == "pragma" and dialect == "sqlite":
        if not _PRAGMA.fullmatch(text):
            refuse("this PRAGMA may change something", "use sql_schema to look at tables")
        return text
    if first not in ("select", "with", "values", "table", "("):
        refuse(f"{first.upper()} is not a read", "use sql_execute to write, sql_schema to look at tables")
    try:
        trees = [tree for tree in sqlglot.parse(text, dialect=dialect) if tree is not None]
    except SqlglotError as error:
        refuse(f"the statement cannot be read: {str(error).splitlines()[0]}", "write it as a plain SELECT")
    if len(trees) != 1 or not isinstance(trees[0], exp.Query | exp.Values):
        refuse("it is not one SELECT", "use sql_execute to write")
    for node in trees[0].find_all(*_WRITES):
        what = {"into": "SELECT ... INTO writes", "lock": "it locks rows"}.get(
            node.key, f"it holds {node.key.upper()}"
        )
        refuse(what, "use sql_execute to write" if node.key != "lock" else "leave FOR UPDATE out")
    if function := suspicious(tokens, dialect):
        refuse(f"{function}(...) is not known to be harmless, so this is not provably a read")
    return text
