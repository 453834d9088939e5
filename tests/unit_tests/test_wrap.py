"""The proxy around an SDK that needs no network: what is common to all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest

from langchain_agentrein import (
    ActionDenied,
    AgentRein,
    ApprovalRule,
    ApprovalTimeout,
    ConfigError,
    Decision,
    NotCovered,
    Operation,
    Reversal,
    Risk,
    Status,
)
from langchain_agentrein.sdk import Given, Row, Sdk, UnknownCall
from langchain_agentrein.wrap import Wrapped


class Card:
    """A thing of the vendor's."""

    def __init__(self, board: Board, name: str) -> None:
        self.board, self.name = board, name

    def title(self) -> str:
        return self.board.titles[self.name]

    def rename(self, title: str, color: str | None = None) -> None:
        self.board.write(self.name, title)

    def shred(self, *, loudly: bool = False, **options: Any) -> str:
        self.board.write(self.name, "")
        return "shreds"

    shown = shred  # an alias: the function itself goes by another name

    async def later(self) -> str:
        return self.title()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Card) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


class Pair(NamedTuple):
    """A container that is left as it is."""

    left: str
    right: str


class Board:
    """The vendor's client."""

    def __init__(self, titles: dict[str, str], *, only_reads: bool = False) -> None:
        self.titles, self.only_reads, self.let = titles, only_reads, False

    def write(self, name: str, title: str) -> None:
        if self.only_reads and not self.let:
            raise PermissionError(f"{name} is read only")
        self.titles[name] = title

    def card(self, name: str) -> Card:
        return Card(self, name)

    def several(self) -> Any:
        cards = [Card(self, name) for name in self.titles]
        return {
            "list": cards,
            "tuple": tuple(cards),
            "set": set(cards),
            "pair": Pair("a", "b"),
            "lazy": iter(cards),
        }

    def __len__(self) -> int:
        return len(self.titles)

    def __getitem__(self, name: str) -> Card:
        return self.card(name)


class Rename(Operation):
    """Rename a card."""

    name, risk, reversal = "cards.rename", Risk.LOW, Reversal.EXACT
    card: str
    title: str

    def snapshot(self, api: Any) -> Any:
        return {"title": api.titles[self.card]}

    def do(self, api: Any, action: Any) -> Any:
        api.write(self.card, self.title)
        return {"card": self.card}

    def observe(self, api: Any, action: Any) -> Any:
        return {"title": api.titles[self.card]}

    def undo(self, api: Any, action: Any) -> None:
        api.write(self.card, action.before["title"])


class UnknownOnCards(UnknownCall):
    """What no operation covers."""

    name = "cards.unknown"


def rename(card: Card, given: Given) -> Mapping[str, Any]:
    return {"card": card.name, **given.named("title")}


class CardsSdk(Sdk):
    """Two methods read, one has a row."""

    connector, unknown = "cards", UnknownOnCards
    rows: ClassVar[Mapping[str, Row]] = {"Card.rename": Row(Rename, rename)}
    made: Board

    def twin(self, client: Any) -> Any:
        self.made = Board(client.titles, only_reads=True)
        return self.made

    def api(self, client: Any) -> Any:
        return client

    def covers(self, value: Any) -> bool:
        return isinstance(value, Board | Card)

    def reads(self, owner: Any, method: str, arguments: Mapping[str, Any]) -> bool:
        return method in ("Board.card", "Board.several", "Card.title", "Card.later")

    @contextmanager
    def letting(self) -> Iterator[None]:
        self.made.let = True
        try:
            yield
        finally:
            self.made.let = False


@pytest.fixture
def rein(tmp_path: Path) -> Iterator[AgentRein]:
    with AgentRein(f"sqlite:///{tmp_path}/journal.db") as rein:
        yield rein


@pytest.fixture
def titles() -> dict[str, str]:
    return {"a": "Login", "b": "Search"}


@pytest.fixture
def wrap(rein: AgentRein, titles: dict[str, str]) -> Callable[..., Board]:
    return lambda **options: rein.wrap(Board(titles), connector=CardsSdk(), **options)


def test_a_mapped_call_is_done_and_undone(
    rein: AgentRein, wrap: Callable[..., Board], titles: dict[str, str]
) -> None:
    with rein.session() as session:
        assert wrap()["a"].rename("Log in") is None
    assert titles["a"] == "Log in"
    assert session.rollback().complete
    assert titles["a"] == "Login"


