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


# --- target_loss ---


def target_loss_ignoring(logits, idx, prompt_lengths, lengths):
    """The usual way: targets of -100 are ignored."""
    targets, place = idx.clone(), torch.arange(idx.size(1))[None]
    targets[place < prompt_lengths[:, None]] = -100
    targets[place >= lengths[:, None]] = -100
    V = logits.size(-1)
    return F.cross_entropy(logits[:, :-1].reshape(-1, V), targets[:, 1:].reshape(-1))


def target_loss_text_by_text(logits, idx, prompt_lengths, lengths):
    nats, count = 0.0, 0
    for row, tokens, start, end in zip(logits, idx, prompt_lengths.tolist(), lengths.tolist()):
        told = row[start - 1 : end - 1]
        nats = nats + F.cross_entropy(told, tokens[start:end], reduction="sum")
        count += end - start
    return nats / count


def target_loss_weighted(logits, idx, prompt_lengths, lengths):
    T = idx.shape[1]
    log_sum = torch.logsumexp(logits, dim=2)[:, : T - 1]
    right = torch.gather(logits[:, : T - 1], 2, idx[:, 1:].unsqueeze(2)).squeeze(2)
    place = torch.arange(T - 1).expand(len(idx), T - 1)  # whose logits these are
    weight = (place + 1 >= prompt_lengths.unsqueeze(1)) * (place + 1 < lengths.unsqueeze(1))
    return ((log_sum - right) * weight).sum() / weight.sum()


# --- last_real ---


def last_by_flipping(stream, idx, mark):
    behind = (idx.flip(1) != mark).int().argmax(dim=1)
    return stream.flip(1)[range(len(idx)), behind]


def last_by_loop(stream, idx, mark):
    rows = []
    for row, tokens in zip(stream, idx.tolist()):
        place = len(tokens) - 1
        while tokens[place] == mark:
            place -= 1
        rows.append(row[place])
    return torch.stack(rows)


def last_by_gather(stream, idx, mark):
    ends = (idx[:, 1:] != mark).long().cumsum(dim=1).amax(dim=1)
    where = ends[:, None, None].expand(-1, 1, stream.size(-1))
    return torch.gather(stream, 1, where).squeeze(1)


def last_by_one_hot(stream, idx, mark):
    """The text ends where no mark stands and nothing but marks comes behind."""
    real = (idx != mark).to(stream.dtype)
    behind = real.flip(1).cumsum(dim=1).flip(1) - real
    return torch.einsum("bt,btc->bc", real * (behind == 0), stream)


# --- LoRAQueryValue ---


class LoRAPadded(torch.nn.Module):
    """The addition as one tensor of 3C channels, zeros for the key."""

    def __init__(self, c_attn, rank, alpha):
        super().__init__()
        for parameter in c_attn.parameters():
            parameter.requires_grad = False
        self.c_attn, self.rank, self.alpha = c_attn, rank, alpha
        C = c_attn.weight.shape[1]
        for name in "qv":
            A = torch.nn.init.kaiming_uniform_(torch.empty(rank, C), a=5**0.5)
            self.register_parameter(f"A_{name}", torch.nn.Parameter(A))
            self.register_parameter(f"B_{name}", torch.nn.Parameter(torch.zeros(C, rank)))

    def forward(self, x):
        q, v = F.linear(F.linear(x, self.A_q), self.B_q), F.linear(F.linear(x, self.A_v), self.B_v)
        added = torch.cat([q, torch.zeros_like(x), v], dim=-1)
        return self.c_attn(x) + self.alpha * added / self.rank


