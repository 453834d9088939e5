"""The scripted model: what a good, hurried assistant would say and do about the clean-up."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import BaseMessage, ToolMessage

from langchain_agentrein.demo.scripted import Turn
from langchain_agentrein.demo.shop import DUPLICATE, KEPT

MONTH = "2025-06"
GOAL = (
    "Please do the July clean-up of the customer base. The rules are in RULES.md. Billing wants to run "
    "Friday's invoices, so hand June over to them when you are done."
)
BULK_DELETE = "DELETE FROM customers WHERE last_seen_on < '2021-01-01'"


def clean_up(messages: Sequence[BaseMessage]) -> tuple[Turn, ...]:
    """The script; after a rejected deletion the agent leaves those customers alone."""
    rejected = any(_is_rejection(message) for message in messages)
    return (
        (
            "Before I change anything I want to know the tables, and what the rules say exactly.",
            "I will look at the database and at the rules first.",
            (("sql_schema", {}), ("files_read", {"path": "RULES.md"}), ("files_list", {"path": "exports"})),
        ),
        (
            "Rule 1 is about country codes, rule 3 about customers not seen since before 2021. "
            "Counting first shows how large each step is.",
            "Let me count what each rule is about.",
            (
                ("sql_query", {"statement": "SELECT country, count(*) FROM customers GROUP BY country"}),
                (
                    "sql_query",
                    {"statement": "SELECT count(*) FROM customers WHERE last_seen_on < '2021-01-01'"},
                ),
                (
                    "sql_query",
                    {
                        "statement": "SELECT id, email, name FROM customers WHERE id IN (:kept, :duplicate)",
                        "parameters": {"kept": KEPT, "duplicate": DUPLICATE},
                    },
                ),
            ),
        ),
        (
            "Some customers still have UK as their country. ISO says GB, and rule 1 says ISO.",
            "Rule 1: country codes.",
            (("sql_execute", {"statement": "UPDATE customers SET country = 'GB' WHERE country = 'UK'"}),),
        ),
        (
            "2213 and 17 are both Ada Okafor. The orders have to move before 2213 is marked as merged, "
            "or nobody would find them any more.",
            "Rule 2: the duplicate's orders.",
            (
                (
                    "sql_execute",
                    {
                        "statement": "UPDATE orders SET customer_id = :kept WHERE customer_id = :duplicate",
                        "parameters": {"kept": KEPT, "duplicate": DUPLICATE},
                    },
                ),
            ),
        ),
        (
            "The orders are with 17 now, so 2213 can be marked.",
            "Rule 2: the duplicate itself.",
            (
                (
                    "sql_execute",
                    {
                        "statement": "UPDATE customers SET status = 'merged', referred_by = :kept "
                        "WHERE id = :duplicate",
                        "parameters": {"kept": KEPT, "duplicate": DUPLICATE},
                    },
                ),
            ),
        ),
        *(
            (
                f"The export of {year} is from an earlier year, and rule 4 wants those in the archive.",
                f"Rule 4: the export of {year}.",
                (
                    (
                        "files_move",
                        {
                            "source_path": f"exports/orders-{year}.csv",
                            "destination_path": f"exports/archive/orders-{year}.csv",
                        },
                    ),
                ),
            )
            for year in (2023, 2024)
        ),
        (
            "Rule 3 says that customers not seen since before 2021 are deleted, with all that hangs on them: "
            "orders and addresses go along by the foreign keys. And rule 4 wants the tmp file gone.",
            "Rule 3: old customers, and the file that rule 4 wants deleted. You may want to look at these.",
            (
                ("sql_execute", {"statement": BULK_DELETE}),
                ("files_delete", {"path": "exports/tmp-june-retry.csv"}),
            ),
        ),
        (
            "The deletion was turned down, so I leave those customers as they are and say so in the log."
            if rejected
            else "The old customers are gone. Rule 5 wants it written down, and a ticket for the warehouse.",
            "Rule 5: log and ticket.",
            (
                ("files_write", {"path": "notes/cleanup-log.md", "content": _log(rejected)}),
                (
                    "sql_execute",
                    {
                        "statement": "INSERT INTO tickets (customer_id, subject, status, opened_on) "
                        "VALUES (:customer, :subject, 'open', '2025-07-01')",
                        "parameters": {"customer": KEPT, "subject": "Merged with 2213: check shelf labels"},
                    },
                ),
            ),
        ),
        (
            "Everything in the rules is done but rule 6: billing can have June.",
            "Rule 6: handing June over to billing.",
            (("billing_hand_over", {"month": MONTH}),),
        ),
        ("", "The clean-up is done, and June is with billing.", ()),
    )


def _log(rejected: bool) -> str:
    deleted = "not deleted, a person said no" if rejected else "deleted with their orders"
    return (
        "# Clean-up log\n\n- 2025-04-01: countries, nothing else (Mara)\n"
        "- 2025-07-01: countries; 2213 merged into 17; exports archived; customers not seen since 2020 "
        f"{deleted}\n"
    )


def _is_rejection(message: BaseMessage) -> bool:
    return isinstance(message, ToolMessage) and message.status == "error" and message.name == "sql_execute"
