"""The table of docs/github.md, from the operations themselves: `python -m tests.integration_tests.toolkits.github.table`."""

from __future__ import annotations

from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.github import GitHubToolkit
from tests.integration_tests.toolkits.github.test_laws import NOT_SERVED
from tests.support import operations_table

PAGE = operations_table.DOCS / "github.md"


def proved(operation: type[Operation]) -> str:
    """What an operation is proved against."""
    return "the contract only" if operation.name in NOT_SERVED else "emulator"


def page(now: str) -> str:
    """The page with the table renewed."""
    return operations_table.page(now, GitHubToolkit, "token's permission", proved)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
