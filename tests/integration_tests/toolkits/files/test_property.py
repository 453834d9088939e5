"""Whatever is done to whatever tree: undone, newest first, it is the tree that it was."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from langchain_agentrein import AgentRein, ApprovalRule, NotDone
from langchain_agentrein.engine import Call
from langchain_agentrein.flow import run
from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.files.delete import Delete
from langchain_agentrein.toolkits.files.directories import Mkdir, Rmtree
from langchain_agentrein.toolkits.files.root import Root
from langchain_agentrein.toolkits.files.transfer import Copy, Move
from langchain_agentrein.toolkits.files.write import Append, Write
from tests.integration_tests.toolkits.files.world import plant, world

names = st.sampled_from(["a", "b", "ü", "$bytes"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
texts = st.text(max_size=5)
operations: st.SearchStrategy[Operation] = st.one_of(
    st.builds(Write, path=paths, content=texts),
    st.builds(Append, path=paths, content=texts),
    st.builds(Delete, path=paths),
    st.builds(Move, source_path=paths, destination_path=paths),
    st.builds(Copy, source_path=paths, destination_path=paths),
    st.builds(Mkdir, path=paths),
    st.builds(Rmtree, path=paths),
)
trees = st.dictionaries(
    paths,
    st.one_of(
        st.tuples(st.binary(max_size=4), st.sampled_from([0o644, 0o600, 0o755, 0o444])),
        st.sampled_from(["a", "../b", "b/a", "/", "nowhere"]),
    ),
    max_size=6,
)


def grow(root: Path, tree: dict[str, Any]) -> None:
    for n, (path, what) in enumerate(tree.items()):
        try:
            if isinstance(what, str):
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).symlink_to(what)
            elif not (root / path).is_symlink():
                plant(root, path, what[0], mode=what[1], age=n)
        except OSError:
            continue  # a file is where a directory would be


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(tree=trees, ops=st.lists(operations, min_size=2, max_size=8))
def test_undoing_everything_brings_back_the_tree(tree: dict[str, Any], ops: list[Operation]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "root")
        path.mkdir()
        grow(path, {name: what for name, what in tree.items() if what != "/"})
        api = Root(path)
        before = world(path)
        rules = [ApprovalRule("files.*", "allow")]
        with AgentRein("sqlite://", rules=rules, clients={"files": api}, backoff=0.0) as rein:
            session = rein.session(intent="anything")
            for op in ops:
                try:
                    run(rein.perform(op, api, Call(session=session.record)))
                except NotDone:
                    continue
            if session.actions():
                report = session.rollback()
                assert report.counts.keys() <= {"restored"}, report
        assert world(path) == before
