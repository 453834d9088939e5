"""What a snapshot, a refusal or an undo must get right beyond the laws."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from langchain_agentrein import AgentRein, ApprovalRule
from langchain_agentrein.action import Action, Risk, Status
from langchain_agentrein.errors import Conflict, NotDone
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.files import FilesToolkit, place
from langchain_agentrein.toolkits.files.delete import Delete
from langchain_agentrein.toolkits.files.directories import Mkdir, Rmtree
from langchain_agentrein.toolkits.files.root import Root
from langchain_agentrein.toolkits.files.transfer import Copy, Move
from langchain_agentrein.toolkits.files.write import Append, Write
from tests.integration_tests.toolkits.files.world import plant, world


def recorded(op: Operation, api: Root) -> Action:
    return Action("act_1", "ses_1", op.name, 1, Status.EXECUTING, op.args, before=op.snapshot(api))


def refused(op: Operation, api: Root, *words: str) -> None:
    """The operation is refused, in these words, and changes nothing."""
    before = world(api.path)
    with pytest.raises(NotDone) as caught:
        op.do(api, recorded(op, api))
    assert all(word in str(caught.value) for word in words), caught.value
    assert world(api.path) == before


def test_collisions_are_refused_by_name(api: Root) -> None:
    plant(api.path, "file")
    plant(api.path, "dir/inner")
    refused(Write(path="dir", content="x"), api, "dir is a directory")
    refused(Write(path="file/x", content="x"), api, "file is not a directory")
    refused(Append(path="dir", content="x"), api, "is a directory")
    refused(Delete(path="dir"), api, "files_rmtree")
    refused(Delete(path="nothing"), api, "there is no nothing")
    refused(Mkdir(path="file"), api, "is a file")
    refused(Mkdir(path="file/x"), api, "not a directory")
    refused(Rmtree(path="file"), api, "files_delete")
    refused(Rmtree(path="nothing"), api, "there is no nothing")
    refused(Move(source_path="nothing", destination_path="x"), api, "there is no nothing")
    refused(Move(source_path="file", destination_path="dir"), api, "full destination")
    refused(Move(source_path="dir", destination_path="file"), api, "cannot take its place")
    refused(Move(source_path="dir", destination_path="dir/sub"), api, "into itself")
    refused(Move(source_path="file", destination_path="./file"), api, "are the same")
    refused(Copy(source_path="dir", destination_path="x"), api, "is a directory")
    refused(Copy(source_path="file", destination_path="file"), api, "the same file")
    refused(Write(path="x" * 300, content="x"), api, "too long")
    refused(Mkdir(path="new/" + "x" * 300), api, "too long")
    refused(Write(path="x", content="ü", encoding="ascii"), api, "utf-8")


def test_pipes_are_refused(api: Root) -> None:
    os.mkfifo(api.path / "pipe")
    plant(api.path, "dir/x")
    os.mkfifo(api.path / "dir" / "pipe")
    for op in (Write(path="pipe", content="x"), Append(path="pipe", content="x"), Delete(path="pipe")):
        with pytest.raises(NotDone, match="plain file"):
            op.snapshot(api)
    for other in (
        Move(source_path="pipe", destination_path="x"),
        Copy(source_path="pipe", destination_path="x"),
        Copy(source_path="dir/x", destination_path="pipe"),
        Rmtree(path="dir"),
    ):
        with pytest.raises(NotDone, match="plain file"):
            other.snapshot(api)


def test_an_unknown_encoding_is_refused_before_anything() -> None:
    with pytest.raises(ValueError, match="no encoding is called 'klingon'"):
        Write(path="x", content="x", encoding="klingon")


@pytest.mark.parametrize("call", ["replace", "link", "fsync"])
@pytest.mark.parametrize("path", ["old", "new/dir/file"])
def test_a_full_disk_leaves_everything_as_it_was(
    api: Root, monkeypatch: pytest.MonkeyPatch, call: str, path: str
) -> None:
    plant(api.path, "old", "old")
    before, op = world(api.path), Write(path=path, content="new")
    action = recorded(op, api)

    def full(*args: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    if call == {"old": "link"}.get(path, "replace"):
        op.do(api, action)  # that call is not made for it
        return
    with pytest.raises(NotDone, match="no space left on the device; nothing was changed"):
        op.do(api, action)
    assert world(api.path) == before


def test_a_file_that_appears_after_the_look_is_not_overwritten(
    api: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even in the last moment: between our check and the system call that names the file."""
    plant(api.path, "source", "mine")
    for op in (
        Write(path="new", content="mine"),
        Copy(source_path="source", destination_path="new"),
        Move(source_path="source", destination_path="new"),
    ):
        action = recorded(op, api)
        real = os.link

        def late(*args: Any, real: Any = real, **options: Any) -> None:
            (api.path / "new").write_text("theirs")
            real(*args, **options)

        monkeypatch.setattr(os, "link", late)
        with pytest.raises(NotDone, match="something is there already"):
            op.do(api, action)
        monkeypatch.setattr(os, "link", real)
        assert (api.path / "new").read_text() == "theirs"
        assert (api.path / "source").read_text() == "mine"
        assert len(list(api.path.iterdir())) == 2
        (api.path / "new").unlink()