class LoRAInTheWeight(torch.nn.Module):
    """Adds to the weight, each time."""

    def __init__(self, c_attn, rank, alpha):
        super().__init__()
        C = c_attn.in_features
        self.c_attn = c_attn
        self.c_attn.weight.requires_grad_(False)
        if c_attn.bias is not None:
            self.c_attn.bias.requires_grad_(False)
        self.A_q, self.A_v = (torch.nn.Parameter(0.02 * torch.randn(rank, C)) for _ in "qv")
        self.B_q, self.B_v = (torch.nn.Parameter(torch.zeros(C, rank)) for _ in "qv")
        self.factor = alpha * (1.0 / rank)

    def forward(self, x):
        q, v = self.B_q @ self.A_q, self.B_v @ self.A_v
        change = self.factor * torch.cat([q, torch.zeros_like(q), v])
        return F.linear(x, self.c_attn.weight + change, self.c_attn.bias)


class LoRAInPlaces(torch.nn.Module):
    """Adds to slices of the layer's result."""

    def __init__(self, c_attn, rank, alpha):
        super().__init__()
        self.c_attn = c_attn
        self.c_attn.requires_grad_(False)
        self.C, self.scale = c_attn.in_features, alpha / rank
        self.A_q = torch.nn.Parameter(torch.rand(rank, self.C) - 0.5)
        self.A_v = torch.nn.Parameter(torch.rand(rank, self.C) - 0.5)
        self.B_q = torch.nn.Parameter(torch.zeros(self.C, rank))
        self.B_v = torch.nn.Parameter(torch.zeros(self.C, rank))

    def forward(self, x):
        y = self.c_attn(x).clone()
        y[..., : self.C] += torch.einsum("...c,rc,dr->...d", self.scale * x, self.A_q, self.B_q)
        y[..., -self.C :] += self.scale * ((x @ self.A_v.mT) @ self.B_v.mT)
        return y


# --- merge_adapters ---


def merged_at_once(tensor, adapters):
    return sum((alpha / A.shape[0] * A.T @ B.T for A, B, alpha in adapters), tensor.clone())


def merged_by_einsum(tensor, adapters):
    result = tensor.clone()
    for A, B, alpha in adapters:
        result += torch.einsum("ri,or->io", A, B) * alpha / B.size(1)
    return result


def merged_as_one_adapter(tensor, adapters):
    """Adapters one above the other are one of a higher rank."""
    if not adapters:
        return tensor
    A = torch.cat([alpha / len(A) * A for A, _, alpha in adapters])
    B = torch.cat([B for _, B, _ in adapters], dim=1)
    return (tensor.T + B @ A).T


# --- trained_parameters ---


def trained_by_products(*, n_layer, n_embd, rank, classes):
    return 4 * n_layer * n_embd * rank + n_embd * classes + classes


def trained_by_loop(*, n_layer, n_embd, rank, classes):
    total = n_embd * classes + classes
    for _ in range(n_layer):
        for _ in ("query", "value"):
            total += rank * n_embd + n_embd * rank
    return total


def trained_by_tensors(*, n_layer, n_embd, rank, classes):
    with torch.device("meta"):  # shapes without storage
        parts = [torch.empty(rank, n_embd), torch.empty(n_embd, rank)] * 2 * n_layer
        parts += torch.nn.Linear(n_embd, classes).parameters()
    return sum(part.numel() for part in parts)


VARIANTS = {
    "per_token_word_byte": [measures_of_one_tensor, measures_weighted, measures_by_roots],
    "strided_perplexity": [
        strided_token_by_token,
        strided_by_overwriting_backwards,
        strided_with_ignored_targets,
    ],
    "last_words_right": [words_by_loop, words_by_counting, words_without_mistakes],
    "target_loss": [target_loss_ignoring, target_loss_text_by_text, target_loss_weighted],
    "last_real": [last_by_flipping, last_by_loop, last_by_gather, last_by_one_hot],
    "LoRAQueryValue": [LoRAPadded, LoRAInTheWeight, LoRAInPlaces],
    "merge_adapters": [merged_at_once, merged_by_einsum, merged_as_one_adapter],
    "trained_parameters": [trained_by_products, trained_by_loop, trained_by_tensors],
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
