"""The table of docs/gmail.md, from the operations themselves: `python -m tests.integration_tests.toolkits.gmail.table`."""

from __future__ import annotations

from langchain_agentrein.operation import Operation
from langchain_agentrein.toolkits.gmail import GmailToolkit
from tests.support import operations_table

PAGE = operations_table.DOCS / "gmail.md"
OURS = (
    "gmail.profile.",
    "gmail.settings.vacation.",
    "gmail.settings.auto_forwarding.",
    "gmail.settings.send_as.",
    "gmail.settings.forwarding",
)
"""What the emulator does not serve, and `tests/support/gmail_front.py` does, as Google documents it."""


def proved(operation: type[Operation]) -> str:
    """What an operation is proved against."""
    return "the contract" if operation.name.startswith(OURS) else "emulator"


def page(now: str) -> str:
    """The page with the table renewed."""
    return operations_table.page(now, GmailToolkit, "scopes", proved)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
