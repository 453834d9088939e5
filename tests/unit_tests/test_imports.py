"""What an import brings along, seen from a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SDKS = {
    "github",
    "google",
    "googleapiclient",
    "httplib2",
    "hubspot",
    "langchain_community",
    "notion_client",
    "psycopg",
    "slack_sdk",
    "stripe",
}


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after `statement`."""
    script = f"import json, sys\n{statement}\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "statement",
    [
        "import langchain_agentrein",
        "from langchain_agentrein import AgentReinMiddleware",
        "import langchain_agentrein.graphs",
        "import langchain_agentrein.toolkits",
        "from langchain_agentrein.cli import main",
    ],
)
def test_no_vendor_sdk_is_loaded_before_its_toolkit_is_built(statement: str) -> None:
    assert not loaded_by(statement) & SDKS


def test_every_public_name_can_be_had() -> None:
    """Also those that `__getattr__` finds, which `from ... import *` asks for."""
    missing = "[name for name in p.__all__ if getattr(p, name, None) is None]"
    script = f"import langchain_agentrein as p; assert not {missing}, {missing}"
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)
