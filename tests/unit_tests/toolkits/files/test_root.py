from __future__ import annotations

import os
from pathlib import Path

import pytest

from langchain_agentrein.errors import ConfigError, NotDone
from langchain_agentrein.toolkits.files.operation import touching
from langchain_agentrein.toolkits.files.root import HERE, Root, above, beneath


@pytest.fixture
def root(tmp_path: Path) -> Root:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").write_text("x")
    (tmp_path / "link").symlink_to("a/b")
    (tmp_path / "circle").symlink_to("circle")
    return Root(tmp_path)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("a/file", "a/file"),
        ("./a//file", "a/file"),
        ("a/b/../file", "a/file"),
        ("a/b/", "a/b"),
        ("link/new", "a/b/new"),
        ("link/../file", "a/file"),  # as the system resolves it, not as the words look
        ("not/there/yet", "not/there/yet"),
        ("ünïcode \N{GRINNING FACE}", "ünïcode \N{GRINNING FACE}"),
        (".", HERE),
        ("a/..", HERE),
        ("link", "a/b"),
    ],
)
def test_a_path_has_one_place(root: Root, path: str, place: str) -> None:
    assert root.locate(path) == place
    assert root.locate(str(root.path / path)) == place


def test_the_place_of_a_link_is_its_own_where_it_is_not_followed(root: Root) -> None:
    assert root.locate("link", follow=False) == "link"
    assert root.locate("link/", follow=False) == "link"
    assert root.locate("link/x", follow=False) == "a/b/x"
    assert root.locate("link/..", follow=False) == "a"


def test_a_circle_of_links_holds_nothing(root: Root) -> None:
    assert root.stat(root.locate("circle/x")) is None


def test_the_root_of_the_file_system_can_be_the_root() -> None:
    assert Root("/").locate("/etc/hostname") == "etc/hostname"
    assert Root("/").locate("../etc") == "etc"


def test_a_link_to_the_root_is_resolved(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to("real")
    root = Root(tmp_path / "alias")
    assert root.path == tmp_path.resolve() / "real"
    assert root.account == f"file://{tmp_path.resolve()}/real"


def test_a_root_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a directory"):
        Root(tmp_path / "nothing")


def test_a_descriptor_is_closed_whatever_happens(root: Root) -> None:
    before = len(os.listdir("/dev/fd"))
    with root.directory("a/b"):
        pass
    with pytest.raises(FileNotFoundError), root.directory("a/nothing/b"):
        pass
    with pytest.raises(NotADirectoryError), root.directory("link"):
        pass
    assert len(os.listdir("/dev/fd")) == before


def test_what_is_missing_above_a_place_is_named_from_the_top(root: Root) -> None:
    assert root.missing("a/x/y/z") == ["a/x", "a/x/y"]
    assert root.missing("a/x") == root.missing("x") == []
    with pytest.raises(NotDone, match="a/file is not a directory"):
        root.missing("a/file/x/y")


def test_above_and_beneath_are_each_others_reverse() -> None:
    for place in ("a", "a/b", "a/b/c"):
        assert beneath(above(place), place.rpartition("/")[2]) == place


def test_what_an_operation_touches_takes_in_the_directories_above() -> None:
    assert set(touching("a/./b/../c")) == {"files:/a", "files:/a/c"}
    assert set(touching("a/c")) & set(touching("/srv/root/a/x"))
    assert not set(touching("a/c")) & set(touching("b/c"))
