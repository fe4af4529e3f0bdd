"""What a training run shows while it goes on, and how Ctrl-C or SIGTERM ends it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from minigpt.devices import choose_precision, describe_device

if TYPE_CHECKING:
    from minigpt.training.config import Record, TrainConfig


@contextmanager
def stop_between_steps(processes: int = 1) -> Iterator[threading.Event]:
    """Let Ctrl-C or SIGTERM set a flag, so that a step is never cut in half; a second one cuts.

    SIGTERM is what torchrun, Slurm and `kill` send. Of several processes none is cut: Ctrl-C in
    a terminal reaches each of them twice, by the terminal and by torchrun.
    """
    stop = threading.Event()
    previous = {}
    if threading.current_thread() is threading.main_thread():  # the only one that hears signals
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            # A job in the background ignores Ctrl-C; a SIGTERM that somebody handles is theirs.
            if handler not in (None, signal.SIG_IGN) and (
                number == signal.SIGINT or handler == signal.SIG_DFL
            ):
                previous[number] = handler

    def on_signal(number, frame) -> None:
        stop.set()
        if processes == 1:
            signal.signal(number, previous[number])

    for number in previous:
        signal.signal(number, on_signal)
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def say(bar, message: str) -> None:
    """Print a line without breaking the bar; nothing if the bar is hidden."""
    if not bar.disable:
        bar.write(message)


def progress_bar(
    done: int, config: TrainConfig, device: torch.device, visible: bool, processes: int = 1
):
    """Say where the run happens, and count its steps, with the time left."""
    from tqdm.auto import tqdm  # a bar of text in a terminal, a widget in a notebook

    total = config.max_steps
    bar = tqdm(range(done, total), initial=done, total=total, unit="step", disable=not visible)
    precision = choose_precision(config.precision, device)
    share = "a part of" if config.sharded else "all of"
    team = f", in {processes} processes, each with {share} the model" if processes > 1 else ""
    say(bar, f"Training on {describe_device(device, precision)}{team}.")
    if config.compile:
        say(bar, "The first step compiles the model, which takes up to a minute.")
    return bar


def show(bar, history: list[Record]) -> None:
    """Write the newest figures behind the bar."""
    looks = [record.val_loss for record in history if record.val_loss is not None]
    figures = {
        "loss": f"{history[-1].loss:.3f}",
        "tokens/s": f"{history[-1].tokens_per_second:,.0f}",
    }
    if looks:
        figures["val"] = f"{looks[-1]:.3f}"
    bar.set_postfix(figures, refresh=False)
