"""Correct answers to the exercises of lesson 10, each written in another way."""

import math
import re

import numpy as np
import torch
from torch.nn import functional as F

# --- per_token_word_byte ---


def measures_of_one_tensor(surprises, text):
    joined = torch.cat(surprises).double()
    nats = joined.sum()
    return (
        joined.mean().exp().item(),
        (nats / len(text.split())).exp().item(),
        (nats / torch.tensor(2.0).log() / len(bytes(text, "utf-8"))).item(),
    )


def measures_weighted(surprises, text):
    """Means of windows, weighted by their lengths."""
    lengths = [window.numel() for window in surprises]
    mean = np.average([float(window.double().mean()) for window in surprises], weights=lengths)
    bits = mean * sum(lengths) * math.log2(math.e)
    words = sum(1 for word in text.replace("\n", " ").split(" ") if word)
    return math.exp(mean), 2 ** (bits / words), bits / len(text.encode())


def measures_by_roots(surprises, text):
    """The text's probability, and its roots."""
    log_p, n = 0.0, 0
    for window in surprises:
        for nats in window.tolist():
            log_p, n = log_p - nats, n + 1
    n_bytes = sum(len(letter.encode()) for letter in text)
    return (
        math.e ** (-log_p / n),
        math.e ** (-log_p / len(text.split())),
        -log_p / n_bytes / np.log(2),
    )


# --- strided_perplexity ---


