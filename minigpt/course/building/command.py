"""The command line that builds or checks the notebooks of a folder, one after the other."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from minigpt.course.building.reading import BuildError, find_sources


def command(
    module: str, folder: str, build: Callable, check: Callable, arguments: list[str] | None
) -> int:
    """Build or check the notebooks of a folder as the command line asks; return the exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("action", choices=("build", "check"))
    parser.add_argument("names", nargs="*", help="such as 03_attention; all when left out")
    parser.add_argument("--fresh", action="store_true", help="renew the outputs that vary, too")
    options = parser.parse_args(arguments)
    try:
        sources = find_sources(Path(folder), options.names)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if options.action == "check":
        problems = [problem for source in sources for problem in _problems(check, source)]
        print("\n".join(problems) or f"{len(sources)} sources and their notebooks agree.")
        return 1 if problems else 0
    failed = 0
    for source in sources:  # one that cannot be built keeps no other from it
        start = time.perf_counter()
        try:
            print(
                f"{build(source, options.fresh)}  {time.perf_counter() - start:.0f} s", flush=True
            )
        except (BuildError, ValueError) as error:
            print(error, file=sys.stderr)
            failed += 1
    return 1 if failed else 0


def _problems(check: Callable, source: Path) -> list[str]:
    try:
        return check(source)
    except BuildError as error:
        return [str(error)]
