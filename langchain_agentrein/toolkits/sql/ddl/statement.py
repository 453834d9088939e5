"""Reading the first words of a statement that changes the schema: what it does, and to which object.

Only so much is read as must be known beforehand: which object to lock, and whose rows to copy. What
the statement did is found out by comparing the catalogue before and after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import Token, TokenType
from sqlglot.errors import SqlglotError

from langchain_agentrein.toolkits.sql.functions import SEQUENCES, suspicious
from langchain_agentrein.toolkits.sql.statement import Name, refuse
from langchain_agentrein.toolkits.sql.tokens import between, tokens_of

VERBS = ("CREATE", "ALTER", "DROP", "TRUNCATE")
KINDS = {
    "sqlite": ("TABLE", "INDEX", "VIEW"),
    "postgres": ("TABLE", "INDEX", "VIEW", "MATERIALIZED VIEW", "SEQUENCE"),
}
LONGEST = 63
"""Bytes of a name, beyond which Postgres cuts it off."""

_NAMES = (TokenType.VAR, TokenType.IDENTIFIER)
_QUOTED = (TokenType.IDENTIFIER, TokenType.STRING)
_ALSO = frozenset(
    {"add", "column", "constraint", "default", "exclude", "foreign key", "identity", "include", "key"}
    | {"primary key", "references", "table", "unique"}
)
"""Words of a definition before a parenthesis that call nothing."""
_REFUSED = {
    "CONCURRENTLY": ("CONCURRENTLY runs outside of a transaction", "leave it out"),
    "TEMP": ("temporary objects are gone with their connection", "create a plain one, and drop it"),
    "TEMPORARY": ("temporary objects are gone with their connection", "create a plain one, and drop it"),
    "PARTITION": ("partitions are not handled", "leave them to a migration, by a person"),
    "INHERITS": ("inherited tables are not handled", "leave them to a migration, by a person"),
    "INHERIT": ("inherited tables are not handled", "leave them to a migration, by a person"),
    "VIRTUAL": ("a virtual table keeps its data where nobody can copy them", "create a plain table"),
}
_PERSON = "leave it to a migration, by a person"


@dataclass(frozen=True, slots=True)
class Ddl:
    """One statement that changes the schema."""

    verb: str
    """`CREATE`, `ALTER`, `DROP` or `TRUNCATE`."""
    kind: str
    """`TABLE`, `INDEX`, `VIEW`, `MATERIALIZED VIEW` or `SEQUENCE`."""
    sql: str
    """The statement, without what follows its end."""
    name: Name | None
    """The object; `None`: an index whose name the database chooses."""
    schema: Name | None = None
    on: Name | None = None
    """CREATE INDEX: its table."""
    on_schema: Name | None = None
    optional: bool = False
    """It says IF EXISTS or IF NOT EXISTS."""
    sequences: tuple[str, ...] = ()
    """The sequences that it may advance, by name, for the rows that are there."""
    action: str = ""
    """ALTER: the first words of what it does: `ADD`, `DROP`, `DROP CONSTRAINT`, `RENAME`, `TYPE`, `ALTER`..."""

    @property
    def title(self) -> str:
        """What it is called in reports: `DROP TABLE`."""
        return f"{self.verb} {self.kind}"

    @property
    def loses(self) -> bool:
        """Whether it takes data away."""
        return (self.verb in ("DROP", "TRUNCATE") and self.kind == "TABLE") or self.action in ("DROP", "TYPE")


def is_ddl(sql: str, dialect: str) -> bool:
    """Whether the statement, by its first word, changes the schema, or empties a table whole."""
    try:
        tokens = tokens_of(sql, dialect)
    except SqlglotError:
        return False
    if not tokens or tokens[0].text.upper() not in VERBS:
        return False
    return dialect != "sqlite" or tokens[0].text.upper() != "TRUNCATE"


def parse(sql: str, dialect: str) -> Ddl:
    """The statement as a `Ddl`.

    Raises:
        NotDone: It is not one that can be undone exactly.
    """
    tokens = tokens_of(sql, dialect)
    if any(token.token_type is TokenType.SEMICOLON for token in tokens):
        refuse("it is several statements", "send them one by one")
    reader = _Reader(tokens, dialect)
    ddl = reader.read(between(sql, tokens, 0, len(tokens)))
    if function := suspicious(_calls(tokens), dialect, SEQUENCES | _ALSO):
        refuse(
            f"{function}(...) is not known to be harmless", "leave it out, or let a person run a migration"
        )
    return ddl


class _Reader:
    def __init__(self, tokens: Sequence[Token], dialect: str) -> None:
        self.tokens, self.dialect = tokens, dialect
        self.words = [token.text.upper() if token.token_type not in _QUOTED else "" for token in tokens]
        self.place = 0

    def read(self, sql: str) -> Ddl:
        verb = self._take(*VERBS)
        if verb == "CREATE":
            if self._skip("OR", "REPLACE"):
                refuse("OR REPLACE is not handled", "drop the old one first, in a call of its own")
            self._skip("UNIQUE")
            self._skip("UNLOGGED")
        self._refused_words()
        kind = self._kind(verb)
        match verb:
            case "CREATE":
                return self._create(sql, kind)
            case "ALTER":
                optional = self._skip("IF", "EXISTS")
                self._skip("ONLY")
                schema, name = self._name()
                for word in set(self._top()) & {"RESTART", "TRIGGER"}:
                    refuse(f"{word} is not handled", _PERSON)
                action, sequences = self._action(), self._sequences()
                return Ddl(
                    verb, kind, sql, name, schema, optional=optional, action=action, sequences=sequences
                )
        optional = self._skip("IF", "EXISTS")
        self._skip("ONLY")
        schema, name = self._name()
        if "," in self.words:
            refuse(f"it names several {kind.lower()}s", "send one call for each")
        if "RESTART" in self.words:
            refuse("RESTART IDENTITY is not handled", "leave it out: the sequences go on where they are")
        return Ddl(verb, kind, sql, name, schema, optional=optional)

    def _create(self, sql: str, kind: str) -> Ddl:
        optional = self._skip("IF", "NOT", "EXISTS")
        if kind == "INDEX":
            schema, name = (None, None) if self.words[self.place] == "ON" else self._name()
            if not self._skip("ON"):
                refuse("its table cannot be read", "write CREATE INDEX name ON table (...)")
            self._skip("ONLY")
            on_schema, on = self._name()
            return Ddl("CREATE", kind, sql, name, schema, on, on_schema, optional)
        schema, name = self._name()
        filled = kind in ("TABLE", "MATERIALIZED VIEW") and "AS" in self._top()
        sequences = self._sequences() if filled else ()
        return Ddl("CREATE", kind, sql, name, schema, optional=optional, sequences=sequences)

    def _sequences(self) -> tuple[str, ...]:
        calls = [place for place, word in enumerate(self.words[:-2]) if word.lower() in SEQUENCES]
        return tuple(sorted({self.tokens[place + 2].text for place in calls}))

    def _action(self) -> str:
        """What an ALTER does, as far as it takes data away."""
        top = self._top()
        if "TYPE" in top or ("SET" in top and "DATA" in top):
            return "TYPE"
        for word, following in zip(top, [*top[1:], ""], strict=True):
            if word == "DROP" and following == "CONSTRAINT":
                return "DROP CONSTRAINT"
            # DROP DEFAULT, DROP NOT NULL and the like follow a column; DROP column takes it away.
            if word == "DROP" and following not in ("DEFAULT", "NOT", "IDENTITY", "EXPRESSION"):
                return "DROP"
        return top[0] if top else ""

    def _top(self) -> list[str]:
        """The words that follow, outside of parentheses."""
        depth, found = 0, []
        for token, word in zip(self.tokens[self.place :], self.words[self.place :], strict=True):
            depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
            if depth == 0 and token.token_type is not TokenType.R_PAREN:
                found.append(word)
        return found

    def _refused_words(self) -> None:
        for place, word in enumerate(self.words):
            if word == "CASCADE" and self.words[place - 1] not in ("DELETE", "UPDATE"):
                refuse(
                    "CASCADE takes along what depends on it",
                    "drop what depends on it first, one call for each",
                )
        for word in self.words[1:4] if self.words[0] == "CREATE" else ():
            if word in ("TEMP", "TEMPORARY", "VIRTUAL"):
                refuse(*_REFUSED[word])
        for word in self._top() if self.dialect == "postgres" else ():
            if (first := word.partition(" ")[0]) in ("CONCURRENTLY", "PARTITION", "INHERITS", "INHERIT"):
                refuse(*_REFUSED[first])

    def _kind(self, verb: str) -> str:
        if verb == "TRUNCATE":
            self._skip("TABLE")
            return "TABLE"
        found = next((kind for kind in KINDS[self.dialect] if self._skip(*kind.split())), "")
        if not found:
            what = self.words[self.place] if self.place < len(self.words) else ""
            refuse(f"{verb} {what} is not handled".replace("  ", " "), _PERSON)
        return found

    def _take(self, *words: str) -> str:
        self.place += 1
        assert self.words[self.place - 1] in words
        return self.words[self.place - 1]

    def _skip(self, *words: str) -> bool:
        if tuple(self.words[self.place : self.place + len(words)]) != words:
            return False
        self.place += len(words)
        return True

    def _name(self) -> tuple[Name | None, Name]:
        """`name` or `schema.name`."""
        names = [self._part()]
        while self.place < len(self.tokens) and self.tokens[self.place].token_type is TokenType.DOT:
            self.place += 1
            names.append(self._part())
        if len(names) > 2:
            refuse("its name cannot be read", "write name or schema.name")
        return (None, names[0]) if len(names) == 1 else (names[0], names[1])

    def _part(self) -> Name:
        if self.place >= len(self.tokens):
            refuse("it names nothing", "name one object")
        token = self.tokens[self.place]
        self.place += 1
        following = self.tokens[self.place].start if self.place < len(self.tokens) else -1
        if not token.text or (token.token_type not in _NAMES and not token.text.isidentifier()):
            refuse("its name cannot be read", "write name or schema.name")
        if token.text.upper() == "U" and following == token.end + 1 and self.words[self.place] == "&":
            refuse("its name cannot be read", 'write the name itself, not as U&"..."')
        if self.dialect == "postgres" and len(token.text.encode()) > LONGEST:
            refuse(f"a name is longer than {LONGEST} bytes", "choose a shorter one")
        return Name(token.text, token.token_type in _QUOTED)


def _calls(tokens: Sequence[Token]) -> list[Token]:
    """The tokens, with a word in place of the names before a parenthesis that certainly call nothing.

    These are the names of tables, and of types, which follow the name of a column.
    """
    kept: list[Token] = []
    for place, token in enumerate(tokens):
        opens = place + 1 < len(tokens) and tokens[place + 1].token_type is TokenType.L_PAREN
        if opens and place > 0 and (_names_table(tokens, place) or _is_type(tokens, place)):
            while len(kept) > 1 and kept[-1].token_type is TokenType.DOT:
                del kept[-2:]
            token = Token(TokenType.TABLE, "TABLE")
        kept.append(token)
    return kept


def _names_table(tokens: Sequence[Token], place: int) -> bool:
    while place > 1 and tokens[place - 1].token_type is TokenType.DOT:
        place -= 2
    before = tokens[place - 1].text.upper()
    return before in ("TABLE", "EXISTS", "ON", "ONLY", "REFERENCES", "VIEW", "INTO", "USING") and (
        before != "USING" or tokens[0].text.upper() == "CREATE"
    )


def _is_type(tokens: Sequence[Token], place: int) -> bool:
    """A name that follows a name at once: `price money_of(2)`; nothing is called like that."""
    before = tokens[place - 1]
    if before.token_type is TokenType.DOT or before.token_type not in _NAMES:
        return False
    return before.text.upper() not in ("CHECK", "ALWAYS", "ADD", "STORED")