@pytest.mark.parametrize(
    "op",
    [
        Write(path="a", content="mine"),
        Append(path="a", content="mine"),
        Delete(path="a"),
        Move(source_path="b", destination_path="a"),
        Copy(source_path="b", destination_path="a"),
        Rmtree(path="t"),
    ],
    ids=lambda op: op.name,
)
def test_what_changed_after_the_look_is_not_overwritten(api: Root, op: Operation) -> None:
    plant(api.path, "a", "old")
    plant(api.path, "b", "b")
    plant(api.path, "t/x", "x")
    action = recorded(op, api)
    (api.path / "a").write_text("theirs")
    (api.path / "t" / "theirs").write_text("theirs")
    before = world(api.path)
    with pytest.raises(NotDone, match="look again"):
        op.do(api, action)
    assert world(api.path) == before


def test_an_undo_looks_again_right_before(api: Root) -> None:
    plant(api.path, "a", "old")
    op = Write(path="a", content="mine")
    action = recorded(op, api)
    op.do(api, action)
    (api.path / "a").write_text("theirs")
    with pytest.raises(Conflict):
        op.undo(api, action)
    assert (api.path / "a").read_text() == "theirs"


def test_a_copy_whose_source_changes_meanwhile_is_not_made(api: Root) -> None:
    plant(api.path, "a", "old")
    op = Copy(source_path="a", destination_path="b")
    action = recorded(op, api)
    (api.path / "a").write_text("other")
    with pytest.raises(NotDone, match="changed while it was copied"):
        op.do(api, action)
    assert not (api.path / "b").exists()


def test_writing_what_is_there_already_leaves_its_time(api: Root) -> None:
    plant(api.path, "a", "same")
    before = world(api.path)
    for op in (Write(path="a", content="same"), Append(path="a", content="")):
        op.do(api, recorded(op, api))
        assert world(api.path) == before


