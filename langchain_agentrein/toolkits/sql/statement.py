"""Reading what changes rows: one statement, or several that are one transaction.

Nothing here decides *which rows* change: the database tells, once the statement ran. A plain UPDATE or
DELETE is also read far enough to find its rows beforehand (`Write`), which is faster and lets them be
counted before anyone decides; where that reading does not come to an end, there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn, TypeAlias

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import SqlglotError

from langchain_agentrein.errors import NotDone
from langchain_agentrein.toolkits.sql.functions import SEQUENCES, suspicious
from langchain_agentrein.toolkits.sql.tokens import (
    between,
    calls_of,
    conflict_clause,
    from_clause,
    place_of,
    tokens_of,
    unfiltered,
    words_of,
)

Kind: TypeAlias = Literal["insert", "update", "delete"]

VERBS = ("insert", "update", "delete", "merge", "replace")
INSTEAD = {
    "select": "use sql_query to read",
    "values": "use sql_query to read",
    "table": "use sql_query to read",
    "begin": "every call is a transaction of its own",
    "start": "every call is a transaction of its own",
    "commit": "every call is a transaction of its own",
    "end": "every call is a transaction of its own",
    "rollback": "every call is a transaction of its own",
    "copy": "use INSERT",
    "grant": "rights are a person's to give",
    "revoke": "rights are a person's to take",
}


@dataclass(frozen=True, slots=True)
class Name:
    """A name as it was written: an unquoted one is found without regard to case."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """A plain statement on one table, read far enough to find its rows before it runs."""

    kind: Kind
    table: Name
    schema: Name | None
    alias: Name
    """The name by which the statement itself calls the table."""
    columns: tuple[Name, ...] = ()
    """UPDATE: those that it sets."""
    rows: int = 0
    """INSERT: how many rows it has, where it says so."""
    select: str = ""
    """INSERT: the query that makes its rows."""
    upsert: bool = False
    """INSERT: rows that are there already may be updated."""
    source: str = ""
    """UPDATE, DELETE: the text `FROM ... WHERE ...` that finds its rows."""
    prefix: str = ""
    """The text before it: `WITH ...`."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement that changes rows."""

    sql: str
    """Without what follows its end."""
    verb: str
    """`insert`, `update`, `delete`, `merge`, `replace`, or `select` for a query whose CTEs write."""
    write: Write | None
    """`None`: only the database can tell which rows it changes."""
    words: frozenset[str]
    """Every name and word in it, in lower case: the tables that it mentions are among them."""
    filtered: bool
    """No UPDATE or DELETE in it lacks a WHERE."""
    sequences: tuple[str, ...]
    """The sequences that it advances by name."""
    returning: bool
    """It ends in RETURNING."""


def refuse(why: str, instead: str = "") -> NoReturn:
    """Say that nothing was done, why, and what to do instead.

    Raises:
        NotDone: Always.
    """
    raise NotDone(f"refused, nothing changed: {why}" + (f"; {instead}" if instead else ""))


def parse(sql: str, dialect: str) -> tuple[Statement, ...]:
    """The statements, in order.

    Raises:
        NotDone: One of them does something else than change rows, or cannot be read.
    """
    try:
        tokens = tokens_of(sql, dialect)
    except SqlglotError as error:
        refuse(f"the statement cannot be read: {short(error)}")
    parts = _unwrapped(_split(tokens))
    if not parts:
        refuse("the statement is empty")
    return tuple(_statement(sql, part, dialect) for part in parts)


def _split(tokens: Sequence[Token]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.token_type is TokenType.SEMICOLON:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def _unwrapped(parts: list[list[Token]]) -> list[list[Token]]:
    """Without a BEGIN and a COMMIT around all of it, which is what happens anyway."""
    ends = {"begin", "start transaction", "begin transaction", "begin immediate"}, {"commit", "end"}
    if len(parts) > 2 and words_of(parts[0]) in ends[0] and words_of(parts[-1]) in ends[1]:
        return parts[1:-1]
    return parts


def _statement(sql: str, tokens: list[Token], dialect: str) -> Statement:
    verb = _verb(tokens)
    if function := suspicious(tokens, dialect, SEQUENCES):
        refuse(
            f"{function}(...) is not known to be harmless",
            "compute the value first, and pass it as a parameter",
        )
    text = between(sql, tokens, 0, len(tokens))
    tree = _tree(text, dialect)
    return Statement(
        sql=text,
        verb=verb,
        write=None if tree is None else _write(tree, text, tokens_of(text, dialect)),
        words=frozenset(token.text.lower() for token in tokens),
        filtered=not unfiltered(tokens),
        sequences=tuple(name for name in calls_of(tokens, SEQUENCES) if name),
        returning=place_of(tokens, "RETURNING") < len(tokens),
    )


def _verb(tokens: Sequence[Token]) -> str:
    first = tokens[0].text.lower()
    if first == "with":
        own = [token.text.lower() for place, token in enumerate(tokens) if _at_top(tokens, place)]
        verb = next((word for word in own if word in (*VERBS, "select")), "select")
        inner = {token.text.lower() for token in tokens} & {"insert", "update", "delete", "merge"}
        if verb != "select" or inner:
            return verb
        first = "select"
    if first not in VERBS:
        refuse(
            f"{first.upper()} is not reversible here",
            INSTEAD.get(first, "use INSERT, UPDATE, DELETE or MERGE"),
        )
    return first


def _at_top(tokens: Sequence[Token], place: int) -> bool:
    depth = sum(
        (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        for token in tokens[:place]
    )
    return depth == 0


def _tree(sql: str, dialect: str) -> exp.Expr | None:
    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect=dialect) if tree is not None]
    except SqlglotError:
        return None
    return trees[0] if len(trees) == 1 and not isinstance(trees[0], exp.Command) else None


