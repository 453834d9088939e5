"""The whole of PyGithub, read from its installed source: every public method reads, is covered, or is refused."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import github
import pytest

from langchain_agentrein.toolkits.github.sdk.client import ACTING
from langchain_agentrein.toolkits.github.sdk.guard import WAY_OUT, Guarded
from langchain_agentrein.toolkits.github.sdk.reads import READS
from langchain_agentrein.toolkits.github.sdk.rows import ROWS
from tests.integration_tests.toolkits.github.refused import REFUSED

SENDING = {name for name in vars(github.Requester.Requester) if name.startswith("request")}
"""`requestJson` and its like: the first argument is the verb."""
MUTATING = {"graphql_named_mutation", "graphql_named_mutation_class"}
BY_ARGUMENT = {f"Requester.{name}" for name in SENDING} | {
    "Requester.graphql_query",
    "Requester.graphql_query_class",
}
"""Raw requests, which `GitHubSdk.reads` tells apart by their verb or their query."""
HARMLESS = {"close"}
"""A name that an advisory's method, which writes, shares with closing a connection: what calls it is not told apart."""


@cache
def methods() -> dict[tuple[str, str], ast.FunctionDef]:
    """Every method of every class of the package."""
    found = {}
    for file in sorted(Path(github.__path__[0]).glob("*.py")):
        for cls in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(cls, ast.ClassDef):
                for node in cls.body:
                    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                        found[cls.name, node.name] = node
    return found


def called(node: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """The names of the methods that are called in some code, with the calls."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            yield call.func.attr, call


def sends_a_write(node: ast.AST) -> bool:
    """Whether code sends anything but a GET by itself; a verb that is not written out counts."""
    for name, call in called(node):
        if name in MUTATING:
            return True
        verb = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "verb"), None)
        if name in SENDING and not (isinstance(verb, ast.Constant) and verb.value == "GET"):
            return True
    return "mutation" in {
        word
        for text in ast.walk(node)
        if isinstance(text, ast.Constant) and isinstance(text.value, str) and "{" in text.value
        for word in text.value.replace("(", " ").split()
    }


@cache
def writers() -> frozenset[tuple[str, str]]:
    """Methods that write, or call one that does: by its name, whichever class it belongs to."""
    known = {key for key, node in methods().items() if key[0] != "Requester" and sends_a_write(node)}
    while True:
        names = {name for _, name in known} - HARMLESS
        more = {
            key
            for key, node in methods().items()
            if key not in known and key[0] != "Requester" and any(name in names for name, _ in called(node))
        }
        if not more:
            return frozenset(known)
        known |= more


@cache
def covered() -> frozenset[str]:
    """The names of the classes whose objects are wrapped, and of those that they inherit from."""
    for module in pkgutil.iter_modules(github.__path__):
        importlib.import_module(f"github.{module.name}")

    def family(cls: type) -> Iterator[type]:
        yield cls
        for child in cls.__subclasses__():
            yield from family(child)

    return frozenset(
        one.__name__
        for base in ACTING
        for cls in family(base)
        for one in cls.__mro__
        if one.__module__.startswith("github.")
    )


def is_property(node: ast.FunctionDef) -> bool:
    return any(
        (isinstance(one, ast.Name) and one.id.endswith("property"))
        or (isinstance(one, ast.Attribute) and one.attr in ("setter", "getter"))
        for one in node.decorator_list
    )


def public() -> set[str]:
    """Every public method of the covered classes, as `Class.method`."""
    return {
        f"{cls}.{name}"
        for (cls, name), node in methods().items()
        if cls in covered() and not name.startswith("_") and not is_property(node)
    }


def test_every_method_reads_is_covered_or_is_refused() -> None:
    listed = [READS, frozenset(ROWS), REFUSED, frozenset(BY_ARGUMENT)]
    assert len(public()) > 600
    assert sum(map(len, listed)) == len(frozenset.union(*listed)), "a method stands in two lists"
    new, gone = public() - frozenset.union(*listed), frozenset.union(*listed) - public()
    assert not new, (
        f"PyGithub has methods that stand in no list, and are refused until they do: {sorted(new)}"
    )
    assert not gone, f"PyGithub has no such methods any more: {sorted(gone)}"


def test_what_counts_as_a_read_sends_nothing_but_gets() -> None:
    writing = {f"{cls}.{name}" for cls, name in writers()}
    assert not READS & writing
    assert set(ROWS) <= writing, "a row for a method that changes nothing"


def test_every_writer_among_the_public_methods_is_covered_or_refused() -> None:
    writing = {f"{cls}.{name}" for cls, name in writers()} & public()
    assert writing <= set(ROWS) | REFUSED
    assert len(writing) > 280


def test_looking_at_an_attribute_writes_nothing() -> None:
    looked_at = {
        (cls, name)
        for (cls, name), node in methods().items()
        if cls in covered() and (is_property(node) or name.endswith("__"))
    }
    assert not looked_at & writers()


def test_the_guard_stands_at_the_one_way_out() -> None:
    """Requests leave through `__requestEncode` alone."""

    def callers(name: str) -> set[tuple[str, str]]:
        return {key for key, node in methods().items() if any(one == name for one, _ in called(node))}

    assert WAY_OUT in vars(Guarded) and WAY_OUT.endswith("__requestEncode")
    assert callers("__requestRaw") == {("Requester", "__requestEncode"), ("Requester", "__requestRaw")}
    senders = {key for key in callers("request") | callers("getresponse") if key[0] == "Requester"}
    assert senders == {("Requester", "__requestRaw")}


def test_requesters_are_made_only_where_the_guard_knows() -> None:
    made = {
        key
        for key, node in methods().items()
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Requester"
    }
    known = {("Requester", name) for name in vars(Guarded) if name.startswith("with")}
    assert made == known | {("Github", "__init__"), ("GithubIntegration", "__init__")}


def test_what_writes_without_being_wrapped_only_signs_in() -> None:
    """These belong to a client's credentials: they fetch tokens for it."""
    outside = {key for key in writers() if key[0] not in covered()}
    assert {cls for cls, _ in outside} == {"AppInstallationAuth", "AppUserAuth", "GithubIntegration"}
    assert all("token" in name or "authorization" in name or "refresh" in name for _, name in outside)


def test_the_walk_sees_a_new_method(monkeypatch: pytest.MonkeyPatch) -> None:
    node = ast.parse("def paint(self): self._requester.requestJsonAndCheck('PUT', self.url)").body[0]
    assert isinstance(node, ast.FunctionDef)
    monkeypatch.setitem(methods(), ("Issue", "paint"), node)
    with pytest.raises(AssertionError, match=r"Issue\.paint"):
        test_every_method_reads_is_covered_or_is_refused()
    assert sends_a_write(node)
