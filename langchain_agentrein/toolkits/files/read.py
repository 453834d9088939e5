"""Reading, listing and searching: nothing is changed, and nothing is journaled."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterator
from itertools import islice
from typing import ClassVar

from pydantic import Field

from langchain_agentrein.action import Action, Json, Reversal, Risk
from langchain_agentrein.errors import NotDone
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.files.entry import chunks
from langchain_agentrein.toolkits.files.operation import refusing
from langchain_agentrein.toolkits.files.root import HERE, HIDDEN, Root, beneath

MOST = 1000
"""How many names one answer holds."""


class _Reading(Operation):
    risk, reversal, read_only = Risk.LOW, Reversal.EXACT, True

    def account(self, api: Root) -> str:
        return api.account


class Read(_Reading):
    """Read a text file, or some of its lines."""

    name = "files.read"

    largest: ClassVar[int] = 16 * 1024 * 1024
    """Bytes above which a file is not read."""
    longest: ClassVar[int] = 200_000
    """Characters in one answer."""

    path: str = Field(description="Path of the file, relative to the working directory.")
    offset: int = Field(default=0, ge=0, description="How many lines to skip.")
    limit: int | None = Field(
        default=None, ge=1, description="How many lines to read at most; all, if not given."
    )

    def do(self, api: Root, action: Action) -> str:
        """receipt: the text; a last line in brackets says what is left out"""
        place = api.locate(self.path)
        with refusing():
            there = api.stat(place) if place != HERE else os.stat(api.path)
            if there is None:
                raise NotDone(f"there is no file {self.path}; files_list shows what there is")
            if not stat.S_ISREG(there.st_mode):
                what = "a directory; use files_list" if stat.S_ISDIR(there.st_mode) else "not a plain file"
                raise NotDone(f"{self.path} is {what}")
            if there.st_size > self.largest:
                return f"[{self.path} has {there.st_size:,} bytes; at most {self.largest:,} can be read]"
            data = b"".join(chunks(api, place))
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return f"[{self.path} is not text: {len(data):,} bytes that are not UTF-8]"
        return self._part(text)

    def _part(self, text: str) -> str:
        lines = text.splitlines(keepends=True)
        end = len(lines) if self.limit is None else self.offset + self.limit
        part = "".join(lines[self.offset : end])
        if len(part) > self.longest:
            part = part[: self.longest]
            end = self.offset + part.count("\n")
            more = (
                f"of line {end + 1} on only the beginning"
                if end == self.offset
                else f"read on with offset={end}"
            )
            return f"{part}\n[{len(lines):,} lines in all, cut here; {more}]"
        if end < len(lines):
            return f"{part}[lines {self.offset + 1}-{end} of {len(lines):,}; read on with offset={end}]"
        if self.offset and self.offset >= len(lines):
            return f"[{self.path} has only {len(lines):,} lines]"
        return part


class List(_Reading):
    """List what a directory holds: names, kinds and sizes."""

    name = "files.list"

    path: str = Field(default=HERE, description="Path of the directory, relative to the working directory.")

    def do(self, api: Root, action: Action) -> Json:
        """receipt: {"entries": [{"name": str, "type": "file" | "dir" | "link" | "other", "size": int}], "more": int}"""
        place = api.locate(self.path)
        with refusing():
            there = api.stat(place) if place != HERE else os.stat(api.path)
            if there is None:
                raise NotDone(f"there is no directory {self.path}")
            if not stat.S_ISDIR(there.st_mode):
                raise NotDone(f"{self.path} is not a directory; use files_read")
            names = [name for name in api.names(place) if not name.startswith(HIDDEN)]
            shown = [(name, api.stat(beneath(place, name))) for name in names[:MOST]]
        entries = [
            {"name": readable(name), "type": _kind(there.st_mode), "size": there.st_size}
            for name, there in shown
            if there is not None
        ]
        return {"entries": entries, "more": max(len(names) - MOST, 0)}


class Search(_Reading):
    """Find files by name, in a directory and everything beneath it."""

    name = "files.search"

    pattern: str = Field(
        description="Like `*.py` for names anywhere, or like `src/*/test_*.py` for paths; `*` also matches `/`."
    )
    path: str = Field(default=HERE, description="Where to begin, relative to the working directory.")

    def do(self, api: Root, action: Action) -> Json:
        """receipt: {"paths": [str], "truncated": bool}; paths are relative to the root"""
        place = api.locate(self.path)
        with refusing():
            if place != HERE and api.stat(place) is None:
                raise NotDone(f"there is no directory {self.path}")
            found = list(islice(self._matches(api, place), MOST + 1))
        return {"paths": found[:MOST], "truncated": len(found) > MOST}

    def _matches(self, root: Root, place: str) -> Iterator[str]:
        for at in root.walk(place):
            inner = at if place == HERE else at[len(place) + 1 :]
            name = inner if "/" in self.pattern else inner.rpartition("/")[2]
            if at == place or HIDDEN in at or not fnmatch.fnmatchcase(name, self.pattern):
                continue
            there = root.stat(at)
            if there is not None and not stat.S_ISDIR(there.st_mode):
                yield readable(at)


def readable(name: str) -> str:
    """A name that any reader takes: bytes that are no UTF-8 are spelled out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "dir"
    return "link" if stat.S_ISLNK(mode) else "other"
