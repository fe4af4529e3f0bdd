"""What people get wrong with texts that repeat themselves, and with the scores of heads."""

from __future__ import annotations

from functools import partial

import torch

from minigpt.interpret import head_scores

# --- repeat_pieces ---


def again_and_again(piece, length):
    return piece[torch.arange(length) % len(piece)]


def repeated(
    pieces, T, *, first=lambda n: n, shift=1, ignored=-100, say=again_and_again, rolled=False,
    size_of=lambda piece, pieces: len(piece), shorter=0, mask_x=False, finish=lambda x, y: (x, y),
):  # fmt: skip
    """The texts and their targets, with one thing wrong."""
    xs, ys = [], []
    for piece in pieces:
        ids = say(piece, T + 2)
        x, y = ids[: T - shorter].clone(), ids[shift : shift + T - shorter].clone()
        y = x.roll(-1) if rolled else y
        (x if mask_x else y)[: first(size_of(piece, pieces))] = ignored
        xs.append(x)
        ys.append(y)
    return finish(torch.stack(xs), torch.stack(ys))


def twice_and_zeros(piece, length):
    text = torch.zeros(length, dtype=piece.dtype)
    both = torch.cat([piece, piece])[:length]
    text[: len(both)] = both
    return text


def each_token_again(piece, length):
    times = -(-length // len(piece))
    return piece.repeat_interleave(times)[:length]


def there_and_back(piece, length):
    return again_and_again(torch.cat([piece, piece.flip(0)]), length)


REPEAT_PIECES = {
    "one-too-early": (
        "One target too many counts: the last token of the first saying. What follows it is the "
        "piece's first token, but nobody can know yet that the piece is over. A target counts "
        "where x itself is repeated already.",
        partial(repeated, first=lambda n: n - 1),
    ),
    "one-too-late": (
        "You throw away the first target that counts. At the first repeated token, position n, "
        "what comes next can be looked up already.",
        partial(repeated, first=lambda n: n + 1),
    ),
    "everything-counts": (
        "All your targets count. In the first saying nothing can be known, so a model is punished "
        "there for what nobody could learn, and the drop that you look for drowns.",
        partial(repeated, first=lambda n: 0),
    ),
    "not-shifted": (
        "Your targets are the tokens that the model sees at the same position. The target of "
        "position t is the token at t + 1.",
        partial(repeated, shift=0),
    ),
    "shifted-twice": (
        "Your targets are two tokens ahead. The target of position t is the token at t + 1.",
        partial(repeated, shift=2),
    ),
    "rolled": (
        "You roll x by one, so the last target is the row's *first* token. The text goes on: make "
        "T + 1 tokens, and cut x and y out of them.",
        partial(repeated, rolled=True),
    ),
    "zeros-for-ignored": (
        "You fill the targets that do not count with 0. That is a token's id, and the loss would "
        "teach it. PyTorch leaves out -100.",
        partial(repeated, ignored=0),
    ),
    "minus-one": (
        "You mark targets that do not count with -1. PyTorch's cross-entropy leaves out -100, and "
        "stops at any other number below 0.",
        partial(repeated, ignored=-1),
    ),
    "one-length-for-all": (
        "You use the first piece's length for all rows. Pieces differ in length: each row's "
        "targets begin to count at its own.",
        partial(repeated, size_of=lambda piece, pieces: len(pieces[0])),
    ),
    "twice-and-then-zeros": (
        "You say each piece twice and fill the rest with 0. Say it until the row is full.",
        partial(repeated, say=twice_and_zeros),
    ),
    "each-token-again": (
        "You repeat each *token*: a a a b b b. The *piece* is repeated: a b a b a b.",
        partial(repeated, say=each_token_again),
    ),
    "there-and-back": (
        "You say the piece forwards and then backwards. It is said the same way each time.",
        partial(repeated, say=there_and_back),
    ),
    "one-token-short": (
        "Your rows have T - 1 tokens: you made T of them and cut one off for the shift. Make "
        "T + 1.",
        partial(repeated, shorter=1),
    ),
    "inputs-ignored": (
        "You write -100 into x. The model has to read the first saying; only its *targets* do not "
        "count.",
        partial(repeated, mask_x=True),
    ),
    "the-other-way-round": (
        "You return (y, x). First what the model reads, then what it should say.",
        partial(repeated, finish=lambda x, y: (y, x)),
    ),
    "one-tensor": (
        "You return one tensor in which x and y are stacked. A pair is asked for: `return x, y`.",
        partial(repeated, finish=lambda x, y: torch.stack([x, y])),
    ),
    "only-the-inputs": (
        "You return x alone. The targets are asked for as well: `return x, y`.",
        partial(repeated, finish=lambda x, y: x),
    ),
}

# --- offset_score ---


def along(patterns, offset):
    return patterns.diagonal(-offset, -2, -1)


def hidden_and_shared_out(patterns, offset):
    shown = patterns.clone()
    shown[..., 0] = 0
    left = shown.sum(dim=-1, keepdim=True)
    return along(torch.where(left > 0, shown / left, 0.0), offset)[..., 1:].mean(dim=-1)


def how_often_the_strongest(patterns, offset):
    rows = torch.arange(offset + 1, patterns.size(-1))
    hits = patterns.argmax(dim=-1)[..., rows] == rows - offset
    return hits.to(patterns.dtype).mean(dim=-1)


def without_the_first_row(patterns, offset):
    entries = along(patterns, offset)
    return (entries if offset else entries[..., 1:]).mean(dim=-1)


OFFSET_SCORE = {
    "first-token-counted": (
        "You count the row that looks at the first token. Many heads rest there for another "
        "reason, so it says nothing about the offset. Leave that row out.",
        lambda patterns, offset: along(patterns, offset).mean(dim=-1),
    ),
    "row-0-left-out": (
        "You leave out the first *row*. What must not count is looking at the first *column*: "
        "with an offset that is another row.",
        without_the_first_row,
    ),
    "rows-and-columns-swapped": (
        "You read the pattern turned on its side. Row t is the token that looks, column s the one "
        "it looks at: above the diagonal stands the future, all zeros.",
        lambda patterns, offset: patterns.diagonal(offset, -2, -1)[..., 1:].mean(dim=-1),
    ),
    "one-too-near": (
        "Your diagonal is one too near. Offset 1 is the token *before*, offset 0 the token itself.",
        lambda patterns, offset: along(patterns, offset - 1)[..., 1:].mean(dim=-1),
    ),
    "one-too-far": (
        "Your diagonal is one too far back. Offset 1 is the token just before.",
        lambda patterns, offset: along(patterns, offset + 1)[..., 1:].mean(dim=-1),
    ),
    "sum-not-mean": (
        "You add the weights up. A score is their mean: it stays between 0 and 1 however long the "
        "text is.",
        lambda patterns, offset: along(patterns, offset)[..., 1:].sum(dim=-1),
    ),
    "divided-by-T": (
        "You divide by T. Fewer rows count: those whose offset leads to a token other than the "
        "first. A perfect head should score 1.",
        lambda patterns, offset: along(patterns, offset)[..., 1:].sum(-1) / patterns.size(-1),
    ),
    "all-heads-in-one": (
        "You return one number for everything. Each head has a score of its own: only the last "
        "two axes go.",
        lambda patterns, offset: along(patterns, offset)[..., 1:].mean(),
    ),
    "last-row-left-out": (
        "You cut the diagonal at its wrong end. The entry that looks at the first token is its "
        "*first*.",
        lambda patterns, offset: along(patterns, offset)[..., :-1].mean(dim=-1),
    ),
    "first-axes": (
        "You take the diagonal of the first two axes, as `diagonal` does unless told. With heads "
        "in front those are not the rows and columns: name the last two.",
        lambda patterns, offset: patterns.diagonal(-offset)[..., 1:].mean(dim=-1),
    ),
    "strongest": (
        "You take the largest weight of the diagonal. One row that looks back makes no habit: "
        "take the mean.",
        lambda patterns, offset: along(patterns, offset)[..., 1:].amax(dim=-1),
    ),
    "how-often-the-strongest": (
        "You count how often that token gets the largest weight of its row. That is another "
        "score, too; asked for is the mean weight.",
        how_often_the_strongest,
    ),
    "first-token-shared-out": (
        "You set the first column to 0 and share its weight out over the rest. Then a head that "
        "rests on the first token seems to look back. Its other weights count as they are.",
        hidden_and_shared_out,
    ),
}

# --- induction_score ---


def after_the_same(idx):
    """Mark what came after the same token before: (B, T) -> (B, T, T)."""
    marks = (idx[:, :, None] == idx[:, None, :]).tril(-1)
    return torch.nn.functional.pad(marks, (1, 0))[..., :-1].tril(-1)


def itself_too(idx):
    marks = (idx[:, :, None] == idx[:, None, :]).tril(-1)
    return torch.nn.functional.pad(marks, (1, 0))[..., :-1]


def the_same(idx):
    return (idx[:, :, None] == idx[:, None, :]).tril(-1)


def before_the_same(idx):
    return torch.nn.functional.pad(the_same(idx), (0, 1))[..., 1:]


def latest_only(idx):
    marks, places = after_the_same(idx), torch.arange(idx.size(1))
    return marks & (places == (marks * places).amax(dim=-1, keepdim=True))


def finished(weight, chance):
    return (weight - chance) / (1 - chance)


def pooled(
    patterns, idx, *, marks=after_the_same, chance=lambda t, seen: t.sum(-1) / seen,
    rows_of=lambda targets: targets.any(-1), finish=finished, gather=lambda p, t: (p * t).sum(-1),
):  # fmt: skip
    """The pooled score, with one thing wrong."""
    targets = marks(idx)
    rows = rows_of(targets)
    by_chance = chance(targets, torch.arange(1, idx.size(1) + 1))[rows].mean()
    weight = gather(patterns, targets[:, None]).transpose(0, 1)[:, rows].mean(dim=-1)
    return finish(weight, by_chance)


def text_by_text(patterns, idx):
    scores = [pooled(patterns[b : b + 1], idx[b : b + 1]) for b in range(len(idx))]
    return torch.stack(scores)


def by_the_package(patterns, idx):
    scores = [head_scores(each, ids)["induction"] for each, ids in zip(patterns, idx)]
    return torch.stack(scores).nanmean(dim=0)


INDUCTION_SCORE = {
    "the-same-token": (
        "You mark the same token itself, where it stood before. That is a duplicate-token head. "
        "Induction looks at what came *after* it.",
        partial(pooled, marks=the_same),
    ),
    "the-token-before": (
        "You mark what stood *before* the same token. Induction looks at what came after it: that "
        "is what is likely to come again. Shift the other way.",
        partial(pooled, marks=before_the_same),
    ),
    "itself-counted": (
        "After a token that stands twice running, you count looking at oneself as induction. "
        "Only earlier tokens are targets.",
        partial(pooled, marks=itself_too),
    ),
    "latest-only": (
        "You mark only what came after the *latest* of the same tokens. All that stood before "
        "count.",
        partial(pooled, marks=latest_only),
    ),
    "targets-of-the-first-text": (
        "You use the first text's targets for all. Each text repeats in its own places.",
        partial(pooled, marks=lambda idx: after_the_same(idx)[:1].expand(len(idx), -1, -1)),
    ),
    "rows-and-columns-swapped": (
        "You read the patterns turned on their side: there the targets look at the tokens. Row t "
        "is the token that looks.",
        partial(pooled, gather=lambda p, t: (p.mT * t).sum(dim=-1)),
    ),
    "chance-left-in": (
        "You return the mean weight on the targets. A head that looks anywhere alike has some, "
        "too: take chance off, and divide by what is left above it.",
        partial(pooled, finish=lambda weight, chance: weight),
    ),
    "chance-only-taken-off": (
        "You take chance off, but do not divide by 1 - chance. Then a perfect head stays below 1, "
        "and by how much depends on the text.",
        partial(pooled, finish=lambda weight, chance: weight - chance),
    ),
    "divided-by-chance": (
        "You divide by chance: so many times as often. Asked for is how far it goes from chance "
        "to perfect: the gain over what could be gained.",
        partial(pooled, finish=lambda weight, chance: weight / chance),
    ),
    "rows-without-target-too": (
        "You average over all rows, also those in which nothing stood before. Nobody can look at "
        "what is not there: only rows with a target count, for weight and chance alike.",
        partial(pooled, rows_of=lambda targets: torch.ones_like(targets[..., 0])),
    ),
    "mean-of-the-texts": (
        "You score each text alone and average the scores. Then a text with one chance weighs as "
        "much as one with many. Pool the rows of all texts first.",
        lambda patterns, idx: text_by_text(patterns, idx).nanmean(dim=0),
    ),
    "head_scores-of-each-text": (
        "You average what the package's head_scores says of each text. It refuses to judge a text "
        "with fewer than five rows that count, so such texts drop out, and one with twenty weighs "
        "no more than one with five. Pool the rows of all texts first.",
        by_the_package,
    ),
    "a-score-for-each-text": (
        "You return a score for each text. Asked for is one a head: pool the rows of all texts.",
        text_by_text,
    ),
    "all-heads-in-one": (
        "You return one number for all heads. The layer's heads differ: one score each.",
        lambda patterns, idx: pooled(patterns, idx).mean(),
    ),
    "chance-of-T": (
        "You reckon chance as if each token saw all T. Row t sees t + 1 tokens, itself included.",
        partial(pooled, chance=lambda t, seen: t.sum(-1) / len(seen)),
    ),
    "chance-without-itself": (
        "You reckon chance among the earlier tokens. A token may look at itself as well: row t "
        "sees t + 1.",
        partial(pooled, chance=lambda t, seen: t.sum(-1) / (seen - 1)),
    ),
    "chance-of-one-target": (
        "Your chance is that of hitting *one* token. With several targets it is larger: their "
        "share of what the row sees.",
        partial(pooled, chance=lambda t, seen: (1 / seen).expand(t.shape[:-1])),
    ),
    "best-target": (
        "You take the largest weight on a target. What a row gives to all its targets together "
        "counts.",
        partial(pooled, gather=lambda p, t: (p * t).amax(dim=-1)),
    ),
}
