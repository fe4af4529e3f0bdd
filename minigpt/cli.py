"""The `minigpt` command: what can be asked of it, and how it ends.

The work is done in `minigpt.commands`, one module a command, imported when it is asked for: so
`minigpt --help` does not wait for PyTorch. Exit codes: 0 done, 1 a check failed, 2 something in
the request or on this machine is not as it must be, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
from importlib import import_module

# What the user can mend: a value, a file, the network, too little memory, a missing package, a
# learning rate too high. The rest is a fault of ours and shows its traceback.
MENDABLE = (ValueError, OSError, MemoryError, ModuleNotFoundError, FloatingPointError)


class ShowVersion(argparse.Action):
    """Print the installed version; looked up only when asked for, because that takes a while."""

    def __call__(self, parser, *_) -> None:
        print("minigpt", import_module("importlib.metadata").version("minigpt"))
        parser.exit()


def add_doctor(commands) -> None:
    commands.add_parser("doctor", help="check that the course can run here; mend what is amiss")


def add_generate(commands) -> None:
    words = "continue a text, token by token"
    add = commands.add_parser("generate", help=words, description=words).add_argument
    add("prompt", nargs="?", default="", help="text to continue; - reads it from standard input")
    add("--model", default="storyteller", help="a name (storyteller, gpt2 ...), folder or file")
    add("--max-new-tokens", type=int, default=200, metavar="N", help="stop after N (200)")
    add("--temperature", type=float, default=1.0, metavar="T", help="0: the likeliest token (1.0)")
    add("--top-k", type=int, metavar="K", help="draw from the K likeliest tokens only")
    add("--top-p", type=float, metavar="P", help="draw from the likeliest tokens that reach P only")
    add("--seed", type=int, metavar="N", help="the same seed gives the same text")
    add("--samples", type=int, default=1, metavar="N", help="how many texts, one after another")
    add("--dtype", choices=("fp32", "bf16"), default="fp32", help="precision of the weights (fp32)")
    add(
        "--quantize", choices=("int8",), help="round the weights to 8 bits: a quarter of the memory"
    )
    add("--compile", action="store_true", help="compile first: seconds, then faster (C++ compiler)")
    add("--device", default="auto", help="auto, cpu, cuda or mps")


def add_train(commands) -> None:
    # No defaults here: only what was typed is passed on, so that a resumed run keeps its settings.
    # The numbers in brackets are those of `commands.train`; a test holds them together.
    words = "train a model; stop and resume as you like"
    add = commands.add_parser(
        "train", help=words, description=words, argument_default=argparse.SUPPRESS
    ).add_argument
    add("--out", required=True, metavar="FOLDER", help="where the run is kept")
    add("--resume", action="store_true", default=False, help="go on with the run in FOLDER")
    add("--data", help="stories, python-docs, shakespeare, or a text file (stories)")
    add("--steps", type=int, metavar="N", help="updates of the weights (1000)")
    add("--batch-size", type=int, metavar="N", help="windows in each batch (32)")
    add("--accumulation-steps", type=int, metavar="N", help="batches before each update (1)")
    add("--block-size", type=int, metavar="N", help="longest context, in tokens (128)")
    add("--n-layer", type=int, metavar="N", help="blocks (4)")
    add("--n-head", type=int, metavar="N", help="attention heads in each block (4)")
    add("--n-embd", type=int, metavar="N", help="width (128)")
    add("--vocab-size", type=int, metavar="N", help="train a tokenizer with so many tokens")
    add("--lr", type=float, help="learning rate after warm-up (muon 0.005, adamw 0.001)")
    add("--optimizer", choices=("adamw", "muon"), help="(muon)")
    add("--precision", choices=("auto", "fp32", "bf16"), help="(auto)")
    add("--compile", action="store_true", help="compile first: a minute, then faster steps")
    add(
        "--sharded",
        action=argparse.BooleanOptionalAction,
        help="under torchrun: each process holds a part of the model, not all of it",
    )
    add("--device", help="auto, cpu, cuda or mps (auto)")
    add("--seed", type=int, metavar="N", help="decides first weights and order of the data (1337)")


def add_finetune(commands) -> None:
    # As in `add_train`: no defaults here, and a test holds the brackets to `commands.finetune`.
    words = "teach a model a task made from the stories; stop and resume as you like"
    add = commands.add_parser(
        "finetune", help=words, description=words, argument_default=argparse.SUPPRESS
    ).add_argument
    add("task", choices=("summary", "translation", "questions", "dialogue"), help="what to learn")
    add("--out", required=True, metavar="FOLDER", help="where the run is kept")
    add("--resume", action="store_true", default=False, help="go on with the run in FOLDER")
    add("--model", help="a name, folder or file to start from (storyteller)")
    add("--steps", type=int, metavar="N", help="updates of the weights (100)")
    add("--batch-size", type=int, metavar="N", help="examples in each step (16)")
    add("--lr", type=float, help="learning rate after warm-up (0.005; with --lora 0.01)")
    add("--lora", type=int, metavar="RANK", help="learn two thin matrices beside each large one")
    add("--device", help="auto, cpu, cuda or mps (auto)")
    add("--seed", type=int, metavar="N", help="decides the order of the examples (1337)")


def add_download(commands) -> None:
    parser = commands.add_parser("download", help="fetch weights or data ahead of a flight")
    parser.add_argument("name", help="gpt2, gpt2-medium, gpt2-large, gpt2-xl or shakespeare")


def add_verify(commands) -> None:
    parser = commands.add_parser("verify", help="prove that a model on this machine is right")
    parser.add_argument("name", nargs="?", default="gpt2", help="a name, folder or file")


def add_evaluate(commands) -> None:
    words = "measure a model, beside the paper's figures"
    on_stories = "On stories: perplexity, last-word, choice, summary. "
    loaded = "lambada, cbt-cn, cbt-ne, wikitext-2, ptb, enwik8, text8 are downloaded."
    add = commands.add_parser(
        "evaluate", help=words, description=words, epilog=on_stories + loaded
    ).add_argument
    add("model", help="a name (storyteller, gpt2 ...), a folder, a file, or mygpt: your own")
    add("task", help="what to ask of it; an unknown name lists all")
    add("--limit", type=int, metavar="N", help="so many stories, items or characters only")
    add("--stride", type=int, metavar="N", help="tokens between windows (half the context)")
    add("--normalize", choices=("token", "byte"), help="divide candidates' scores by their length")
    add("--device", default="auto", help="auto, cpu, cuda or mps")


def add_lab(commands) -> None:
    words = "open lesson 00 in JupyterLab; passes JupyterLab's options on"
    commands.add_parser("lab", help=words, allow_abbrev=False)


def add_progress(commands) -> None:
    commands.add_parser("progress", help="which exercises are passed, and what comes next")


def add_explore(commands) -> None:
    words = "open a notebook that looks inside a model; passes JupyterLab's options on"
    add = commands.add_parser("explore", help=words, description=words, allow_abbrev=False)
    add = add.add_argument
    add("prompt", nargs="?", help="text that the model reads; - reads it from standard input")
    add("--model", default="storyteller", help="a name (storyteller, gpt2 ...), folder or file")
    add("--out", default="explorations", metavar="FOLDER", help="for the notebook (explorations)")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="minigpt",
        description="GPT-2, written line by line.",
        epilog="`minigpt COMMAND --help` explains a command.",
    )
    parser.add_argument("--version", action=ShowVersion, nargs=0, help="say which this is, and end")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for add in (
        add_doctor,
        add_generate,
        add_train,
        add_finetune,
        add_download,
        add_verify,
        add_evaluate,
        add_lab,
        add_explore,
        add_progress,
    ):
        add(commands)
    return parser


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
