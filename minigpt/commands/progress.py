"""`minigpt progress`: print how far the learner has come with the exercises."""

from __future__ import annotations

import argparse

from minigpt.course.learner.progress import my_progress


def run(args: argparse.Namespace) -> int:
    """Print a line for each exercise, and what comes next."""
    print(my_progress())
    return 0
