"""One process of one system in one scenario.

    python -m benchmarks.correctness.child DIRECTORY SYSTEM SCENARIO VERB [JSON]

It prints how the run ended as its last line, or is killed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.correctness.columns import SYSTEMS
from benchmarks.correctness.stage import Stage


def main() -> None:
    directory, system, scenario, verb, *value = sys.argv[1:]
    one = SYSTEMS[system](Stage(Path(directory), scenario))
    print(json.dumps(getattr(one, verb)(*map(json.loads, value))))


if __name__ == "__main__":
    main()
