"""`make soak`."""

import sys

from tests.lab.soak import main

if __name__ == "__main__":
    sys.exit(main())
