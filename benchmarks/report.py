"""Write the figures of the day into benchmarks/README.md: tables, and a plot of each result."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import matplotlib.pyplot as plt

from benchmarks.harness import RESULTS, Result, details, show_ratio, table
from minigpt.viz import use_style

FOLDER = Path(__file__).parent
README, PLOTS = FOLDER / "README.md", FOLDER / "plots"
BEGIN, END = "<!-- figures: written by `python -m benchmarks report` -->", "<!-- end of figures -->"
ORDER = ("importing", "bpe", "encoding", "preparing", "loading", "training_step", "processes", "step",
         "time_to_loss", "storyteller", "decoding", "memory", "lessons", "explorers",
         "gpu")  # fmt: skip
MARKERS = "os^Dvx"


def read_results(folder: Path = RESULTS) -> list[tuple[dict, Result]]:
    """Return every result on disk with its machine, in the order of the course."""

    def place(path: Path) -> tuple[int, str]:
        return next(i for i, stem in enumerate(ORDER) if path.stem.startswith(stem)), path.stem

    results = []
    for path in sorted(folder.glob("*.json"), key=place):
        content = json.loads(path.read_text(encoding="utf-8"))
        results.append((content.pop("machine"), Result(**content)))
    return results


def plot_ratios(result: Result) -> None:
    """Draw a bar for each contender: how many times as fast as the baseline, and the spread."""
    names = list(result.seconds)[::-1]
    _, axes = plt.subplots(figsize=(6.4, 0.9 + 0.36 * len(names)), layout="constrained")
    for i, name in enumerate(names):
        ratios = result.ratios(name)
        middle = statistics.median(ratios)
        ours = name.startswith(("minigpt", "import minigpt", "from minigpt"))
        axes.barh(i, middle, color="#0072B2" if ours else "#BBBBBB", hatch="" if ours else "//")
        axes.plot([min(ratios), max(ratios)], [i, i], color="black")
        axes.text(max(ratios), i, f"  {show_ratio(middle)}", va="center")
        if name in result.goals:
            axes.plot([result.goals[name]] * 2, [i - 0.45, i + 0.45], color="#D55E00", lw=3)
    axes.axvline(1, color="black", lw=0.8, ls=":")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel=f"times as fast as {result.baseline}")
    axes.margins(x=0.12)


def plot_curves(result: Result) -> None:
    """Draw cost against size, a line for each label."""
    _, axes = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    for i, (label, points) in enumerate(result.curves.items()):
        style = "--" if "predicted" in label else "-"
        axes.plot(*zip(*points), style, marker=MARKERS[i % len(MARKERS)], ms=4, label=label)
    sizes = [x for points in result.curves.values() for x, _ in points]
    if "vocabulary" in result.axes[0] or "width" in result.axes[0]:
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted(set(sizes)), sorted(set(sizes)))
    axes.set(xlabel=result.axes[0], ylabel=result.axes[1], ylim=(0, None))
    if result.name == "storyteller":
        axes.axhline(1.1, color="black", ls=":", label="within 10 %")
        axes.set_ylim(0.95, 3)
    axes.legend(fontsize=8)


def save(name: str) -> str:
    """Save the plot that is open; return its place as the page names it."""
    PLOTS.mkdir(exist_ok=True)
    # No date and no version inside: the same figures give the same file.
    plt.savefig(PLOTS / f"{name}.png", dpi=110, metadata={"Software": None})
    plt.close()
    return f"plots/{name}.png"


def section(result: Result) -> str:
    """Return a result's part of the page, and draw its plots."""
    parts = [f"### {result.title}"]
    if result.seconds:
        if result.baseline in result.seconds and len(result.seconds) > 1:
            plot_ratios(result)
            ours = ", ".join(
                f"{name} {show_ratio(statistics.median(result.ratios(name)))}"
                for name in result.seconds
            )
            parts.append(f"![Times as fast as {result.baseline}: {ours}]({save(result.name)})")
        parts.append(table(result))
    if result.curves:
        plot_curves(result)
        ends = "; ".join(
            f"{label}: {points[0][1]:g} at {points[0][0]:g}, {points[-1][1]:g} at {points[-1][0]:g}"
            for label, points in result.curves.items()
        )
        x, y = result.axes
        parts.append(f"![{y} against {x}. {ends}]({save(result.name + '_curve')})")
    if result.notes:
        parts.append(details(result))
    return "\n\n".join(parts)


def figures() -> str:
    """Return the generated part of the page."""
    use_style()
    results = read_results()
    machine, _ = results[0]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    head = (
        f"Measured on {machine['date']}: {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['threads']} threads, {machine['system']}, Python {machine['python']}; "
        f"{versions}."
    )
    return "\n\n".join([BEGIN, head, *(section(result) for _, result in results), END])


def write() -> None:
    """Put the figures between the two marks of README.md; what stands around them is kept."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(before + figures() + after, encoding="utf-8")
    print(f"wrote {README} and {len(list(PLOTS.glob('*.png')))} plots")
