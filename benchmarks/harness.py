"""Time contenders in turn, in one run, so that a noisy machine is noisy for all of them."""

from __future__ import annotations

import gc
import json
import os
import platform
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "numpy", "transformers", "tokenizers", "tiktoken", "safetensors")


@dataclass
class Result:
    """The seconds that each contender took, round by round, and what to hold them against."""

    name: str  # the file's stem
    title: str  # one line that says what was done
    baseline: str  # the contender that every ratio is taken against
    seconds: dict[str, list[float]]
    goals: dict[str, float] = field(default_factory=dict)  # contender -> least ratio
    notes: dict[str, object] = field(default_factory=dict)  # further figures, by name
    curves: dict[str, list] = field(default_factory=dict)  # label -> [[x, y], ...]
    axes: tuple[str, str] = ("", "")  # what x and y are, with units

    def ratios(self, name: str) -> list[float]:
        """How many times faster than the baseline, in each round."""
        return [a / b for a, b in zip(self.seconds[self.baseline], self.seconds[name])]


def interleave(
    contenders: dict[str, Callable[[], object]], rounds: int = 7, warmup: int = 1
) -> dict[str, list[float]]:
    """Run every contender once a round, in an order that changes; return their seconds."""
    order, seconds = list(contenders), {name: [] for name in contenders}
    for round_number in range(-warmup, rounds):
        random.Random(round_number).shuffle(order)
        for name in order:
            gc.collect()
            started = time.perf_counter()
            contenders[name]()
            if round_number >= 0:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def machine() -> dict:
    """Describe what the figures were measured on."""
    import torch

    def version_or_none(package: str) -> str | None:
        try:
            return version(package)
        except PackageNotFoundError:
            return None

    return {
        "date": date.today().isoformat(),
        "cpu": torch.cpu.get_capabilities().get("cpu_name", platform.processor()),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {package: version_or_none(package) for package in PACKAGES},
    }


def table(result: Result) -> str:
    """Lay the figures out as a Markdown table: median, min, max, ratio with its spread, goal."""
    lines = ["| | median | min | max | ratio (lowest to highest round) | goal |",
             "| --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for name, seconds in result.seconds.items():
        ratios = result.ratios(name)
        ratio, lowest, highest = map(show_ratio, (statistics.median(ratios), *spread(ratios)))
        goal = result.goals.get(name)
        verdict = ""
        if goal is not None:
            verdict = f"{goal:.3g} {'met' if statistics.median(ratios) >= goal else 'NOT met'}"
        times = " | ".join(
            show_seconds(t) for t in (statistics.median(seconds), min(seconds), max(seconds))
        )
        lines.append(f"| {name} | {times} | {ratio} ({lowest} to {highest}) | {verdict} |")
    return "\n".join(lines)


def spread(numbers: list[float]) -> tuple[float, float]:
    """Return the lowest and the highest."""
    return min(numbers), max(numbers)


def show_ratio(ratio: float) -> str:
    """Write a ratio with two decimals, or with two digits if it is small.

    >>> show_ratio(1.5), show_ratio(0.000657)
    ('1.50', '0.00066')
    """
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def show_seconds(seconds: float) -> str:
    """Write a time in the unit that suits it.

    >>> show_seconds(0.0123)
    '12.3 ms'
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def details(result: Result) -> str:
    """List the further figures, one a line."""
    lines = []
    for name, value in result.notes.items():
        if isinstance(value, dict):
            value = "; ".join(f"{key}: {part}" for key, part in value.items())
        lines.append(f"- {name}: {value}")
    return "\n".join(lines)


def publish(result: Result) -> None:
    """Print the table and write the result, with the machine, as JSON."""
    print(f"\n## {result.title}\n")
    if result.seconds:
        print(table(result), "\n")
    print(details(result))
    RESULTS.mkdir(exist_ok=True)
    content = {"machine": machine(), **vars(result)}
    path = RESULTS / f"{result.name}.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
