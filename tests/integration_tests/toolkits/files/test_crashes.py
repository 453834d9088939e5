"""A kill -9 at any system call of `do` or `undo` leaves what was before or what comes after, and the record settles it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from langchain_agentrein.action import Action, Status
from langchain_agentrein.engine.compare import compare
from langchain_agentrein.operation import Happened, NotHappened
from langchain_agentrein.toolkits.files.delete import Delete
from langchain_agentrein.toolkits.files.directories import Mkdir, Rmtree
from langchain_agentrein.toolkits.files.root import HIDDEN, Root
from langchain_agentrein.toolkits.files.transfer import Copy, Move
from langchain_agentrein.toolkits.files.write import Append, Write
from tests.integration_tests.toolkits.files.world import plant, world

CALLS = (
    "open",
    "mkdir",
    "link",
    "replace",
    "rename",
    "unlink",
    "rmdir",
    "symlink",
    "fchmod",
    "fsync",
    "utime",
)
OPERATIONS: list[Any] = [
    Write(path="new", content="new"),
    Write(path="x/y/new", content="new"),
    Write(path="old", content="new"),
    Append(path="old", content="more"),
    Delete(path="old"),
    Delete(path="link"),
    Move(source_path="old", destination_path="x/moved"),
    Move(source_path="old", destination_path="other"),
    Move(source_path="tree", destination_path="x/tree"),
    Copy(source_path="old", destination_path="x/copy"),
    Copy(source_path="old", destination_path="other"),
    Mkdir(path="x/y/z"),
    Rmtree(path="tree"),
]


@pytest.fixture
def here(api: Root, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "fsync", lambda fd: None)  # a kill is no power cut, and this is slow
    plant(api.path, "old", "old", mode=0o640)
    plant(api.path, "other", "other", age=9)
    plant(api.path, "tree/a", "a")
    plant(api.path, "tree/sub/b", "b")
    (api.path / "link").symlink_to("old")
    return api.path


def killed_at(n: int, work: Callable[[], Any]) -> bool:
    """Do `work` in a child that is killed before its n-th system call; whether it was."""
    child = os.fork()
    if child == 0:
        count = 0

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **options: Any) -> Any:
                nonlocal count
                count += 1
                if count == n:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args, **options)

            return call

        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        try:
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "it failed for another reason"
    return os.WIFSIGNALED(status)


def visible(root: Path) -> dict[str, Any]:
    """The world without our hidden rests, and without empty directories made along the way."""
    found = {name: entry for name, entry in world(root).items() if HIDDEN not in name}
    for name in sorted(found, reverse=True):
        if (
            found[name][0] == "dir"
            and name.startswith("x")
            and not any(n.startswith(f"{name}/") for n in found)
        ):
            del found[name]
    return found


def content(state: dict[str, Any]) -> dict[str, Any]:
    """Without the times, which a child that writes does not share with us."""
    return {name: (entry[0], entry[-1]) if entry[0] == "file" else entry[:2] for name, entry in state.items()}


@pytest.mark.parametrize("op", OPERATIONS, ids=lambda op: f"{op.name}-{list(op.paths())[-1]}")
def test_a_kill_in_do_leaves_old_or_new_and_the_probe_knows_which(here: Path, api: Root, op: Any) -> None:
    before = world(here)
    snapshot = op.snapshot(api)
    answers = set()
    for n in range(1, 500):
        action = Action(f"act_{n}", "ses_1", op.name, 1, Status.EXECUTING, op.args, before=snapshot)
        killed = killed_at(n, partial(op.do, api, action))
        seen = content(visible(here))
        answer = op.probe(api, action)
        answers.add(type(answer))
        if isinstance(answer, NotHappened):
            assert world(here) == before, f"killed at call {n}: not as it was"
        else:
            assert isinstance(answer, Happened), f"killed at call {n}: {answer}"
            assert op.observe(api, action) == op.expect(action)
            op.undo(api, action)
            assert world(here) == before, f"killed at call {n}: not undone"
        if isinstance(op, Move) and isinstance(answer, NotHappened):
            assert set(content(visible(here))) <= set(seen), "a kill in a move hid something"
        if not killed:
            break
    assert answers == {Happened, NotHappened} or (isinstance(op, Mkdir) and Happened in answers)


@pytest.mark.parametrize("op", OPERATIONS, ids=lambda op: f"{op.name}-{list(op.paths())[-1]}")
def test_a_kill_in_undo_can_be_finished(here: Path, api: Root, op: Any) -> None:
    before = world(here)
    for n in range(1, 500):
        action = Action(f"act_{n}", "ses_1", op.name, 1, Status.EXECUTING, op.args, before=op.snapshot(api))
        op.do(api, action)
        action = action.with_(after=op.observe(api, action))
        killed = killed_at(n, partial(op.undo, api, action))
        state = compare(op.observe(api, action), before=op.as_before(action), after=action.after)
        assert not state.taken, f"killed at call {n}: taken for somebody else's change: {state.why}"
        if not state.already_undone:
            op.undo(api, action)
        left = {name for name in world(here) if HIDDEN in name}
        assert {name: entry for name, entry in world(here).items() if name not in left} == before
        for name in sorted(left, reverse=True):
            path = here / name
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        if not killed:
            assert not left
            break
