"""Labels that come to be because an issue was given them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from langchain_agentrein.toolkits.github.hub import Hub


def undefined(hub: Hub, repo: str, names: Iterable[str]) -> list[str]:
    """The labels that the repository does not have yet."""
    return [name for name in names if hub.find(f"/repos/{repo}/labels/{quote(name, safe='')}") is None]


def defined(hub: Hub, repo: str, made: Iterable[str]) -> dict[str, bool]:
    """Which of the labels that came along are there, as fields to observe: {"label NAME": bool}.

    Without them an undo that ended between the issue and its labels would look as if it were whole.
    """
    return {f"label {name}": name not in undefined(hub, repo, [name]) for name in made}


def definitions(made: Iterable[str], there: bool) -> dict[str, bool]:
    """The same fields, where it is known what they are."""
    return {f"label {name}": there for name in made}


def carriers(hub: Hub, repo: str, name: str) -> list[int]:
    """The numbers of the issues and pull requests that carry a label.

    GitHub's filter takes several names with commas between, and so cannot be asked for a name that has one.
    """
    narrowed = {} if "," in name else {"labels": name}
    found = hub.pages(f"/repos/{repo}/issues", state="all", **narrowed)
    wanted = name.casefold()
    return sorted(
        issue["number"]
        for issue in found
        if any(label["name"].casefold() == wanted for label in issue["labels"])
    )


def forget(hub: Hub, repo: str, names: Iterable[str], *, but: int | None = None) -> Sequence[str]:
    """Delete labels that came along, unless somebody uses them by now.

    Args:
        but: The issue that may still carry them.
    Returns:
        The residue.
    """
    kept = []
    for name in names:
        path = f"/repos/{repo}/labels/{quote(name, safe='')}"
        if hub.find(path) is None:
            continue
        if others := [number for number in carriers(hub, repo, name) if number != but]:
            kept.append(f"the label {name!r} stays as long as #{others[0]} has it")
        else:
            hub.send("DELETE", path)
    return kept
