"""The `minigpt` command: how it begins and ends.

What can be asked of it is in `minigpt.commands.arguments`. The work is done beside it, one module a
command, imported when it is asked for. Exit codes: 0 done, 1 a check failed, 2 something in
the request or on this machine is not as it must be, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
from importlib import import_module

from minigpt.commands.arguments import build_parser

# What the user can mend: a value, a file, the network, too little memory, a missing package, a
# learning rate too high. The rest is a fault of ours and shows its traceback.
MENDABLE = (ValueError, OSError, MemoryError, ModuleNotFoundError, FloatingPointError)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line; what `lab` and `explore` do not know is JupyterLab's."""
    parser = build_parser()
    args, rest = parser.parse_known_args(argv)
    if args.command is None and not rest:  # nothing was asked: say what there is
        parser.print_help()
        parser.exit()
    if rest and args.command not in ("lab", "explore"):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    args.options = rest
    return args


def never_fail_to_print() -> None:
    """Print a ? for a character that the terminal or file cannot hold, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a notebook's has no such method, and needs none
            stream.reconfigure(errors="replace")


def is_closed_pipe(error: Exception) -> bool:
    """Say whether nobody reads our output any more, as after `| head -1`."""
    # Windows calls it an invalid argument, as it calls much else; but then a file is named.
    windows = os.name == "nt" and isinstance(error, OSError) and error.errno == errno.EINVAL
    return isinstance(error, BrokenPipeError) or (windows and error.filename is None)


def end_quietly() -> int:
    """Send what is still to be printed nowhere; return the exit code of a closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + 13  # what the shell says of a program ended by SIGPIPE


def describe(error: Exception) -> str:
    """Say in words what went wrong.

    >>> describe(FileNotFoundError(2, "No such file or directory", "story.txt"))
    'story.txt: No such file or directory'
    """
    if isinstance(error, ModuleNotFoundError):
        return f"{error}. `minigpt doctor` says how to mend it"
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def end_at_once(*_) -> None:
    """Handle Ctrl-C while libraries load: there is nothing to lose, and nothing to clean up."""
    os.write(2, b"\nStopped.\n")
    os._exit(130)


def load(command: str, own_process: bool):
    """Import a command's module, which takes seconds if it needs PyTorch."""
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not (own_process and heard):
        return import_module(f"minigpt.commands.{command}")
    # PyTorch runs Python from C while it is imported, where a KeyboardInterrupt can get lost
    # (seen in 2 of 40 tries). So Ctrl-C raises none until it is all there.
    signal.signal(signal.SIGINT, end_at_once)
    module = import_module(f"minigpt.commands.{command}")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return module


def main(argv: list[str] | None = None) -> int:
    """Run one command; return the exit code. `argv` is the command line, by default the real one.

    Raises SystemExit, as argparse does, for --help and for arguments that it cannot read.
    """
    own_process = argv is None
    debug = False
    never_fail_to_print()
    try:
        args = parse(argv)
        debug = args.debug
        code = load(args.command, own_process).run(args)
        sys.stdout.flush()  # here, where a closed pipe is still met in good order
        return code
    except KeyboardInterrupt:
        if own_process:  # a second Ctrl-C must not spoil the end
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("\nStopped.", file=sys.stderr)
        return 130
    except MENDABLE as error:
        if is_closed_pipe(error):
            return end_quietly()
        if debug:
            raise
        print(f"minigpt: error: {describe(error)}", file=sys.stderr)
        return 2
