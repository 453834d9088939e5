"""Every operation, in every situation that changes how it is undone, keeps the laws."""

from __future__ import annotations

import os
from typing import Any

import pytest

from langchain_agentrein.operation import Operation
from langchain_agentrein.testing import OperationLaws, ReadingLaws
from langchain_agentrein.toolkits.files.delete import Delete
from langchain_agentrein.toolkits.files.directories import Mkdir, Rmtree
from langchain_agentrein.toolkits.files.read import List, Read, Search
from langchain_agentrein.toolkits.files.root import Root
from langchain_agentrein.toolkits.files.transfer import Copy, Move
from langchain_agentrein.toolkits.files.write import Append, Write
from tests.integration_tests.toolkits.files.world import plant, world

BINARY = bytes(range(256)) * 5
LONG = "ü" * 127  # 254 bytes: no room for a suffix


class FileLaws(OperationLaws):
    """The world is the root; others write straight to it.

    Attributes:
        changed: The file or directory that the operation leaves, or took away.
        inside: A directory that it made, or `None`.
    """

    changed = ""
    inside: str | None = None

    @pytest.fixture
    def api(self, api: Root) -> Root:
        self.prepare(api)
        return api

    def prepare(self, api: Root) -> None:
        """What is there before."""

    def world(self, api: Root) -> dict[str, Any]:
        return world(api.path)

    def foreign_edit(self, api: Root) -> bool:
        (api.path / self.changed).write_text("theirs")
        return True

    def foreign_addition(self, api: Root) -> bool:
        if self.inside is None:
            return False
        (api.path / self.inside / "theirs").write_text("theirs")
        return True

    def keeps(self, theirs: Any, now: Any) -> bool:
        mine = {name for name, entry in theirs.items() if entry[0] == "file" and entry[3] == b"theirs"}
        return bool(mine) and all(now.get(name) == theirs[name] for name in mine)


class TestWriteANewFile(FileLaws):
    changed = "notes.txt"

    @pytest.fixture
    def operation(self) -> Operation:
        return Write(path="notes.txt", content="new\r\nlines\n")


class TestWriteWithDirectories(FileLaws):
    changed, inside = f"a/b/{LONG}", "a"

    @pytest.fixture
    def operation(self) -> Operation:
        return Write(path=f"./a/b/../b/{LONG}", content="")


class TestWriteOverAFile(FileLaws):
    changed = "data.bin"

    def prepare(self, api: Root) -> None:
        plant(api.path, "data.bin", BINARY, mode=0o600)

    @pytest.fixture
    def operation(self) -> Operation:
        return Write(path="data.bin", content="größer", encoding="latin-1")


class TestWriteThroughALink(FileLaws):
    changed = "real.txt"

    def prepare(self, api: Root) -> None:
        plant(api.path, "real.txt", "old")
        (api.path / "link").symlink_to("real.txt")

    @pytest.fixture
    def operation(self) -> Operation:
        return Write(path="link", content="new")


class TestAppend(FileLaws):
    changed = "log"

    def prepare(self, api: Root) -> None:
        plant(api.path, "log", BINARY, mode=0o640)

    @pytest.fixture
    def operation(self) -> Operation:
        return Append(path="log", content="one more\n")


class TestAppendToNothing(FileLaws):
    changed, inside = "logs/log", "logs"

    @pytest.fixture
    def operation(self) -> Operation:
        return Append(path="logs/log", content="first\n")


class TestDelete(FileLaws):
    changed = "old.bin"

    def prepare(self, api: Root) -> None:
        plant(api.path, "old.bin", BINARY, mode=0o444)

    @pytest.fixture
    def operation(self) -> Operation:
        return Delete(path="old.bin")


class TestDeleteALink(FileLaws):
    changed = "link"

    def prepare(self, api: Root) -> None:
        (api.path / "link").symlink_to("../outside")

    @pytest.fixture
    def operation(self) -> Operation:
        return Delete(path="link")


