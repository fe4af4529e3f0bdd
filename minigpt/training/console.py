"""What a training run shows while it goes on, and how Ctrl-C ends it."""

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
def stop_between_steps() -> Iterator[threading.Event]:
    """Let Ctrl-C set a flag, so that a step is never cut in half; a second Ctrl-C cuts."""
    stop = threading.Event()
    previous = signal.getsignal(signal.SIGINT)
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or previous in (None, signal.SIG_IGN):
        yield stop  # Ctrl-C is heard by the main thread only, and not by a job in the background
        return

    def on_interrupt(signum, frame) -> None:
        stop.set()
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, previous)


def say(bar, message: str) -> None:
    """Print a line without breaking the bar; nothing if the bar is hidden."""
    if not bar.disable:
        bar.write(message)


def progress_bar(done: int, config: TrainConfig, device: torch.device, visible: bool):
    """Say where the run happens, and count its steps, with the time left."""
    from tqdm.auto import tqdm  # a bar of text in a terminal, a widget in a notebook

    total = config.max_steps
    bar = tqdm(range(done, total), initial=done, total=total, unit="step", disable=not visible)
    precision = choose_precision(config.precision, device)
    say(bar, f"Training on {describe_device(device, precision)}.")
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