def test_what_comes_in_containers_is_wrapped(wrap: Callable[..., Board]) -> None:
    board = wrap()
    found = board.several()
    assert found["pair"] == Pair("a", "b")
    cards = [card for name in ("list", "tuple", "set", "lazy") for card in found[name]]
    assert len(cards) == 8 and all(isinstance(card, Wrapped) and isinstance(card, Card) for card in cards)
    assert isinstance(board.card("a").board, Wrapped)


def test_special_methods_are_those_that_it_has(wrap: Callable[..., Board]) -> None:
    board = wrap()
    assert len(board) == 2 and bool(board)
    assert isinstance(board["a"], Card)
    with pytest.raises(TypeError):
        len(board["a"])  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        iter(board["a"])  # type: ignore[call-overload]


def test_a_method_goes_by_the_name_under_which_it_is_called(wrap: Callable[..., Board]) -> None:
    with pytest.raises(NotCovered) as refused:
        wrap(unknown="deny")["a"].shown(loudly=True, why="old")
    assert refused.value.method == "Card.shown"


def test_an_argument_that_it_has_no_word_for(wrap: Callable[..., Board], titles: dict[str, str]) -> None:
    with pytest.raises(NotCovered, match=r"Card\.rename\(color=\.\.\.\) cannot be said by cards\.rename"):
        wrap()["a"].rename("Log in", color="red")
    with pytest.raises(TypeError):
        wrap()["a"].rename()  # type: ignore[call-arg]
    assert titles["a"] == "Login"


def test_an_allowed_unknown_call_is_given_its_own_answer_and_later_none(
    rein: AgentRein, wrap: Callable[..., Board], titles: dict[str, str]
) -> None:
    def shred() -> Any:
        with rein.keyed("once"):
            return wrap(unknown="allow")["a"].shred(loudly=True, why="old")

    assert (shred(), titles["a"]) == ("shreds", "")
    titles["a"] = "Anew"
    assert (shred(), titles["a"]) == (None, "Anew")
    [action] = [one for session in rein.sessions() for one in rein.actions(session=session.id)]
    assert action.args == {"method": "Card.shred", "target": "", "arguments": {"loudly": True, "why": "old"}}
    assert (action.receipt, action.reversal) == ({"returned": "str"}, Reversal.NONE)


def test_a_session_s_own_rules_speak_first(
    rein: AgentRein, wrap: Callable[..., Board], titles: dict[str, str]
) -> None:
    with rein.session(rules=[ApprovalRule("cards.rename", "deny")]), pytest.raises(ActionDenied):
        wrap()["a"].rename("Log in")
    with rein.session(rules=[ApprovalRule("cards.rename", "ask")]), pytest.raises(ApprovalTimeout):
        wrap(wait=0)["a"].rename("Log in")
    assert titles["a"] == "Login"


def test_a_question_that_lapses_by_itself(titles: dict[str, str], tmp_path: Path) -> None:
    rules = [ApprovalRule("cards.rename", "ask")]
    with AgentRein(f"sqlite:///{tmp_path}/journal.db", rules=rules, approval_ttl=0.05) as rein:
        with pytest.raises(ApprovalTimeout):
            rein.wrap(Board(titles), connector=CardsSdk(), wait=60)["a"].rename("Log in")
        [action] = [one for session in rein.sessions() for one in rein.actions(session=session.id)]
    assert action.status is Status.EXPIRED


def test_edited_arguments_of_an_unknown_call_are_refused(
    rein: AgentRein, wrap: Callable[..., Board], titles: dict[str, str]
) -> None:
    def edits(action: Any) -> Decision:
        return Decision("edit", by="ana", args={**action.args, "arguments": {"loudly": False}})

    with pytest.raises(ConfigError, match="cannot be edited"):
        wrap(approver=edits)["a"].shred(loudly=True)
    assert titles["a"] == "Login"


def test_coroutines_and_empty_keys_are_refused(rein: AgentRein, wrap: Callable[..., Board]) -> None:
    with pytest.raises(ConfigError, match="is a coroutine"):
        wrap()["a"].later()
    with pytest.raises(ConfigError, match="a key must say"), rein.keyed(""):
        pass
