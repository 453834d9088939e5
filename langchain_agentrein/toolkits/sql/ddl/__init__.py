"""Changes of the schema: CREATE, ALTER, DROP and TRUNCATE, done and undone.

No way back is worked out when it is needed: while the statement is still uncommitted its undo is
written down as steps, rehearsed under a savepoint, and compared with what was there before. What does
not come back the same is refused.
"""

from langchain_agentrein.toolkits.sql.ddl.capture import capture
from langchain_agentrein.toolkits.sql.ddl.forecast import forecast
from langchain_agentrein.toolkits.sql.ddl.observation import as_after, as_before, attached, observe, present
from langchain_agentrein.toolkits.sql.ddl.receipt import receipt_of
from langchain_agentrein.toolkits.sql.ddl.restore import restore
from langchain_agentrein.toolkits.sql.ddl.statement import is_ddl

__all__ = [
    "as_after",
    "as_before",
    "attached",
    "capture",
    "forecast",
    "is_ddl",
    "observe",
    "present",
    "receipt_of",
    "restore",
]
