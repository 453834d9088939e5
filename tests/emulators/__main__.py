"""Install the emulators into a folder: `python -m tests.emulators FOLDER`, as `make` does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.emulators import node, npm
from tests.support.openapi import DESCRIPTION

subprocess.run([node(), npm(), "ci", "--omit=dev", "--no-audit", "--no-fund"], cwd=sys.argv[1], check=True)
# GitHub's description comes in ten forms, 380 MB; the tests read one.
for other in (Path(sys.argv[1]) / DESCRIPTION).parent.glob("*.json"):
    if other.name != Path(DESCRIPTION).name:
        other.unlink()
