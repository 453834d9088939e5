from __future__ import annotations

from pathlib import Path

import pytest

from langchain_agentrein.errors import ConfigError, NotDone
from langchain_agentrein.registry import REGISTRY
from langchain_agentrein.toolkits import FilesToolkit
from langchain_agentrein.toolkits.files.read import Read
from langchain_agentrein.toolkits.files.root import HIDDEN

NAMES = [
    "files_read",
    "files_list",
    "files_search",
    "files_write",
    "files_append",
    "files_copy",
    "files_move",
    "files_mkdir",
    "files_delete",
    "files_rmtree",
]


def tool(root: Path, name: str, **args: object) -> object:
    [one] = FilesToolkit(root, include=[name]).get_tools()
    return one.invoke(dict(args))


def test_every_operation_is_a_tool_and_is_registered(tmp_path: Path) -> None:
    assert [one.name for one in FilesToolkit(tmp_path).get_tools()] == NAMES
    assert {name.replace("_", ".", 1) for name in NAMES} <= REGISTRY.names()


def test_the_root_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTREIN_FILES_ROOT", raising=False)
    with pytest.raises(ConfigError, match="set AGENTREIN_FILES_ROOT"):
        FilesToolkit.from_env()
    monkeypatch.setenv("AGENTREIN_FILES_ROOT", str(tmp_path))
    assert FilesToolkit.from_env().client.path == tmp_path.resolve()


def test_read_only_leaves_the_readers(tmp_path: Path) -> None:
    assert [one.name for one in FilesToolkit(tmp_path, read_only=True).get_tools()] == NAMES[:3]


def test_a_file_is_read_in_parts(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n2\n3\n4")
    assert tool(tmp_path, "files_read", path="a") == "1\n2\n3\n4"
    middle = tool(tmp_path, "files_read", path="a", offset=1, limit=2)
    assert middle == "2\n3\n[lines 2-3 of 4; read on with offset=3]"
    assert tool(tmp_path, "files_read", path="a", offset=3) == "4"
    assert tool(tmp_path, "files_read", path="a", offset=9) == "[a has only 4 lines]"
    (tmp_path / "empty").touch()
    assert tool(tmp_path, "files_read", path="empty") == ""


def test_what_is_too_long_is_cut_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Read, "longest", 5)
    (tmp_path / "a").write_text("1\n2\n3\n4\n")
    assert (
        tool(tmp_path, "files_read", path="a") == "1\n2\n3\n[4 lines in all, cut here; read on with offset=2]"
    )
    (tmp_path / "b").write_text("123456789")
    assert "of line 1 on only the beginning" in str(tool(tmp_path, "files_read", path="b"))
    monkeypatch.setattr(Read, "largest", 3)
    assert tool(tmp_path, "files_read", path="b") == "[b has 9 bytes; at most 3 can be read]"


def test_a_binary_file_is_named_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(b"\x89PNG\xff\xfe")
    shown = tool(tmp_path, "files_read", path="logo.png")
    assert shown == "[logo.png is not text: 6 bytes that are not UTF-8]"


def test_reading_what_is_not_a_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotDone, match="files_list"):
        tool(tmp_path, "files_read", path="nothing")
    with pytest.raises(NotDone, match="a directory; use files_list"):
        tool(tmp_path, "files_read", path=".")


def test_a_directory_is_listed_without_our_own_files(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").write_text("123")
    (tmp_path / "link").symlink_to("/etc")
    (tmp_path / f"{HIDDEN}act_1.new").touch()
    listing = tool(tmp_path, "files_list")
    assert isinstance(listing, dict)
    assert [(entry["name"], entry["type"]) for entry in listing["entries"]] == [
        ("dir", "dir"),
        ("file", "file"),
        ("link", "link"),
    ]
    assert listing["entries"][1]["size"] == 3


def test_files_are_found_by_name_and_by_path(tmp_path: Path) -> None:
    for path in ("a.py", "src/b.py", "src/deep/c.py", "src/d.txt", f"src/{HIDDEN}x.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "out").symlink_to("/")

    def found(**args: object) -> object:
        answer = tool(tmp_path, "files_search", **args)
        assert isinstance(answer, dict)
        return answer["paths"]

    assert found(pattern="*.py") == ["a.py", "src/b.py", "src/deep/c.py"]
    assert found(pattern="src/*.py") == ["src/b.py", "src/deep/c.py"]
    assert found(pattern="*.py", path="src/deep") == ["src/deep/c.py"]
    assert found(pattern="passwd") == []
