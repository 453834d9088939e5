"""The user's SQL, with `:name` parameters, as SQLAlchemy runs it unchanged on every driver."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import TextClause, text
from sqlglot.dialects.dialect import Dialect
from sqlglot import Token, TokenType

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.sql.model import literal


def tokens_of(sql: str, dialect: str) -> list[Token]:
    """The tokens of one statement, without semicolons at its end.

    Raises:
        sqlglot.errors.SqlglotError: A string or a comment does not end.
    """
    tokens = list(Dialect.get_or_raise(dialect).tokenize(sql))
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    return tokens


def bind(sql: str, parameters: Mapping[str, Json] | None, dialect: str) -> TextClause:
    """`sql` with its parameters; colons in strings, casts and slices stay what they are."""
    names = parameters or {}
    parts, done, used = [], 0, {}
    tokens = tokens_of(sql, dialect)
    for colon, name in _pairs(tokens):
        if name.text in names:
            parts += [literal(sql[done : colon.start]), f":{name.text}"]
            done, used[name.text] = name.end + 1, _plain(names[name.text])
    parts.append(literal(sql[done:]))
    return text("".join(parts)).bindparams(**used)


def _pairs(tokens: Sequence[Token]) -> list[tuple[Token, Token]]:
    """Every colon with the name that touches it."""
    return [
        (colon, name)
        for colon, name in zip(tokens, tokens[1:], strict=False)
        if colon.token_type is TokenType.COLON and name.start == colon.end + 1 and name.text.isidentifier()
    ]


def _plain(value: Json) -> Any:
    return json.dumps(value) if isinstance(value, dict) else value
