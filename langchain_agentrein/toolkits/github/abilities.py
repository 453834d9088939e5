"""What credentials can do and undo, as far as reading tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.base import Ability
from langchain_agentrein.toolkits.github.hub import Hub
from langchain_agentrein.toolkits.github.operation import GitHubOperation
from langchain_agentrein.toolkits.github.repositories import CreateRepo

SILENT = "these credentials do not say what they may do"


def abilities(hub: Hub, operations: Iterable[type[Operation]], place: str | None) -> list[Ability]:
    """One answer an operation. A classic token tells its scopes, a repository what the account may do in it.

    Raises:
        NotDone: The credentials open nothing, do not see the repository, or nobody answers.
    """
    granted = hub.granted()
    there = None if place is None else hub.get(f"/repos/{place}")
    return [_ability(op, granted, there) for op in operations if issubclass(op, GitHubOperation)]


def _ability(
    op: type[GitHubOperation], granted: frozenset[str] | None, there: Mapping[str, Any] | None
) -> Ability:
    if there is not None and op is not CreateRepo and (lacks := _role(op, there)) is not None:
        return Ability(op.name, *lacks)
    if granted is None:
        return Ability(op.name, None, f"{SILENT}; it takes {', '.join(op.scopes)}")
    missing = [scope for scope in op.classic if scope not in granted]
    if missing == ["repo"] and (op.read_only or "public_repo" in granted) and op is not CreateRepo:
        if there is None:
            return Ability(op.name, None, "in public repositories, yes; in private ones it needs repo")
        missing = ["repo"] if there["private"] else []
    if missing:
        return Ability(op.name, False, f"needs the scope {' and '.join(missing)}")
    return Ability(op.name, True, "" if there is not None else "where the account itself may")


def _role(op: type[GitHubOperation], there: Mapping[str, Any]) -> tuple[bool | None, str] | None:
    """Why the account's own role in a repository does not do, whatever the token says; `None`: it does."""
    may = there.get("permissions")
    if op.read_only:
        return None
    if there["archived"] and not op.name.startswith("github.repos."):
        return False, "needs a repository that is not archived"
    if may is None:
        return None, "GitHub does not say what the account may do in it"
    if "administration: write" in op.scopes:
        return None if may["admin"] else (False, "needs an administrator of the repository")
    if may["push"]:
        return None
    if set(op.scopes) == {"issues: write"}:
        return None, "without write access it depends on whose issue it is"
    return False, "needs write access to the repository"
