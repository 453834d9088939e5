"""Reading one INSERT, UPDATE or DELETE, or refusing it before anything changes.

What is read here is only ever used to find out *which rows* the statement touches; what runs is the
user's own text. Whatever the reading gets wrong shows when the rows that it found are compared with
those that the database changed.
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
from langchain_agentrein.toolkits.sql.tokens import between, from_clause, place_of, tokens_of

Kind: TypeAlias = Literal["insert", "update", "delete"]

INSTEAD = {
    "merge": "write it as UPDATE and INSERT statements, one call each",
    "replace": "look the row up first, then INSERT or UPDATE it",
    "truncate": "use DELETE",
    "create": "changes of the schema cannot be undone here",
    "alter": "changes of the schema cannot be undone here",
    "drop": "changes of the schema cannot be undone here",
    "select": "use sql_query to read",
    "values": "use sql_query to read",
    "begin": "every call is a transaction of its own",
    "commit": "every call is a transaction of its own",
    "rollback": "every call is a transaction of its own",
}


@dataclass(frozen=True, slots=True)
class Name:
    """A name as it was written: an unquoted one is found without regard to case."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """One statement that changes rows of one table."""

    kind: Kind
    sql: str
    """The statement, without what follows its end."""
    table: Name
    schema: Name | None
    alias: Name
    """The name by which the statement itself calls the table."""
    columns: tuple[Name, ...] = ()
    """UPDATE: those that it sets. INSERT: those that it names; empty: all, in order."""
    rows: int = 0
    """INSERT: how many rows it has; 0 where all are defaults."""
    values: int = 0
    """INSERT: how many values the first row has."""
    defaults: tuple[int, ...] = ()
    """INSERT: the places where a row says DEFAULT."""
    sequences: tuple[str, ...] = ()
    """The sequences that it advances by name."""
    filtered: bool = False
    """It has a WHERE."""
    source: str = ""
    """UPDATE, DELETE: the text `FROM ... WHERE ...` that finds its rows."""
    prefix: str = ""
    """The text before it: `WITH ...`."""


def refuse(why: str, instead: str = "") -> NoReturn:
    """Say that nothing was done, why, and what to do instead.

    Raises:
        NotDone: Always.
    """
    raise NotDone(f"refused, nothing changed: {why}" + (f"; {instead}" if instead else ""))


def parse(sql: str, dialect: str) -> Write:
    """The statement as a `Write`.

    Raises:
        NotDone: It is not one that can be captured exactly.
    """
    try:
        tokens = tokens_of(sql, dialect)
    except SqlglotError as error:
        refuse(f"the statement cannot be read: {_short(error)}")
    if not tokens:
        refuse("the statement is empty")
    first = tokens[0].text.lower()
    if first not in ("insert", "update", "delete", "with"):
        refuse(
            f"{first.upper()} is not reversible here",
            INSTEAD.get(first, "use one INSERT ... VALUES, UPDATE or DELETE"),
        )
    if any(token.token_type is TokenType.SEMICOLON for token in tokens):
        refuse("it is several statements", "send them one by one")
    tree = _tree(sql[tokens[0].start : tokens[-1].end + 1], dialect)
    if function := suspicious(tokens, dialect, SEQUENCES):
        refuse(
            f"{function}(...) is not known to be harmless",
            "compute the value first, and pass it as a parameter",
        )
    if isinstance(tree, exp.Insert):
        write = _insert(tree, sql, tokens)
    elif isinstance(tree, exp.Update):
        write = _update(tree, sql, tokens)
    elif isinstance(tree, exp.Delete):
        write = _delete(tree, sql, tokens)
    else:
        refuse("it is not one INSERT, UPDATE or DELETE", INSTEAD.get(tree.key, "use sql_query to read"))
    return write


def _tree(sql: str, dialect: str) -> exp.Expr:
    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect=dialect) if tree is not None]
    except SqlglotError as error:
        refuse(
            f"the statement cannot be read: {_short(error)}",
            "write it as a plain INSERT ... VALUES, UPDATE or DELETE",
        )
    if len(trees) != 1:
        refuse("it is several statements", "send them one by one")
    tree = trees[0]
    writes = [node for node in tree.find_all(exp.DML, exp.DDL, exp.Command) if isinstance(node, _WRITES)]
    if any(node is not tree for node in writes):
        refuse("it writes in a CTE or a subquery", "send one statement for each table")
    return tree


_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Command)


def _only(tree: exp.Expr, known: frozenset[str]) -> None:
    """Refuse a clause that nobody here has thought about."""
    for clause, value in tree.args.items():
        if clause in known or value is None or value is False or value == []:
            continue
        if clause == "returning":
            refuse(
                "it has RETURNING",
                "leave it out: the receipt names the keys, then read the rows with sql_query",
            )
        if clause in ("conflict", "alternative", "ignore"):
            refuse("it is an upsert", "look the row up first, then INSERT or UPDATE it")
        refuse(f"its clause {clause.strip('_').upper()} is not supported")


def _insert(tree: exp.Insert, sql: str, tokens: Sequence[Token]) -> Write:
    _only(tree, frozenset({"this", "expression", "with_", "default"}))
    target = tree.this
    columns: tuple[Name, ...] = ()
    if isinstance(target, exp.Schema):
        columns = tuple(_name(column) for column in target.expressions)
        target = target.this
    rows: list[exp.Expr] = []
    if isinstance(tree.expression, exp.Values):
        rows = tree.expression.expressions
    elif not tree.args.get("default"):
        refuse("it is an INSERT ... SELECT", "read the rows with sql_query, then INSERT them as VALUES")
    defaults = {
        place
        for row in rows
        for place, value in enumerate(_items(row))
        if isinstance(value, exp.Var | exp.Column) and value.name.upper() == "DEFAULT"
    }
    return _write(
        "insert",
        target,
        sql,
        tokens,
        columns=columns,
        rows=len(rows),
        values=len(_items(rows[0])) if rows else 0,
        defaults=tuple(sorted(defaults)),
    )


def _update(tree: exp.Update, sql: str, tokens: Sequence[Token]) -> Write:
    _only(tree, frozenset({"this", "expressions", "from_", "where", "with_"}))
    columns: list[Name] = []
    if not tree.expressions:
        refuse("its SET cannot be read", "write it as SET column = value, ...")
    for assignment in tree.expressions:
        if not isinstance(assignment, exp.EQ):
            refuse("its SET cannot be read", "write it as SET column = value, ...")
        # `SET a[1] = ...` and `SET a.field = ...` set a: every name left of the sign counts.
        columns += [_name(identifier) for identifier in assignment.this.find_all(exp.Identifier)]
    place = place_of(tokens, "SET")
    tail = from_clause(tokens, place) if tree.args.get("from_") else place_of(tokens, "WHERE", place)
    start = place_of(tokens, "UPDATE")
    target = between(sql, tokens, start + 1, place)
    more = between(sql, tokens, tail + 1, len(tokens)) if tree.args.get("from_") else ""
    where = "" if more else between(sql, tokens, tail, len(tokens))
    return _write(
        "update",
        tree.this,
        sql,
        tokens,
        columns=tuple(columns),
        filtered=tree.args.get("where") is not None,
        source=f"FROM {target}" + (f"\n, {more}" if more else f"\n{where}"),
        prefix=between(sql, tokens, 0, start),
    )


def _delete(tree: exp.Delete, sql: str, tokens: Sequence[Token]) -> Write:
    _only(tree, frozenset({"this", "using", "where", "with_", "cluster"}))
    start = place_of(tokens, "DELETE")
    where = place_of(tokens, "WHERE", start)
    using = place_of(tokens, "USING", start) if tree.args.get("using") else where
    target = between(sql, tokens, start + 2, using)
    more = between(sql, tokens, using + 1, where)
    return _write(
        "delete",
        tree.this,
        sql,
        tokens,
        filtered=tree.args.get("where") is not None,
        source=f"FROM {target}"
        + (f"\n, {more}" if more else "")
        + "\n"
        + between(sql, tokens, where, len(tokens)),
        prefix=between(sql, tokens, 0, start),
    )


def _write(kind: Kind, target: exp.Expr, sql: str, tokens: Sequence[Token], **more: object) -> Write:
    if (
        not isinstance(target, exp.Table)
        or not isinstance(target.this, exp.Identifier)
        or target.args.get("catalog")
    ):
        refuse("its table cannot be read", "name one table, as schema.table or table")
    table = _name(target.this)
    schema = target.args.get("db")
    alias = target.args.get("alias")
    return Write(
        kind=kind,
        sql=between(sql, tokens, 0, len(tokens)),
        table=table,
        schema=_name(schema) if schema is not None else None,
        alias=_name(alias.this) if alias is not None else table,
        sequences=tuple(
            tokens[place + 2].text
            for place, token in enumerate(tokens[:-2])
            if token.text.lower() in SEQUENCES
        ),
        **more,  # type: ignore[arg-type]
    )


def _name(node: exp.Expr) -> Name:
    if not isinstance(node, exp.Identifier):
        refuse("one of its names cannot be read", "write plain column names")
    return Name(node.name, bool(node.args.get("quoted")))


def _items(row: exp.Expr) -> list[exp.Expr]:
    return (
        row.expressions if isinstance(row, exp.Tuple) else [row.this if isinstance(row, exp.Paren) else row]
    )


def _short(error: Exception) -> str:
    details = getattr(error, "errors", None)
    if details:
        return f"{details[0].get('description')} at line {details[0].get('line')}"
    return str(error).splitlines()[0]


def tables_in(sql: str) -> frozenset[str]:
    """The names of the tables in a statement of unknown dialect; empty if nothing can read it."""
    for dialect in ("postgres", "sqlite"):
        try:
            tokens_of(sql, dialect)
            trees = sqlglot.parse(sql, dialect=dialect)
        except SqlglotError:
            continue
        found = [tree for tree in trees if tree is not None]
        if any(isinstance(tree, exp.Command) for tree in found):
            continue
        names = {cte.alias.lower() for tree in found for cte in tree.find_all(exp.CTE)}
        return frozenset(
            table.name.lower() for tree in found for table in tree.find_all(exp.Table) if table.name
        ) - frozenset(names)
    return frozenset()
