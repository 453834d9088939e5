"""SQL as tokens: finding the clauses of a statement, and its text between them, unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sqlglot import Token, TokenType
from sqlglot.dialects import SQLite
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import TokenError


class _SQLite(SQLite):  # type: ignore[misc]
    """SQLite's own, but for REPLACE, which stands for INSERT OR REPLACE and is read like it."""

    class Tokenizer(SQLite.Tokenizer):  # type: ignore[misc]
        COMMANDS = SQLite.Tokenizer.COMMANDS - {TokenType.REPLACE}


_LONE_RETURN = re.compile(r"\r(?!\n)")
_QUOTED = (TokenType.IDENTIFIER, TokenType.STRING, TokenType.HEREDOC_STRING, TokenType.BYTE_STRING)


def tokens_of(sql: str, dialect: str) -> list[Token]:
    """The tokens of one statement, without semicolons at its end.

    Raises:
        sqlglot.errors.SqlglotError: A string or a comment does not end, or the database would read another one.
    """
    if "\0" in sql:
        raise TokenError("it holds a NUL character, where a driver may cut it")
    tokens = list(Dialect.get_or_raise(_SQLite if dialect == "sqlite" else dialect).tokenize(sql))
    if dialect == "sqlite" and any(map(_ends_differently, _gaps(sql, tokens))):
        raise TokenError("a comment ends with a carriage return alone, over which SQLite reads on")
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    return tokens


def _gaps(sql: str, tokens: Sequence[Token]) -> Iterator[str]:
    """What stands before, between and after the tokens: space and comments."""
    done = 0
    for token in tokens:
        yield sql[done : token.start]
        done = token.end + 1
    yield sql[done:]


def _ends_differently(gap: str) -> bool:
    """Whether a line ends here for the tokenizer, and not for SQLite, which reads on to the newline."""
    return "--" in gap and _LONE_RETURN.search(gap) is not None


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


def conflict_clause(tokens: Sequence[Token], start: int) -> int:
    """The place of ON CONFLICT, which is not the ON of a join; the end, if it is not there."""
    place = place_of(tokens, "ON", start)
    while place < len(tokens) - 1 and tokens[place + 1].text.upper() != "CONFLICT":
        place = place_of(tokens, "ON", place + 1)
    return place


def between(sql: str, tokens: Sequence[Token], start: int, end: int) -> str:
    """The text from the token at `start` to the one before `end`."""
    return sql[tokens[start].start : tokens[end - 1].end + 1] if start < end else ""


def words_of(tokens: Sequence[Token]) -> str:
    """The words of a short statement, in lower case."""
    return " ".join(token.text.lower() for token in tokens)


def calls_of(tokens: Sequence[Token], functions: frozenset[str]) -> list[str]:
    """The first argument, if it is a string, of each call of these functions."""
    return [
        tokens[place + 2].text if tokens[place + 2].token_type is TokenType.STRING else ""
        for place, token in enumerate(tokens[:-2])
        if token.text.lower() in functions and tokens[place + 1].token_type is TokenType.L_PAREN
    ]


def unfiltered(tokens: Sequence[Token]) -> bool:
    """Whether an UPDATE or DELETE, anywhere, goes over a whole table; a MERGE does BY SOURCE."""
    for place, token in enumerate(tokens):
        if token.token_type in _QUOTED:
            continue
        word, before = token.text.upper(), tokens[place - 1].text.upper() if place else ""
        if word == "SOURCE" and before == "BY":
            return True
        if (
            word in ("UPDATE", "DELETE")
            and before not in ("DO", "THEN", "FOR", "KEY")
            and _open(tokens, place)
        ):
            return True
    return False


def _open(tokens: Sequence[Token], start: int) -> bool:
    """Whether no WHERE follows at the level of the token at `start`."""
    depth = 0
    for token in tokens[start:]:
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if depth < 0:
            return True
        if depth == 0 and token.text.upper() == "WHERE" and token.token_type not in _QUOTED:
            return False
    return True
