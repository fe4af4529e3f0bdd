"""`minigpt doctor`: print what the doctor found."""

from __future__ import annotations

import argparse
import os
import sys

from minigpt.doctor import can_run, report, run_checks


def run(args: argparse.Namespace) -> int:
    """Return 0 if the course can run here, else 1."""
    checks = run_checks()
    print(report(checks, colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR")))
    return 0 if can_run(checks) else 1
