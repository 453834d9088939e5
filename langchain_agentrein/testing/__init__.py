"""The laws that every operation keeps, as a pytest suite. Needs pytest.

Subclass it once for each operation, and say what the world is:

    class TestRetitle(OperationLaws):
        @pytest.fixture
        def api(self): return Tracker({1: "old"})

        @pytest.fixture
        def operation(self): return Retitle(number=1, title="new")

        def world(self, api): return dict(api.titles)
        def foreign_edit(self, api): api.titles[1] = "theirs"; return True

Everything runs through a real engine over a journal on SQLite. An operation that changes nothing
subclasses `ReadingLaws` instead.
"""

import pytest

pytest.register_assert_rewrite("langchain_agentrein.testing.laws", "langchain_agentrein.testing.operation")

from langchain_agentrein.testing.laws import ReadingLaws  # noqa: E402
from langchain_agentrein.testing.operation import OperationLaws  # noqa: E402

__all__ = ["OperationLaws", "ReadingLaws"]
