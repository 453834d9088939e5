"""What a merge changed, by path, and whether that is still so: read from git's trees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from langchain_agentrein.action import Json
from langchain_agentrein.toolkits.github.hub import Hub

Entry = tuple[str, str, str]
"""mode, type and sha of a path"""


@dataclass(frozen=True, slots=True)
class Live:
    """What of a change is still on a branch.

    Attributes:
        tip: The commit that the branch points to.
        back: The paths that still are as the change left them, each with what was there before; `None`: nothing was.
        taken: The paths that somebody has changed again.
    """

    tip: str
    back: Mapping[str, Entry | None]
    now: Mapping[str, Entry]
    taken: tuple[str, ...]


def commit(hub: Hub, at: str, sha: str) -> Any:
    """A commit as git has it: `parents`, `tree`."""
    return hub.get(f"{at}/git/commits/{sha}")


def files(hub: Hub, at: str, sha: str) -> dict[str, Entry] | None:
    """Every path of a commit; `None`: there are more than GitHub tells.

    GitHub tells 100,000 entries or 7 MB, and says so. Source: docs.github.com/en/rest/git/trees, "Get a tree".
    """
    tree = hub.get(f"{at}/git/trees/{commit(hub, at, sha)['tree']['sha']}", recursive="1")
    if tree["truncated"]:
        return None
    return {
        one["path"]: (one["mode"], one["type"], one["sha"]) for one in tree["tree"] if one["type"] != "tree"
    }


def live(hub: Hub, at: str, change: tuple[str, str], branch: str) -> Live | None:
    """What of a change is still on a branch; `None`: the trees are too large to tell.

    Args:
        at: The API's path of the repository.
        change: The commits before and after it.
    """
    tip = str(hub.get(f"{at}/git/ref/heads/{branch}")["object"]["sha"])
    shas = dict.fromkeys((*change, tip))
    read = {sha: files(hub, at, sha) for sha in shas}
    before, after, now = (read[sha] for sha in (*change, tip))
    if before is None or after is None or now is None:
        return None
    changed = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    due = [path for path in sorted(changed) if now.get(path) != before.get(path)]
    folders = {str(folder) for path in now for folder in PurePosixPath(path).parents}
    taken = [
        path
        for path in due
        if now.get(path) != after.get(path)
        or (path in before and (path in folders or _under_a_file(path, now, due)))
    ]
    return Live(tip, {path: before.get(path) for path in due if path not in taken}, now, tuple(taken))


def _under_a_file(path: str, now: Mapping[str, Entry], due: list[str]) -> bool:
    above = (str(folder) for folder in PurePosixPath(path).parents)
    return any(folder in now and folder not in due for folder in above)


def entries(found: Live) -> list[dict[str, Json]]:
    """The entries of a tree that takes the change back; one whose `sha` is null is deleted."""
    told = []
    for path, was in found.back.items():
        mode, kind, sha = was or (*found.now[path][:2], None)
        told.append({"path": path, "mode": mode, "type": kind, "sha": sha})
    return told
