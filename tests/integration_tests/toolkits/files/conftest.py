from __future__ import annotations

from pathlib import Path

import pytest

from langchain_agentrein.toolkits.files.root import Root


@pytest.fixture
def api(tmp_path: Path) -> Root:
    """A root with some things in it."""
    root = tmp_path / "root"
    root.mkdir()
    return Root(root)
