"""The tables of docs/github.md and docs/proxy.md, from the operations themselves: what `make operations` writes."""

from __future__ import annotations

from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.github import GitHubToolkit
from langchain_agentrein.toolkits.github.sdk.rows import ROWS
from tests.integration_tests.toolkits.github.sdk.test_sdk_rows import ON_PULLS
from tests.integration_tests.toolkits.github.test_laws import NOT_SERVED
from tests.support import operations_table

PAGE = operations_table.DOCS / "github.md"
PROXY = operations_table.DOCS / "proxy.md"


def proved(operation: type[Operation]) -> str:
    """What an operation is proved against."""
    return "the contract only" if operation.name in NOT_SERVED else "emulator"


def page(now: str) -> str:
    """The toolkit's page with its table renewed."""
    return operations_table.page(now, GitHubToolkit, "token's permission", proved)


def proxy_page(now: str) -> str:
    """The proxy's page with its table renewed: PyGithub's methods that a wrapped client covers."""
    lines = ["| PyGithub | operation | proved against |", "| --- | --- | --- |"]
    for method, row in ROWS.items():
        by = "its arguments only" if method in ON_PULLS else "emulator"
        lines.append(f"| `{method}` | `{row.operation.name}` | {by} |")
    return operations_table.renewed(now, lines)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
    PROXY.write_text(proxy_page(PROXY.read_text()))
