"""Install the emulators into a folder: `python -m tests.emulators FOLDER`, as `make` does."""

from __future__ import annotations

import subprocess
import sys

from tests.support.emulators import node, npm

subprocess.run([node(), npm(), "ci", "--omit=dev", "--no-audit", "--no-fund"], cwd=sys.argv[1], check=True)
