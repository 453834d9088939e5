"""PyGithub's objects as an operation's arguments, and what an operation left as PyGithub's objects."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import requests
from github import GithubException
from github.Commit import Commit
from github.ContentFile import ContentFile
from github.GithubObject import CompletableGithubObject, NotSet
from github.GitRef import GitRef

from langchain_agentrein.action import Json
from langchain_agentrein.sdk import Given

T = TypeVar("T", bound=CompletableGithubObject)
HEADS = "refs/heads/"
_REPO = re.compile(r"/repos/([^/?#]+/[^/?#]+)")
_REF = re.compile(r"/git/(refs?/.+)\Z")


def repo_of(owner: Any, given: Given) -> str:
    """`owner/name` of the repository that an object is in, or is."""
    found = _REPO.search(owner.url)
    if found is None:
        given.refuse(None, f"{owner.url} does not say which repository it is in")
    return found[1]


def last(owner: Any) -> str:
    """What stands at the end of an object's address: its number, its id, its name."""
    return unquote(str(owner.url).rpartition("/")[2])


def name_of(ref: Any) -> str:
    """A ref's whole name."""
    found = _REF.search(ref.url)
    return unquote(found[1]).replace("ref/", "refs/", 1) if found is not None else str(ref.ref)


def branch_of(ref: str) -> str | None:
    """The branch that a ref is; `None`: it is none."""
    name = ref.removeprefix(HEADS)
    return name if name != ref and name else None


def names(given: Iterable[Any]) -> list[str]:
    """Labels by name."""
    return [one if isinstance(one, str) else str(one.name) for one in given]


def people(given: Any) -> list[str]:
    """Users by login; one of them, none, or several."""
    several = given if isinstance(given, list | tuple) else [] if given is None else [given]
    return [one if isinstance(one, str) else str(one.login) for one in several]


def number(milestone: Any) -> int | None:
    """A milestone's number."""
    return milestone if milestone is None else int(last(milestone))


def day(due: date) -> str:
    """A day as YYYY-MM-DD."""
    return due.strftime("%Y-%m-%d")


def text(content: str | bytes, given: Given) -> str:
    """A file's content."""
    if isinstance(content, str):
        return content
    try:
        return content.decode()
    except UnicodeDecodeError:
        given.refuse("content", "it writes text in UTF-8 alone")


def made(owner: Any, cls: type[T], args: Mapping[str, Any], *parts: Any) -> T:
    """What is at a path of the repository, as it is now; if it cannot be read, it is read when it is looked at.

    Args:
        parts: Quoted, as they stand in the address.
    """
    url = _address(owner, args, *parts)
    requester = owner.requester
    try:
        return cls(requester, url=url).complete()
    except (GithubException, requests.RequestException):
        return cls(requester.withLazy(True), url=url)


def renewed(owner: Any, args: Mapping[str, Any], *parts: Any) -> None:
    """Bring an object up to date, as PyGithub's own method would have.

    Args:
        parts: Where it is by now, below the repository; nothing: where it was.
    """
    url = _address(owner, args, *parts) if parts else owner.url
    try:
        headers, data = owner.requester.requestJsonAndCheck("GET", url)
    except (GithubException, requests.RequestException) as error:
        warnings.warn(
            f"{owner!r} was changed, and could not be read again ({error}): it shows what it was. Call update()",
            RuntimeWarning,
            stacklevel=5,
        )
        return
    owner._storeAndUseAttributes(headers, data)


def committed(owner: Any, args: Mapping[str, Any], receipt: Json) -> dict[str, Any]:
    """{"content": ContentFile or NotSet, "commit": Commit}"""
    where = f"{quote(receipt['path'])}?ref={quote(receipt['branch'], safe='')}"
    content = NotSet if receipt["sha"] is None else made(owner, ContentFile, args, "contents", where)
    # A reply that was lost did not say which commit it was; the branch's own address is its last one's.
    commit = receipt["commit"] or quote(receipt["branch"], safe="")
    return {"content": content, "commit": made(owner, Commit, args, "commits", commit)}


def ref_made(owner: Any, args: Mapping[str, Any], receipt: Json) -> GitRef:
    """The ref of a branch."""
    return made(owner, GitRef, args, "git", "ref", "heads", quote(receipt["branch"]))


def _address(owner: Any, args: Mapping[str, Any], *parts: Any) -> str:
    return "/".join((f"{owner.requester.base_url}/repos/{args['repo']}", *map(str, parts)))
