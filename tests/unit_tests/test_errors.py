"""The tree of errors: drawn as it is, explained, and public."""

from __future__ import annotations

import inspect
import re

import pytest

import langchain_agentrein
from langchain_agentrein import errors

CLASSES = [
    thing
    for _, thing in inspect.getmembers(errors, inspect.isclass)
    if issubclass(thing, BaseException) and thing.__module__ == errors.__name__
]
LINE = re.compile(r"^(?P<indent>[\s│├└─]*)(?P<name>[A-Z]\w+)(?P<says>\s{2,}.*)?$")


def drawn() -> dict[str, str]:
    """Each class in the drawing, and the one that it hangs from; the root hangs from `Exception`."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = [(-1, "Exception")]
    for line in (errors.__doc__ or "").splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        depth = len(match["indent"])
        while above[-1][0] >= depth:
            above.pop()
        parents[match["name"]] = above[-1][1]
        above.append((depth, match["name"]))
    return parents


def test_the_drawing_is_the_tree() -> None:
    assert drawn() == {error.__name__: error.__base__.__name__ for error in CLASSES if error.__base__}


def test_the_drawing_explains_every_error_but_the_root() -> None:
    for line in (errors.__doc__ or "").splitlines():
        match = LINE.match(line)
        if match is not None and match["name"] != "AgentReinError":
            assert match["says"], f"{match['name']} stands in the drawing without a word"


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_every_error_is_explained_and_public(error: type[Exception]) -> None:
    assert error.__doc__ and error.__doc__ != (error.__base__ or object).__doc__
    assert error.__name__ in langchain_agentrein.__all__
    assert getattr(langchain_agentrein, error.__name__) is error


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_what_an_error_is_told_is_explained(error: type[Exception]) -> None:
    """Facts are attributes: whoever catches it reads them, and the docstring names them."""
    own = error.__dict__.get("__init__")
    if own is None:
        return
    set_here = set(re.findall(r"self\.(\w+)", inspect.getsource(own)))
    assert set_here, f"{error.__name__} takes facts and keeps none"
    unexplained = {fact for fact in set_here if f"{fact}:" not in (error.__doc__ or "")}
    assert not unexplained
