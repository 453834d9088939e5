"""Making a directory, and taking away a whole tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import ClassVar

from pydantic import Field

from langchain_agentrein.action import Action, Json, Risk
from langchain_agentrein.errors import Conflict, NotDone
from langchain_agentrein.operation import Assessment, Happened, Probed
from langchain_agentrein.toolkits.files.entry import look, seen
from langchain_agentrein.toolkits.files.operation import (
    DIRECTORY,
    FileOperation,
    directory_mode,
    listed,
    others,
)
from langchain_agentrein.toolkits.files.place import hidden, remove, rename
from langchain_agentrein.toolkits.files.root import HERE, Root, above, beneath


class _Directory(FileOperation):
    path: str = Field(description="Path of the directory, relative to the working directory.")

    def paths(self) -> Iterable[str]:
        return (self.path,)


class Mkdir(_Directory):
    """Make a directory, and those above it that are missing. One that is there already is left as it is."""

    name, risk = "files.mkdir", Risk.LOW

    def assess(self, api: Root) -> Assessment:
        place = api.locate(self.path)
        return self.weighed(Risk.LOW, f"Makes the directory {place}.")

    def plan(self, root: Root) -> Json:
        place = root.locate(self.path)
        there = look(root, place) if place != HERE else {"type": "dir"}
        if there is not None and there["type"] != "dir":
            raise NotDone(f"{self.path} is a file; nothing was made")
        if there is not None:
            return {"at": place, "was": {}, "then": {}, "made": []}
        made = [*root.missing(place), place]
        then = {"type": "dir", "mode": directory_mode(root, place)}
        return {
            "at": place,
            "was": dict.fromkeys(made),
            "then": {**dict.fromkeys(made, DIRECTORY), place: then},
            "made": made,
        }

    def effect(self, root: Root, action: Action) -> None:
        pass  # what is to be made is made

    def told(self, before: Json) -> Json:
        """receipt: {"path": str, "made": [str]}"""
        return {"path": before["at"], "made": before["made"]}

    def saw(self, root: Root, place: str, before: Json) -> Json:
        return seen(look(root, place)) if place == before["at"] else super().saw(root, place, before)

    def attached(self, api: Root, action: Action) -> Sequence[str]:
        before = action.before
        made = (action.receipt or {}).get("made", before["made"])
        found = ((place, others(api, place, before["then"])) for place in made)
        return [f"others put {listed(names)} into {place}" for place, names in found if names]

    def restore(self, root: Root, action: Action) -> list[str]:
        if since := self.attached(root, action):
            raise Conflict("the directory is in use", since)
        place = action.before["at"]
        now = self.saw(root, place, action.before)
        if now not in (None, action.before["then"][place]):
            self.overwrite(action, place, None, now)
        if now is not None:
            remove(root, place)
        return []


class Rmtree(_Directory):
    """Delete a directory with everything in it. A link is refused, and links inside are deleted, not followed."""

    name, risk, partial = "files.rmtree", Risk.HIGH, True

    most: ClassVar[int] = 20_000
    """Files and directories above which a tree is refused: each is looked at again before an undo."""

    def assess(self, api: Root) -> Assessment:
        place, entries = self._place(api), list[os.stat_result]()
        for at in api.walk(place):
            there = api.stat(at)
            entries += [there] if there is not None else []
        files = [there for there in entries if not stat.S_ISDIR(there.st_mode)]
        size = sum(there.st_size for there in files)
        folders = len(entries) - len(files)
        return self.weighed(
            Risk.HIGH, f"Deletes {place}: {len(files):,} files in {folders:,} directories, {size:,} bytes."
        )

    def _place(self, root: Root) -> str:
        place = root.locate(self.path, follow=False)
        if place == HERE:
            raise NotDone("the working directory itself cannot be deleted")
        there = root.stat(place)
        if there is None:
            raise NotDone(f"there is no {self.path}; nothing was deleted")
        if not stat.S_ISDIR(there.st_mode):
            raise NotDone(f"{self.path} is not a directory: use files_delete")
        return place

    def plan(self, root: Root) -> Json:
        place = self._place(root)
        was = dict(self._entries(root, place))
        return {"at": place, "was": was, "then": dict.fromkeys(was), "made": []}

    def _entries(self, root: Root, place: str) -> Iterator[tuple[str, Json]]:
        left, count = self.keeps, 0
        for at in root.walk(place):
            there, count = root.stat(at), count + 1
            size = there.st_size if there is not None and stat.S_ISREG(there.st_mode) else 0
            if size > left or count > self.most:
                raise NotDone(
                    f"{self.path} is too large to be put back: an undo keeps at most {self.keeps:,} bytes "
                    f"in {self.most:,} files; delete it in parts, or not at all"
                )
            entry = look(root, at, keep=left)
            if entry is None or entry["type"] == "other":
                raise NotDone(f"{at} is not a plain file, or is changing; nothing was deleted")
            if entry["type"] == "dir":
                _removable(root, at)
            left -= entry.get("size", 0)
            yield at, entry

    def effect(self, root: Root, action: Action) -> None:
        """Takes the tree away in one step, under a hidden name, and deletes it there."""
        before = action.before
        place, gone = before["at"], _gone(action)
        rename(root, place, gone, replace=False)
        if not _same(root, place, gone, before["was"]):
            rename(root, gone, place, replace=False)
            raise NotDone(f"{self.path} changed while it was looked at: nothing was deleted; look again")
        _delete(root, place, gone, before["was"])

    def do(self, api: Root, action: Action) -> Json:
        """receipt: {"path": str, "files": int, "bytes": int, "left": str}; `left` only if not all could be deleted"""
        receipt = super().do(api, action)
        return _left(api, action, receipt)

    def told(self, before: Json) -> Json:
        files = [entry for entry in before["was"].values() if entry["type"] != "dir"]
        size = sum(entry.get("size", 0) for entry in files)
        return {"path": before["at"], "files": len(files), "bytes": size}

    def probe(self, api: Root, action: Action) -> Probed:
        probed = super().probe(api, action)
        return Happened(_left(api, action, probed.receipt)) if isinstance(probed, Happened) else probed

    def restore(self, root: Root, action: Action) -> list[str]:
        place, gone = action.before["at"], _gone(action)
        found = super().restore(root, action)
        if root.stat(gone) is not None:  # a kill, or a refusal, kept it from being deleted
            _delete(root, place, gone, action.before["was"])
            if root.stat(gone) is not None:
                found.append(f"what could not be deleted of {place} lies in {gone}")
        return found


def _gone(action: Action) -> str:
    place = action.before["at"]
    return beneath(above(place), hidden(action.key, "gone"))


def _left(root: Root, action: Action, receipt: Json) -> Json:
    gone = _gone(action)
    return receipt if root.stat(gone) is None else {**receipt, "left": gone}


def _delete(root: Root, place: str, gone: str, was: Json) -> None:
    """Delete beneath `gone` what is known, and nothing else."""
    for at in sorted(was, reverse=True):
        with suppress(OSError):
            remove(root, gone + at[len(place) :])


def _same(root: Root, place: str, gone: str, was: Json) -> bool:
    """Whether the tree, now out of reach at `gone`, is the one that the snapshot knows."""
    now = {place + at[len(gone) :]: root.stat(at) for at in root.walk(gone)}
    if now.keys() != was.keys():
        return False
    for at, there in now.items():
        entry = was[at]
        if there is None or (entry["type"] == "dir") != stat.S_ISDIR(there.st_mode):
            return False
        if entry["type"] != "dir" and entry["mtime_ns"] != there.st_mtime_ns:
            return False
        if entry["type"] == "file" and entry["size"] != there.st_size:
            return False
    return True


def _removable(root: Root, place: str) -> None:
    with root.directory(place) as fd:
        effective = os.access in os.supports_effective_ids
        if os.listdir(fd) and not os.access(HERE, os.W_OK | os.X_OK, dir_fd=fd, effective_ids=effective):
            raise NotDone(f"{place} is read-only; nothing was deleted")
