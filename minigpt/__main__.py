"""`python -m minigpt` is the `minigpt` command, for a machine whose PATH does not find it."""

import sys

from minigpt.cli import main

if __name__ == "__main__":
    sys.exit(main())
