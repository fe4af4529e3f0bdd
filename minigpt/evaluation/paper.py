"""What the paper reports: Radford et al. 2019, table 3, for all four sizes of GPT-2, zero-shot."""

from __future__ import annotations

SIZES = ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")  # there 117M, 345M, 762M, 1542M
# Task: what is measured, and the four figures. Accuracies in percent.
TABLE = {
    "lambada": {
        "perplexity": (35.13, 15.60, 10.87, 8.63),
        "accuracy (%)": (45.99, 55.48, 60.12, 63.24),
    },
    "cbt-cn": {"accuracy (%)": (87.65, 92.35, 93.45, 93.30)},
    "cbt-ne": {"accuracy (%)": (83.4, 87.1, 88.0, 89.05)},
    "wikitext-2": {"perplexity per word": (29.41, 22.76, 19.93, 18.34)},
    "ptb": {"perplexity per word": (65.85, 47.33, 40.31, 35.76)},
    "enwik8": {"bits per byte": (1.16, 1.01, 0.97, 0.93)},
    "text8": {"bits per byte": (1.17, 1.06, 1.02, 0.98)},
    "wikitext-103": {"perplexity per word": (37.50, 26.37, 22.05, 17.48)},
    "1bw": {"perplexity per word": (75.20, 55.72, 44.575, 42.16)},
}


def published(task: str, measure: str, model: str) -> float | None:
    """Return the paper's figure for one of the four sizes; None if it has none.

    >>> published("lambada", "accuracy (%)", "gpt2")
    45.99
    """
    figures = TABLE.get(task, {}).get(measure)
    return figures[SIZES.index(model)] if figures and model in SIZES else None
