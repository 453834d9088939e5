"""The tables of docs/github.md and docs/proxy.md, from what they tell of.

`python -m tests.integration_tests.toolkits.github.table` renews them.
"""

from __future__ import annotations

import inspect
from pathlib import Path

from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.github import GitHubToolkit
from langchain_agentrein.toolkits.github.operation import GitHubOperation
from langchain_agentrein.toolkits.github.sdk.rows import ROWS
from tests.integration_tests.toolkits.github.test_laws import NOT_SERVED
from tests.integration_tests.toolkits.github.test_sdk_rows import ON_PULLS

PAGE = Path(__file__).parents[4] / "docs" / "github.md"
PROXY = PAGE.with_name("proxy.md")
BEGIN, END = "<!-- written by make operations -->\n", "<!-- until here -->\n"


def row(operation: type[Operation]) -> str:
    """One line of the table."""
    assert issubclass(operation, GitHubOperation)
    said = " ".join((inspect.getdoc(operation) or "").split())
    reaches = ", ".join(sorted(map(str, operation.undo_effects))) or "-"
    probe = "yes" if operation.overrides("probe") else "-"
    proved = "the contract only" if operation.name in NOT_SERVED else "emulator"
    if operation.read_only:
        return f"| `{operation.name}` | {said} | - | - | - | - | {', '.join(operation.scopes)} | {proved} |"
    return (
        f"| `{operation.name}` | {said} | {operation.reversal} | {operation.risk} | {reaches} | {probe} "
        f"| {', '.join(operation.scopes)} | {proved} |"
    )


def table() -> str:
    """All of them."""
    head = [
        "| operation | what it does, and what its undo does | reversal | risk | the undo itself | probe "
        "| token's permission | proved against |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *(row(operation) for operation in GitHubToolkit.operations)]) + "\n"


def methods() -> str:
    """PyGithub's methods that a wrapped client covers."""
    lines = ["| PyGithub | operation | proved against |", "| --- | --- | --- |"]
    for method, row in ROWS.items():
        proved = "its arguments only" if method in ON_PULLS else "emulator"
        lines.append(f"| `{method}` | `{row.operation.name}` | {proved} |")
    return "\n".join(lines) + "\n"


def page(now: str, table: str) -> str:
    """A page with its table renewed."""
    before, _, rest = now.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(), table()))
    PROXY.write_text(page(PROXY.read_text(), methods()))