@torch.no_grad()
def strided_token_by_token(model, idx, stride):
    """Looks up the window of each token."""
    size, nats = model.config.block_size, []
    for place in range(1, len(idx)):
        start = max(0, -(-(place - size + 1) // stride)) * stride
        log_p = model(idx[start:place][None])[0, -1].log_softmax(dim=-1)
        nats.append(-log_p[idx[place]].item())
    return math.exp(sum(nats) / len(nats))


@torch.no_grad()
def strided_by_overwriting_backwards(model, idx, stride):
    """The last windows first: what an earlier one scores replaces what stands there."""
    nats = torch.zeros(len(idx))
    for start in reversed(range(0, len(idx) - 1, stride)):
        window = idx[start : start + model.config.block_size]
        logits = model(window[None, :-1])[0]
        nats[start + 1 : start + len(window)] = F.cross_entropy(
            logits, window[1:], reduction="none"
        )
    return nats[1:].mean().exp().item()


def strided_with_ignored_targets(model, idx, stride):
    """The usual way: targets of -100 where a token is done."""
    total, count, done = 0.0, 0, 0
    for start in range(0, len(idx), stride):
        end = min(start + model.config.block_size, len(idx))
        targets = idx[start:end].clone()
        targets[: max(done - start, 0)] = -100
        with torch.no_grad():
            logits = model(idx[start:end][None])[0]
        new = int((targets[1:] != -100).sum())
        if new:
            total += F.cross_entropy(logits[:-1], targets[1:]).item() * new
        count, done = count + new, end
        if end == len(idx):
            break
    return math.exp(total / count)


# --- last_words_right ---


def words_by_loop(logits, idx, n_tokens):
    said = logits.argmax(dim=-1)
    answers = []
    for row, n in enumerate(n_tokens.tolist()):
        answers.append(said[row, -n - 1 : -1].tolist() == idx[row, -n:].tolist())
    return torch.tensor(answers)


def words_by_counting(logits, idx, n_tokens):
    """As many right from the end, without a gap, as the word has tokens."""
    right = (torch.max(logits, dim=2).indices[:, :-1] == idx[:, 1:]).long()
    return right.flip(1).cumprod(dim=1).sum(dim=1) >= n_tokens


def words_without_mistakes(logits, idx, n_tokens):
    wrong = logits[:, :-1].log_softmax(dim=-1).topk(1).indices.squeeze(-1) != idx[:, 1:]
    T = idx.shape[1]
    wrong &= torch.arange(T - 1)[None] > T - 2 - n_tokens[:, None]
    return wrong.sum(dim=1) == 0


# --- fill_the_gap ---


def gap_by_cross_entropy(model, before, candidates, after, per_token):
    scores = []
    for candidate in candidates:
        idx = torch.cat((before, candidate, after))
        targets = idx.clone()
        targets[: len(before)] = -100
        with torch.no_grad():
            logits = model(idx.unsqueeze(0)).squeeze(0)
        how = "mean" if per_token else "sum"
        scores.append(-F.cross_entropy(logits[:-1], targets[1:], reduction=how).item())
    return torch.tensor(scores)


@torch.no_grad()
def gap_in_one_batch(model, before, candidates, after, per_token):
    """Padded behind: what comes later changes nothing before it."""
    rows = [torch.cat([before, candidate, after]) for candidate in candidates]
    longest = max(map(len, rows))
    idx = torch.stack([F.pad(row, (0, longest - len(row))) for row in rows])
    log_p = F.log_softmax(model(idx), dim=-1)[:, :-1].gather(-1, idx[:, 1:, None])[..., 0]
    places = torch.arange(1, longest)
    ends = torch.tensor([len(row) for row in rows])[:, None]
    kept = (places >= len(before)) & (places < ends)
    totals = (log_p * kept).sum(dim=1)
    return totals / kept.sum(dim=1) if per_token else totals


@torch.no_grad()
def gap_token_by_token(model, before, candidates, after, per_token):
    scores = torch.zeros(len(candidates))
    for place, candidate in enumerate(candidates):
        context, tokens = before.tolist(), [*candidate.tolist(), *after.tolist()]
        for token in tokens:
            scores[place] += model(torch.tensor([context]))[0, -1].softmax(dim=-1)[token].log()
            context.append(token)
        if per_token:
            scores[place] /= len(tokens)
    return scores


# --- few_shot_prompt ---


def prompt_by_trying(examples, question, arrow, newline, block_size, new_tokens):
    """From all examples down to none: the first prompt that fits."""
    for first in range(len(examples) + 1):
        lines = [q + arrow + a + newline for q, a in examples[first:]]
        prompt = [token for line in lines for token in line] + question + arrow
        if len(prompt) + new_tokens <= block_size:
            return prompt


def prompt_by_room(examples, question, arrow, newline, block_size, new_tokens):
    end = [*question, *arrow]
    room, kept = block_size - new_tokens - len(end), []
    for asked, answer in examples[::-1]:
        line = [*asked, *arrow, *answer, *newline]
        room -= len(line)
        if room < 0:
            break
        kept.insert(0, line)
    return [token for line in kept for token in line] + end


def prompt_by_sums(examples, question, arrow, newline, block_size, new_tokens):
    lines = [[*q, *arrow, *a, *newline] for q, a in examples]
    costs = np.cumsum([len(line) for line in reversed(lines)])
    k = int((costs <= block_size - new_tokens - len(question) - len(arrow)).sum())
    chosen = lines[len(lines) - k :]
    return list(np.concatenate([*chosen, question, arrow]).astype(int).tolist())


# --- accuracy_by_examples ---


def wilson_by_counts(right, z):
    """The same, multiplied by n: with the number of right answers."""
    n, s = len(right), right.sum(dim=0).double()
    middle = (s + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * torch.sqrt(s * (n - s) / n + z * z / 4)
    return torch.stack((s / n, middle - half, middle + half), dim=1).float()


def wilson_by_roots(right, z):
    """The ends are where |p - x| is z standard errors of x: a quadratic equation."""
    rows, n = [], right.shape[0]
    for column in right.T:
        p = column.double().mean().item()
        a, b, c = 1 + z * z / n, -(2 * p + z * z / n), p * p
        low, high = sorted(np.roots([a, b, c]).real)
        rows.append([p, low, high])
    return torch.tensor(rows, dtype=torch.float32)


def wilson_in_numpy(right, z):
    share = right.numpy().mean(axis=0)
    n = right.numpy().shape[0]
    pseudo = z**2
    centre = (share * n + pseudo / 2) / (n + pseudo)
    half = z * np.sqrt(share * (1 - share) * n + pseudo / 4) / (n + pseudo)
    return torch.from_numpy(np.stack([share, centre - half, centre + half], 1)).float()


# --- rouge_of_two: 0.72 and 0.4545 ---

ROUGES = [[0.72, 0.4545], [18 / 25, 10 / 22], [0.7200, 0.455], [np.float64(0.72), 0.454]]

# --- unsupported ---


def named_by_windows(words, fact):
    n = len(fact)
    return any(words[i : i + n] == fact for i in range(len(words) - n + 1))


def made_up_by_windows(summary, story, facts):
    told, known = (
        "".join(c if c.isalpha() else " " for c in t.lower()).split() for t in (summary, story)
    )
    result = []
    for fact in facts:
        words = fact.lower().split()
        if named_by_windows(told, words) and not named_by_windows(known, words):
            result.append(fact)
    return result


def made_up_by_patterns(summary, story, facts):
    def named(fact, text):
        pattern = r"[^a-z]+".join(map(re.escape, fact.split()))
        return re.search(rf"\b{pattern}\b", text, re.IGNORECASE)

    return [fact for fact in facts if named(fact, summary) and not named(fact, story)]


def made_up_by_pieces(summary, story, facts):
    """The sets of all runs of up to four words."""

    def runs(text):
        words = re.split(r"\W+", text.lower())
        return {" ".join(words[i : i + n]) for n in range(1, 5) for i in range(len(words))}

    added = runs(summary) - runs(story)
    return list(filter(lambda fact: fact.lower() in added, facts))


VARIANTS = {
    "per_token_word_byte": [measures_of_one_tensor, measures_weighted, measures_by_roots],
    "strided_perplexity": [
        strided_token_by_token,
        strided_by_overwriting_backwards,
        strided_with_ignored_targets,
    ],
    "last_words_right": [words_by_loop, words_by_counting, words_without_mistakes],
    "few_shot_prompt": [prompt_by_trying, prompt_by_room, prompt_by_sums],
    "accuracy_by_examples": [wilson_by_counts, wilson_by_roots, wilson_in_numpy],
    "rouge_of_two": ROUGES,
    "unsupported": [made_up_by_windows, made_up_by_patterns, made_up_by_pieces],
    "fill_the_gap": [gap_by_cross_entropy, gap_in_one_batch, gap_token_by_token],
}

# Mutants of the solutions that no case can tell from them, and why.
SURVIVORS = {
    (
        "strided_perplexity",
        "for start in range(0, len(idx) - 1, stride):"
        " -> for start in range(0, len(idx) - 0, stride):",
    ): "a window that holds only the last token predicts nothing, and adds nothing",
}
