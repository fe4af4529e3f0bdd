"""Run the benches: `make bench`, or `python -m benchmarks decoding --peer nanoGPT=FOLDER`.

`python -m benchmarks report` writes what was measured last into benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import importlib
import json

from benchmarks.harness import machine
from benchmarks.peers import parse_peers

BENCHES = (
    "importing",
    "bpe_training",
    "encoding",
    "preparing",
    "loading",
    "training_step",
    "processes",
    "time_to_loss",
    "by_size",
    "storyteller",
    "decoding",
    "memory",
    "lessons",
    "explorers",
    "explorers_sampling",
    "gpu",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.splitlines()[0]
    )
    parser.add_argument("benches", nargs="*", metavar="BENCH", help=", ".join(BENCHES))
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="a checkout to time as well: nanoGPT, minGPT, minbpe",
    )
    parser.add_argument("--quick", action="store_true", help="small inputs, few rounds")
    arguments = parser.parse_args()
    if arguments.benches == ["report"]:
        importlib.import_module("benchmarks.report").write()
        return
    try:
        peers = parse_peers(arguments.peer)
        for name in arguments.benches:
            if name not in BENCHES:
                raise ValueError(f"there is no bench {name!r}; there are {', '.join(BENCHES)}")
    except ValueError as error:
        parser.error(str(error))
    print(json.dumps(machine()))
    for name in arguments.benches or BENCHES:
        importlib.import_module(f"benchmarks.{name}").run(peers, arguments.quick)


if __name__ == "__main__":
    main()
