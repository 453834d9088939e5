"""Nothing outside the root is ever touched, whatever the path, and whoever swaps a link in between."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from langchain_agentrein.action import Action, Status
from langchain_agentrein.errors import Conflict, NotDone
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.files.delete import Delete
from langchain_agentrein.toolkits.files.directories import Mkdir, Rmtree
from langchain_agentrein.toolkits.files.read import List, Read, Search
from langchain_agentrein.toolkits.files.root import HIDDEN, Root
from langchain_agentrein.toolkits.files.transfer import Copy, Move
from langchain_agentrein.toolkits.files.write import Append, Write
from tests.integration_tests.toolkits.files.world import plant, world

OUT = [
    "../secret",
    "a/../../secret",
    "/etc/hostname",
    "out/secret",
    "way/secret",
    "a/\0",
    "",
    "\ud800",
    "x/../..",
]


@pytest.fixture
def outside(tmp_path: Path, api: Root) -> Path:
    """A secret beside the root, and links in the root that lead there."""
    plant(tmp_path, "secret", "do not touch")
    plant(tmp_path, "root2/secret", "a name that begins like the root's")
    plant(api.path, "a/inner", "inner")
    (api.path / "out").symlink_to("..")
    (api.path / "way").symlink_to(tmp_path)
    (api.path / "secret-link").symlink_to("../secret")
    return tmp_path


def every(path: str) -> list[Operation]:
    return [
        Write(path=path, content="x"),
        Append(path=path, content="x"),
        Delete(path=path),
        Move(source_path=path, destination_path="b"),
        Move(source_path="a/inner", destination_path=path),
        Copy(source_path=path, destination_path="b"),
        Copy(source_path="a/inner", destination_path=path),
        Mkdir(path=path),
        Rmtree(path=path),
    ]


def recorded(op: Operation, api: Root) -> Action:
    return Action("act_1", "ses_1", op.name, 1, Status.EXECUTING, op.args, before=op.snapshot(api))


@pytest.mark.parametrize("path", [*OUT, "../root2/secret", f"{HIDDEN}x", f"a/{HIDDEN}x/y"])
def test_a_path_that_leads_out_is_refused(outside: Path, api: Root, path: str) -> None:
    before = world(outside)
    for op in every(path):
        with pytest.raises(NotDone):
            op.assess(api)
        with pytest.raises(NotDone):
            op.snapshot(api)
    for reading in (Read(path=path), List(path=path), Search(pattern="*", path=path)):
        with pytest.raises(NotDone):
            reading.do(api, None)  # type: ignore[arg-type]
    assert world(outside) == before


@pytest.mark.parametrize("path", [".", "a/..", "./", "a/../."])
def test_the_root_itself_is_not_moved_written_or_deleted(outside: Path, api: Root, path: str) -> None:
    before = world(outside)
    for op in every(path):
        if isinstance(op, Mkdir):
            assert op.snapshot(api)["made"] == []
            continue
        with pytest.raises(NotDone):
            op.snapshot(api)
    assert world(outside) == before


def test_a_link_that_leads_out_is_not_followed(outside: Path, api: Root) -> None:
    before = world(outside)
    for op in (
        Write(path="secret-link", content="x"),
        Append(path="secret-link", content="x"),
        Copy(source_path="secret-link", destination_path="b"),
        Copy(source_path="a/inner", destination_path="secret-link"),
        Rmtree(path="out"),
        Rmtree(path="way"),
    ):
        with pytest.raises(NotDone):
            op.snapshot(api)
    with pytest.raises(NotDone):
        Read(path="secret-link").do(api, None)  # type: ignore[arg-type]
    assert Search(pattern="secret", path=".").do(api, None)["paths"] == []  # type: ignore[arg-type]
    assert world(outside) == before


def test_a_link_that_leads_out_can_itself_be_moved_and_deleted(outside: Path, api: Root) -> None:
    before = world(outside)
    for op in (
        Move(source_path="secret-link", destination_path="renamed"),
        Move(source_path="a/inner", destination_path="secret-link"),
        Delete(path="way"),
    ):
        action = recorded(op, api)
        op.do(api, action)
        assert (outside / "secret").read_text() == "do not touch"
        op.undo(api, action)
        assert world(outside) == before


def test_an_absolute_path_inside_is_taken(outside: Path, api: Root) -> None:
    op = Write(path=str(api.path / "a" / "inner"), content="new")
    op.do(api, recorded(op, api))
    assert (api.path / "a" / "inner").read_text() == "new"


def swap(api: Root, outside: Path) -> Path:
    """Put a link to a directory outside where the directory `a` was."""
    (api.path / "a").rename(api.path / "aside")
    target = outside / "victim"
    plant(target, "inner", "inner")
    plant(target, "sub/x", "x")
    (api.path / "a").symlink_to(target)
    return target


SWAPPED: list[Any] = [
    Write(path="a/inner", content="x"),
    Write(path="a/new", content="x"),
    Append(path="a/inner", content="x"),
    Delete(path="a/inner"),
    Move(source_path="a/inner", destination_path="b"),
    Move(source_path="b0", destination_path="a/b"),
    Copy(source_path="b0", destination_path="a/b"),
    Mkdir(path="a/sub2"),
    Rmtree(path="a/sub"),
]


@pytest.mark.parametrize("op", SWAPPED, ids=lambda op: f"{op.name}-{next(iter(op.paths()))}")
def test_a_link_swapped_in_after_the_look_is_not_followed(outside: Path, api: Root, op: Any) -> None:
    plant(api.path, "b0", "b0")
    plant(api.path, "a/sub/x", "x")
    action = recorded(op, api)
    target = swap(api, outside)
    before = world(target)
    with pytest.raises(NotDone):
        op.do(api, action)
    assert world(target) == before


@pytest.mark.parametrize("op", SWAPPED, ids=lambda op: f"{op.name}-{next(iter(op.paths()))}")
def test_a_link_swapped_in_before_the_undo_is_not_followed(outside: Path, api: Root, op: Any) -> None:
    plant(api.path, "b0", "b0")
    plant(api.path, "a/sub/x", "x")
    action = recorded(op, api)
    op.do(api, action)
    target = swap(api, outside)
    before = world(target)
    try:
        op.undo(api, action)
    except (Conflict, NotDone):
        pass
    assert world(target) == before


def test_a_file_swapped_for_a_link_is_not_read(
    outside: Path, api: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at what it is and the opening of it."""
    real = Root.stat

    def late(self: Root, place: str) -> Any:
        there = real(self, place)
        (api.path / "a" / "inner").unlink()
        (api.path / "a" / "inner").symlink_to(outside / "secret")
        return there

    for op in (Read(path="a/inner"), Write(path="a/inner", content="x")):
        monkeypatch.setattr(Root, "stat", late)
        with pytest.raises(NotDone):
            op.do(api, None) if isinstance(op, Read) else op.snapshot(api)  # type: ignore[arg-type]
        monkeypatch.setattr(Root, "stat", real)
        (api.path / "a" / "inner").unlink()
        plant(api.path, "a/inner", "inner")
    assert (outside / "secret").read_text() == "do not touch"


STEPS = [
    "..",
    ".",
    "",
    "out",
    "way",
    "secret",
    "secret-link",
    "a",
    "inner",
    "root2",
    "\0",
    "~",
    "\ud800",
    "proc",
    "new",
]
ROUTES = st.tuples(st.sampled_from(["", "/", "//", "./"]), st.lists(st.sampled_from(STEPS), max_size=6))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROUTES, st.integers(0, 8))
def test_no_route_leads_out(outside: Path, api: Root, route: tuple[str, list[str]], which: int) -> None:
    def beside() -> dict[str, Any]:
        found = {path.name: path.read_text() for path in outside.iterdir() if path.is_file()}
        return {**found, "root2": (outside / "root2" / "secret").read_text()}

    before, op = beside(), every(route[0] + "/".join(route[1]))[which]
    # What the model may do inside the root, it may; a refusal says so.
    with contextlib.suppress(NotDone, Conflict):
        op.do(api, recorded(op, api))
    assert beside() == before
