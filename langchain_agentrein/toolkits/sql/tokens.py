"""SQL as tokens: finding the clauses of a statement, and its text between them, unchanged."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import Token, TokenType
from sqlglot.dialects.dialect import Dialect

_QUOTED = (TokenType.IDENTIFIER, TokenType.STRING, TokenType.HEREDOC_STRING, TokenType.BYTE_STRING)


def tokens_of(sql: str, dialect: str) -> list[Token]:
    """The tokens of one statement, without semicolons at its end.

    Raises:
        sqlglot.errors.SqlglotError: A string or a comment does not end.
    """
    tokens = list(Dialect.get_or_raise(dialect).tokenize(sql))
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    return tokens


def place_of(tokens: Sequence[Token], word: str, start: int = 0) -> int:
    """The place of a keyword outside parentheses; the end, if it is not there."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if place >= start and depth == 0 and token.text.upper() == word and token.token_type not in _QUOTED:
            return place
    return len(tokens)


def from_clause(tokens: Sequence[Token], start: int) -> int:
    """The place of the clause FROM, which is not the one of IS DISTINCT FROM."""
    place = place_of(tokens, "FROM", start)
    while place < len(tokens) and tokens[place - 1].text.upper() == "DISTINCT":
        place = place_of(tokens, "FROM", place + 1)
    return place


def between(sql: str, tokens: Sequence[Token], start: int, end: int) -> str:
    """The text from the token at `start` to the one before `end`."""
    return sql[tokens[start].start : tokens[end - 1].end + 1] if start < end else ""
