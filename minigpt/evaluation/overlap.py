"""BLEU and ROUGE: how many words and runs of words a text shares with another.

Thin faces of sacrebleu and rouge-score, whose figures are comparable with those of papers. Install
them with `pip install 'minigpt[evaluation]'`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module


def library(name: str, package: str):
    """Import a library of the extra; raise ModuleNotFoundError, with the way to get it."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{package} is not installed (no module {error.name!r}); get it with: "
            "pip install -c constraints.txt 'minigpt[evaluation]'"
        ) from error


def check_pairs(texts: Sequence[str], references: Sequence[str]) -> None:
    """Raise ValueError unless there is one reference for each text, and at least one."""
    if isinstance(texts, str) or isinstance(references, str):
        raise ValueError("texts and references are lists of texts; put one text into a list")
    if not texts or len(texts) != len(references):
        raise ValueError(
            f"there are {len(texts)} texts and {len(references)} references; give one for each"
        )


def bleu(
    texts: Sequence[str], references: Sequence[str], *, tokenize: str = "13a"
) -> dict[str, float]:
    """Return {"bleu": 0 to 100} of translations, over all of them at once, by sacrebleu.

    `tokenize` says how words are cut: "13a" for English, "zh" for Chinese. Papineni et al. 2002;
    Post 2018. Raises ValueError unless there is one reference for each text, and
    ModuleNotFoundError without the extra.
    """
    check_pairs(texts, references)
    corpus_bleu = library("sacrebleu", "sacrebleu").corpus_bleu
    return {"bleu": corpus_bleu(list(texts), [list(references)], tokenize=tokenize).score}


def rouge(texts: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Return the mean ROUGE of summaries, each 0 to 100, as F-measure, by rouge-score.

    rouge1 and rouge2 count shared words and pairs of words, rougeL the longest common subsequence.
    Lin 2004. Raises as `bleu` does.
    """
    check_pairs(texts, references)
    kinds = ["rouge1", "rouge2", "rougeL"]
    scorer = library("rouge_score.rouge_scorer", "rouge-score").RougeScorer(kinds)
    scores = [scorer.score(right, text) for text, right in zip(texts, references)]
    return {kind: 100 * sum(s[kind].fmeasure for s in scores) / len(scores) for kind in kinds}