def test_more_than_an_undo_keeps_is_refused(api: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(api.path, "dir/a", "x" * 60)
    plant(api.path, "dir/b", "x" * 60)
    for cls in (Write, Delete, Rmtree):
        monkeypatch.setattr(cls, "keeps", 100)
    monkeypatch.setattr(Write, "keeps", 50)
    refused(Write(path="dir/a", content="x"), api, "60 bytes", "at most 50")
    refused(Rmtree(path="dir"), api, "too large to be put back")
    monkeypatch.setattr(Rmtree, "keeps", 1000)
    monkeypatch.setattr(Rmtree, "most", 2)
    refused(Rmtree(path="dir"), api, "in 2 files")


def test_the_times_of_a_deleted_tree_come_back_for_its_directories_too(api: Root) -> None:
    plant(api.path, "t/sub/x", "x")
    for path in ("t/sub", "t"):
        os.utime(api.path / path, ns=(1, 1_234_567_890_000_000_001))
    op = Rmtree(path="t")
    action = recorded(op, api)
    op.do(api, action)
    op.undo(api, action)
    assert {(api.path / path).stat().st_mtime_ns for path in ("t", "t/sub")} == {1_234_567_890_000_000_001}


def test_what_an_undo_cannot_put_back_is_named(api: Root) -> None:
    plant(api.path, "one", "x")
    os.link(api.path / "one", api.path / "two")
    op = Delete(path="one")
    action = recorded(op, api)
    op.do(api, action)
    assert op.undo(api, action) == ["one was one of 2 names of one file, and is now a file of its own"]


def test_extended_attributes_come_back(api: Root) -> None:
    path = plant(api.path, "a", "x")
    try:
        os.setxattr(path, "user.note", b"\xff kept")
    except (OSError, AttributeError):
        pytest.skip("no extended attributes here")
    for op in (Write(path="a", content="new"), Delete(path="a")):
        action = recorded(op, api)
        op.do(api, action)
        assert op.undo(api, action) == []
        assert os.getxattr(path, "user.note") == b"\xff kept"


def test_a_directory_others_use_stays_and_is_named(api: Root) -> None:
    op = Write(path="a/b/c", content="x")
    action = recorded(op, api)
    op.do(api, action)
    plant(api.path, "a/theirs", "theirs")
    assert op.undo(api, action) == ["the directory a stays, since others put theirs into it"]
    assert set(world(api.path)) == {"a", "a/theirs"}


@pytest.mark.parametrize(
    ("op", "risk", "words"),
    [
        (Write(path="new", content="12345"), Risk.LOW, ["new", "5 bytes"]),
        (Write(path="a", content="12345"), Risk.MEDIUM, ["3 bytes of a"]),
        (Append(path="a", content="12"), Risk.MEDIUM, ["2 bytes", "3 of a"]),
        (Delete(path="a"), Risk.HIGH, ["a, 3 bytes"]),
        (Move(source_path="a", destination_path="b"), Risk.MEDIUM, ["a to b"]),
        (Copy(source_path="a", destination_path="b"), Risk.LOW, ["3 bytes of a to b"]),
        (Copy(source_path="a", destination_path="t/x"), Risk.MEDIUM, ["over t/x, replacing 4 bytes"]),
        (Mkdir(path="d"), Risk.LOW, ["d"]),
        (Rmtree(path="t"), Risk.HIGH, ["2 files in 2 directories, 10 bytes"]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_risk_is_told_in_counts_and_bytes(api: Root, op: Operation, risk: Risk, words: list[str]) -> None:
    plant(api.path, "a", "123")
    plant(api.path, "t/x", "1234")
    plant(api.path, "t/u/y", "123456")
    assessed = op.assess(api)
    assert assessed.risk is risk
    assert all(word in assessed.summary for word in words), assessed.summary


@pytest.fixture
def as_nobody() -> Iterator[Root]:
    """A root of a user who is not root; as root, this process becomes one for a while."""
    path = Path(tempfile.mkdtemp())
    nobody = os.geteuid() == 0
    if nobody:
        os.chown(path, 65534, 65534)
        os.setegid(65534)
        os.seteuid(65534)
    try:
        yield Root(path)
    finally:
        if nobody:
            os.seteuid(0)
            os.setegid(0)
        shutil.rmtree(path)


def test_what_is_read_only_is_refused(as_nobody: Root) -> None:
    api = as_nobody
    plant(api.path, "file", "old", mode=0o444)
    plant(api.path, "closed/x", "x")
    plant(api.path, "other", "other")
    (api.path / "closed").chmod(0o555)
    refused(Write(path="file", content="x"), api, "file is read-only")
    refused(Append(path="file", content="x"), api, "file is read-only")
    refused(Copy(source_path="other", destination_path="file"), api, "file is read-only")
    refused(Move(source_path="other", destination_path="file"), api, "file is read-only")
    refused(Write(path="closed/x", content="x"), api, "closed is read-only")
    refused(Write(path="closed/new", content="x"), api, "permission denied")
    refused(Write(path="closed/a/new", content="x"), api, "permission denied")
    refused(Delete(path="closed/x"), api, "permission denied")
    refused(Rmtree(path="closed"), api, "closed is read-only")
    plant(api.path, "secret", "x", mode=0o000)
    with pytest.raises(NotDone, match="permission denied"):
        Delete(path="secret").snapshot(api)
    (api.path / "closed").chmod(0o755)


def test_a_read_only_file_can_be_deleted_and_comes_back_read_only(as_nobody: Root) -> None:
    api = as_nobody
    plant(api.path, "t/file", "old", mode=0o444)
    (api.path / "t" / "empty").mkdir(mode=0o500)
    before = world(api.path)
    for op in (Delete(path="t/file"), Rmtree(path="t")):
        action = recorded(op, api)
        op.do(api, action)
        assert op.undo(api, action) == []
        assert world(api.path) == before


def test_another_process_undoes_with_the_root_from_the_environment(api: Root, tmp_path: Path) -> None:
    plant(api.path, "t/a", b"\x00\xff")
    before = world(api.path)
    journal = f"sqlite:///{tmp_path / 'journal.db'}"
    with AgentRein(journal, rules=[ApprovalRule("files.rmtree", "allow")]) as rein:
        [rmtree] = rein.tools(FilesToolkit(api, include=["files.rmtree"]))
        with rein.session(intent="tidy up") as session:
            rmtree.invoke({"path": "t"})
    script = (
        "import sys; from langchain_agentrein import AgentRein\n"
        "with AgentRein(sys.argv[1]) as rein: print(rein.rollback(session=sys.argv[2]).counts)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, journal, session.id],
        env={**os.environ, "AGENTREIN_FILES_ROOT": str(api.path), "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "{'restored': 1}", done.stderr
    assert world(api.path) == before


def test_another_root_does_not_undo_it(api: Root, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    elsewhere = Root(tmp_path / "elsewhere")
    with AgentRein(f"sqlite:///{tmp_path / 'journal.db'}", clients={"files": elsewhere}) as rein:
        [write] = rein.tools(FilesToolkit(api, include=["files.write"]))
        with rein.session(intent="note it") as session:
            write.invoke({"path": "a", "content": "mine"})
        plant(elsewhere.path, "a", "mine")
        [line] = session.rollback()
    assert line.outcome == "stuck"
    assert "WrongAccount" in (line.error or "")
    assert (elsewhere.path / "a").exists()
    assert (api.path / "a").exists()


def test_a_mode_that_others_changed_is_a_conflict(api: Root) -> None:
    op = Write(path="a", content="mine")
    action = recorded(op, api)
    op.do(api, action)
    (api.path / "a").chmod(0o600)
    with pytest.raises(Conflict):
        op.undo(api, action)
    assert (api.path / "a").exists()


def test_a_directory_others_use_does_not_keep_the_rest_from_being_undone(api: Root, tmp_path: Path) -> None:
    with AgentRein(f"sqlite:///{tmp_path / 'journal.db'}") as rein:
        [write] = rein.tools(FilesToolkit(api, include=["files.write"]))
        with rein.session(intent="note it") as session:
            write.invoke({"path": "a/b/mine", "content": "mine"})
        plant(api.path, "a/theirs", "theirs")
        [line] = session.rollback()
    assert (line.outcome, line.residue) == (
        "compensated",
        ("the directory a stays, since others put theirs into it",),
    )
    assert set(world(api.path)) == {"a", "a/theirs"}


def test_what_was_moved_and_then_edited_is_not_moved_back(api: Root) -> None:
    plant(api.path, "a", "mine")
    op = Move(source_path="a", destination_path="b")
    action = recorded(op, api)
    op.do(api, action)
    for change in ("edited", None):
        if change is None:
            (api.path / "b").unlink()
        else:
            (api.path / "b").write_text(change)
        before = world(api.path)
        with pytest.raises(Conflict, match="cannot be moved back"):
            op.undo(api, action)
        assert world(api.path) == before


def test_a_made_directory_whose_mode_others_changed_is_a_conflict(api: Root) -> None:
    op = Mkdir(path="a/b")
    action = recorded(op, api)
    op.do(api, action)
    (api.path / "a" / "b").chmod(0o700)
    with pytest.raises(Conflict):
        op.undo(api, action)
    assert (api.path / "a" / "b").is_dir()


def test_a_tree_is_not_put_back_over_what_somebody_made_in_the_last_moment(
    api: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(api.path, "t/x", "x")
    op = Rmtree(path="t")
    action = recorded(op, api)
    op.do(api, action)
    real = place._build

    def late(*args: Any) -> None:
        real(*args)
        (api.path / "t").mkdir(mode=0o700)

    monkeypatch.setattr(place, "_build", late)
    with pytest.raises(Conflict):
        op.undo(api, action)
    assert world(api.path)["t"] == ("dir", 0o700)


def test_a_directory_is_never_overwritten_even_if_somebody_says_so(api: Root) -> None:
    plant(api.path, "a", "old")
    op = Delete(path="a")
    action = recorded(op, api)
    op.do(api, action)
    plant(api.path, "a/theirs", "theirs")
    with pytest.raises(Conflict, match="never overwritten"):
        op.undo(api, action.with_(undo_forced=True))
    assert (api.path / "a" / "theirs").read_text() == "theirs"


def test_what_somebody_put_where_a_moved_file_was_is_kept(api: Root) -> None:
    plant(api.path, "a", "mine")
    op = Move(source_path="a", destination_path="b")
    action = recorded(op, api)
    op.do(api, action)
    plant(api.path, "a", "theirs")
    before = world(api.path)
    with pytest.raises(Conflict, match="something else at a"):
        op.undo(api, action)
    assert world(api.path) == before