class _Unread(Exception):
    """The statement is not plain."""


def _write(tree: exp.Expr, sql: str, tokens: Sequence[Token]) -> Write | None:
    if any(node is not tree for node in tree.find_all(exp.Insert, exp.Update, exp.Delete, exp.Merge)):
        return None
    try:
        if isinstance(tree, exp.Insert):
            return _insert(tree, sql, tokens)
        if isinstance(tree, exp.Update):
            return _update(tree, sql, tokens)
        if isinstance(tree, exp.Delete):
            return _delete(tree, sql, tokens)
    except _Unread:
        pass
    return None


def _only(tree: exp.Expr, known: frozenset[str]) -> None:
    """A clause that nobody here has thought about makes a statement one that is not plain."""
    for clause, value in tree.args.items():
        if clause not in known and value is not None and value is not False and value != []:
            raise _Unread(clause)


def _insert(tree: exp.Insert, sql: str, tokens: Sequence[Token]) -> Write:
    _only(tree, frozenset({"this", "expression", "with_", "default", "returning", "conflict"}))
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    rows, select = 0, ""
    if isinstance(tree.expression, exp.Values):
        rows = len(tree.expression.expressions)
    elif tree.expression is None:
        rows = 1
    elif isinstance(tree.expression, exp.Query):
        insert = place_of(tokens, "INSERT")
        start = min(place_of(tokens, word, insert) for word in ("SELECT", "WITH", "VALUES", "TABLE"))
        end = min(place_of(tokens, "RETURNING", start), conflict_clause(tokens, start))
        select = f"{between(sql, tokens, 0, insert)}\n{between(sql, tokens, start, end)}"
    else:
        raise _Unread
    return _named("insert", target, rows=rows, select=select, upsert=tree.args.get("conflict") is not None)


def _update(tree: exp.Update, sql: str, tokens: Sequence[Token]) -> Write:
    _only(tree, frozenset({"this", "expressions", "from_", "where", "with_", "returning"}))
    columns: list[Name] = []
    for assignment in tree.expressions:
        if not isinstance(assignment, exp.EQ):
            raise _Unread
        # `SET a[1] = ...` and `SET a.field = ...` set a: every name left of the sign counts.
        columns += [_name(identifier) for identifier in assignment.this.find_all(exp.Identifier)]
    end = place_of(tokens, "RETURNING")
    place = place_of(tokens, "SET")
    tail = from_clause(tokens, place) if tree.args.get("from_") else place_of(tokens, "WHERE", place)
    start = place_of(tokens, "UPDATE")
    target = between(sql, tokens, start + 1, place)
    more = between(sql, tokens, tail + 1, end) if tree.args.get("from_") else ""
    where = "" if more else between(sql, tokens, tail, end)
    return _named(
        "update",
        tree.this,
        columns=tuple(columns),
        source=f"FROM {target}" + (f"\n, {more}" if more else f"\n{where}"),
        prefix=between(sql, tokens, 0, start),
    )


def _delete(tree: exp.Delete, sql: str, tokens: Sequence[Token]) -> Write:
    _only(tree, frozenset({"this", "using", "where", "with_", "cluster", "returning"}))
    start, end = place_of(tokens, "DELETE"), place_of(tokens, "RETURNING")
    where = min(place_of(tokens, "WHERE", start), end)
    using = place_of(tokens, "USING", start) if tree.args.get("using") else where
    target = between(sql, tokens, start + 2, using)
    more = between(sql, tokens, using + 1, where)
    return _named(
        "delete",
        tree.this,
        source=f"FROM {target}" + (f"\n, {more}" if more else "") + "\n" + between(sql, tokens, where, end),
        prefix=between(sql, tokens, 0, start),
    )


def _named(kind: Kind, target: exp.Expr, **more: object) -> Write:
    if not isinstance(target, exp.Table) or not isinstance(target.this, exp.Identifier):
        raise _Unread
    if target.args.get("catalog"):
        raise _Unread
    table, schema, alias = _name(target.this), target.args.get("db"), target.args.get("alias")
    return Write(
        kind=kind,
        table=table,
        schema=_name(schema) if schema is not None else None,
        alias=_name(alias.this) if alias is not None else table,
        **more,  # type: ignore[arg-type]
    )


def _name(node: exp.Expr) -> Name:
    if not isinstance(node, exp.Identifier):
        raise _Unread
    return Name(node.name, bool(node.args.get("quoted")))


def short(error: Exception) -> str:
    """What a parser says, in one line."""
    details = getattr(error, "errors", None)
    if details:
        return f"{details[0].get('description')} at line {details[0].get('line')}"
    return str(error).splitlines()[0]


def names_in(*trees: exp.Expr) -> frozenset[str]:
    """The names of the tables that statements mention, in lower case."""
    ctes = {cte.alias.lower() for tree in trees for cte in tree.find_all(exp.CTE)}
    names = {table.name.lower() for tree in trees for table in tree.find_all(exp.Table) if table.name}
    own = {tree.this.name.lower() for tree in trees if isinstance(getattr(tree, "this", None), exp.Table)}
    return frozenset((names - ctes) | own)


def tables_in(sql: str) -> frozenset[str]:
    """The names of the tables in statements of unknown dialect; empty if nothing can read them."""
    for dialect in ("postgres", "sqlite"):
        try:
            tokens_of(sql, dialect)
            trees = [tree for tree in sqlglot.parse(sql, dialect=dialect) if tree is not None]
        except SqlglotError:
            continue
        if not any(isinstance(tree, exp.Command) for tree in trees):
            return names_in(*trees)
    return frozenset()
