"""What the model is told of a change of the schema."""

from __future__ import annotations

from langchain_agentrein.action import Json


def receipt_of(before: Json) -> Json:
    """{"statement": str, "name": str, "changed": bool, "rows": int}: rows that it took away or brought."""
    rows = sum(len(table["rows"]) for table in before["tables"])
    for field in before["data"].values():
        if field["before"] is None and field["look"] == "rows" and field["column"] is None:
            rows += field["after"]["rows"]
    changed = bool(before["before"] or before["after"] or before["undo"])
    return {"statement": before["statement"], "name": before["name"], "changed": changed, "rows": rows}
