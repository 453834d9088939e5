"""The user's SQL, with `:name` parameters, as SQLAlchemy runs it unchanged on every driver."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.types import NullType
from sqlglot import Token, TokenType

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.sql.model import literal
from langchain_agentrein.toolkits.sql.tokens import tokens_of


def bind(sql: str, parameters: Mapping[str, Json] | None, dialect: str) -> TextClause:
    """`sql` with its parameters; colons in strings, casts and slices stay what they are."""
    names = parameters or {}
    parts, done, used = [], 0, {}
    tokens = tokens_of(sql, dialect)
    for colon, name in _pairs(tokens):
        if name.text in names:
            parts += [literal(sql[done : colon.start]), f" :{name.text}"]
            done, used[name.text] = name.end + 1, _plain(names[name.text])
    parts.append(literal(sql[done:]))
    # Without a type of ours the database itself decides what a parameter is, as it does for a literal.
    typed = [bindparam(name, value, type_=NullType()) for name, value in used.items()]
    return text("".join(parts)).bindparams(*typed)


def _pairs(tokens: Sequence[Token]) -> list[tuple[Token, Token]]:
    """Every colon with the name that touches it."""
    return [
        (colon, name)
        for colon, name in pairwise(tokens)
        if colon.token_type is TokenType.COLON and name.start == colon.end + 1 and name.text.isidentifier()
    ]


def _plain(value: Json) -> Any:
    return json.dumps(value) if isinstance(value, dict) else value