class TestMove(FileLaws):
    changed, inside = "new/place.txt", "new"

    def prepare(self, api: Root) -> None:
        plant(api.path, "here.txt", "mine", mode=0o755)

    @pytest.fixture
    def operation(self) -> Operation:
        return Move(source_path="here.txt", destination_path="new/place.txt")


class TestMoveOverAFile(FileLaws):
    changed = "there.txt"

    def prepare(self, api: Root) -> None:
        plant(api.path, "here.txt", "mine", mode=0o755)
        plant(api.path, "there.txt", BINARY, age=99)

    @pytest.fixture
    def operation(self) -> Operation:
        return Move(source_path="here.txt", destination_path="there.txt")


class TestMoveADirectory(FileLaws):
    changed, inside = "shelf/box/a", "shelf/box/deep"

    def prepare(self, api: Root) -> None:
        plant(api.path, "box/a", "a")
        plant(api.path, "box/deep/b", BINARY)

    @pytest.fixture
    def operation(self) -> Operation:
        return Move(source_path="box", destination_path="shelf/box")


class TestCopy(FileLaws):
    changed, inside = "x/y/copy", "x/y"

    def prepare(self, api: Root) -> None:
        plant(api.path, "original", BINARY, mode=0o751)

    @pytest.fixture
    def operation(self) -> Operation:
        return Copy(source_path="original", destination_path="x/y/copy")


class TestCopyOverAFile(FileLaws):
    changed = "there"

    def prepare(self, api: Root) -> None:
        plant(api.path, "original", BINARY)
        plant(api.path, "there", "old", mode=0o600, age=5)

    @pytest.fixture
    def operation(self) -> Operation:
        return Copy(source_path="original", destination_path="there")


class TestMkdir(FileLaws):
    changed, inside = "a", "a/b"

    def foreign_edit(self, api: Root) -> bool:
        (api.path / "a" / "b" / "c").chmod(0o700)
        return True

    def keeps(self, theirs: Any, now: Any) -> bool:
        return bool(now == theirs)

    @pytest.fixture
    def operation(self) -> Operation:
        return Mkdir(path="a/b/c")


class TestRmtree(FileLaws):
    """Somebody who makes a file where one was deleted keeps it; the rest of the tree comes back."""

    changed, inside = "tree/sub/$bytes", None

    def prepare(self, api: Root) -> None:
        plant(api.path, "tree/sub/$bytes", "a name like one of the journal's own marks")
        plant(api.path, "tree/read-only", BINARY, mode=0o400)
        plant(api.path, "tree/ünïcode/empty")
        (api.path / "tree" / "link").symlink_to("/etc/passwd")
        (api.path / "tree" / "away").symlink_to("..")
        (api.path / os.fsdecode(b"tree/not utf-8 \xff")).write_text("?")
        (api.path / "tree" / "ünïcode").chmod(0o555)

    def foreign_edit(self, api: Root) -> bool:
        (api.path / "tree" / "sub").mkdir(parents=True)
        (api.path / self.changed).write_text("theirs")
        return True

    def keeps(self, theirs: Any, now: Any) -> bool:
        rest = {"tree/read-only", "tree/ünïcode/empty", "tree/link"} <= now.keys()
        return rest and super().keeps(theirs, now)

    @pytest.fixture
    def operation(self) -> Operation:
        return Rmtree(path="tree")


class _Reading(ReadingLaws):
    def world(self, api: Root) -> dict[str, Any]:
        return world(api.path)


class TestRead(_Reading):
    @pytest.fixture
    def operation(self, api: Root) -> Operation:
        plant(api.path, "a.txt", "text")
        return Read(path="a.txt")


class TestList(_Reading):
    @pytest.fixture
    def operation(self) -> Operation:
        return List()


class TestSearch(_Reading):
    @pytest.fixture
    def operation(self) -> Operation:
        return Search(pattern="*.py")
