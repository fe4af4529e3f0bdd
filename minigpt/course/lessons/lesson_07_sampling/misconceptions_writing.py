"""What people get wrong in the loop that writes, and in the account of its cache."""

from __future__ import annotations

from functools import partial

import torch

from minigpt.course.exercise.mistakes import half_mended

# --- generate ---


def write(
    model, idx, max_new_tokens, *, crop=lambda idx, size: idx[:, -size:],
    pick=lambda logits: logits[:, -1].argmax(dim=-1), mode="restore", recording=False, forget=False,
    more=0, only_new=False, finish=lambda idx, size: idx,
):  # fmt: skip
    """The greedy loop with one thing wrong."""
    was_training, start = model.training, idx.size(1)
    if mode != "leave":
        model.eval()
    with torch.set_grad_enabled(recording):
        for _ in range(max_new_tokens + more):
            seen = crop(idx, model.config.block_size)
            token = pick(model(seen)).reshape(-1, 1).expand(idx.size(0), 1)
            idx = torch.cat([seen if forget else idx, token], dim=1)
    if mode == "restore":
        model.train(was_training)
    elif mode == "train":
        model.train()
    idx = finish(idx, model.config.block_size)
    return idx[:, start:] if only_new else idx


def out_of_the_loop(model, idx, max_new_tokens):
    """Returns before the mode is put back; without a turn it returns nothing."""
    if max_new_tokens:
        return write(model, idx, 1, mode="eval")
    model.eval()
    return None


def out_of_the_loop_with_the_mode(model, idx, max_new_tokens):
    """Both last lines stand in the loop: after no turn the mode is not put back either."""
    if max_new_tokens:
        return write(model, idx, 1)
    model.eval()
    return None


def cut_before_the_loop(model, idx, max_new_tokens):
    """Shows the model a text that is cut once, and then grows."""
    shown = write(
        model, idx[:, -model.config.block_size :], max_new_tokens, crop=lambda idx, size: idx
    )
    return torch.cat([idx, shown[:, -max_new_tokens:] if max_new_tokens else idx[:, :0]], dim=1)


def grow(model, idx, max_new_tokens):
    """Feeds each new token alone, without a cache."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        new = idx[:, -model.config.block_size :]
        for _ in range(max_new_tokens):
            new = model(new)[:, -1].argmax(dim=-1, keepdim=True)
            idx = torch.cat([idx, new], dim=1)
    model.train(was_training)
    return idx


def drawn(logits):
    return torch.multinomial(logits[:, -1].softmax(dim=-1), 1)


def gradients_off_for_good(model, idx, max_new_tokens):
    torch.set_grad_enabled(False)
    return write(model, idx, max_new_tokens)


GENERATE = {
    "not-cropped": (
        "Right for short texts. But the model takes at most block_size tokens, and your text grows "
        "beyond that. Show it only the last ones.",
        partial(write, crop=lambda idx, size: idx),
    ),
    "first-tokens": (
        "You crop to the *first* block_size tokens. The model never sees what it has written, and "
        "says one token for ever. Which end is the recent one?",
        partial(write, crop=lambda idx, size: idx[:, :size]),
    ),
    "cropped-too-far": (
        "Your window is one token too short. The model can see block_size tokens; use them all.",
        partial(write, crop=lambda idx, size: idx[:, -(size - 1) :] if size > 1 else idx[:, -1:]),
    ),
    "beginning-lost": (
        "You crop the text itself, so its beginning is gone. Crop only what the model sees, and "
        "append to the whole.",
        partial(write, forget=True),
    ),
    "last-token-only": (
        "After the prompt you show the model only its own last token. Without a cache it forgets "
        "everything before. Show it the whole window each time.",
        grow,
    ),
    "only-the-new": (
        "You return only the new tokens. The prompt belongs in front of them.",
        partial(write, only_new=True),
    ),
    "one-too-many": (
        "You write one token too many: max_new_tokens is the number of new ones.",
        partial(write, more=1),
    ),
    "first-position": (
        "You read the logits of the first position. They say what follows the first token. What "
        "follows the last one stands at the last position.",
        partial(write, pick=lambda logits: logits[:, 0].argmax(dim=-1)),
    ),
    "one-token-for-all": (
        "Your argmax looks at the first text only, and all texts get its token. Each row needs its "
        "own: over which axis?",
        partial(write, pick=lambda logits: logits[:1, -1].argmax(dim=-1)),
    ),
    "least-likely": (
        "You take the *least* likely token. The best one has the largest logit.",
        partial(write, pick=lambda logits: logits[:, -1].argmin(dim=-1)),
    ),
    "drawn-by-lot": (
        "You draw by lot. Greedy means the most likely token, each time.",
        partial(write, pick=drawn),
    ),
    "dropout-on": (
        "A model in training mode stays in training mode while you generate: with dropout, some of "
        "its channels are switched off at random. Set the mode first, and put it back after.",
        partial(write, mode="leave"),
    ),
    "mode-not-restored": (
        "You leave the model in evaluation mode. Training would go on without dropout. Put back "
        "the mode that you found.",
        partial(write, mode="eval"),
    ),
    "always-training-afterwards": (
        "You leave the model in training mode, even if it came in evaluation mode. Look before you "
        "change it.",
        partial(write, mode="train"),
    ),
    "records-gradients": (
        "The text is right, but PyTorch records every operation for a backward() that never comes. "
        "Switch the record off while you generate.",
        partial(write, recording=True),
    ),
    "gradients-off-for-good": (
        "You switch the record for gradients off and never on again: no training after that. Use a "
        "`with` block or a decorator, which puts it back.",
        gradients_off_for_good,
    ),
    "drawn-by-lot-in-the-same-mode": (
        "Two things. You draw by lot: greedy means the most likely token, each time. And a model "
        "in training mode stays in it, with dropout: set the mode first, and put it back after.",
        partial(write, pick=drawn, mode="leave"),
    ),
    "returned-inside-the-loop": (
        "You return inside the loop, so it ends after its first turn, and the model's mode is not "
        "put back. One step to the left: the loop's body ends before the return.",
        out_of_the_loop,
    ),
    "both-last-lines-inside-the-loop": (
        "Your last lines stand in the loop, so it ends after its first turn. One step to the left: "
        "the loop's body ends before the mode is put back.",
        out_of_the_loop_with_the_mode,
    ),
    "cut-at-the-end": (
        "You return the last block_size tokens only. Crop what the model sees; the text itself is "
        "returned whole.",
        partial(write, finish=lambda idx, size: idx[:, -size:]),
    ),
    "cut-once-before-the-loop": (
        "You crop once, before the loop. Then the text grows, and the model sees too much of it. "
        "Crop at each turn.",
        cut_before_the_loop,
    ),
    "second-to-last-position": (
        "You read the logits one position before the last: they say what the last token was to be. "
        "What follows it stands at the last position.",
        partial(write, pick=lambda logits: logits[:, -2:][:, 0].argmax(dim=-1)),
    ),
}

# --- write_until: a broken loop ---

BUGS = {
    "window": "The model is shown the wrong end of a long text.",
    "beginning": "The beginning of a long text is lost.",
    "mark": "A text goes on after its end mark.",
}


@torch.no_grad()
def write_until(
    model, idx, max_new_tokens, stop_token, *, bugs=(), enough=torch.all, prompts=False, fill=None
):
    """The loop, with some of its three bugs."""
    stopped = (idx == stop_token).any(dim=1) & prompts
    size = model.config.block_size
    for _ in range(max_new_tokens):
        seen = idx[:, :size] if "window" in bugs else idx[:, -size:]
        token = model(seen)[:, -1].argmax(dim=-1)
        if "mark" not in bugs:
            token = token.masked_fill(stopped, stop_token if fill is None else fill)
        stopped = stopped | (token == stop_token)
        idx = torch.cat([seen if "beginning" in bugs else idx, token[:, None]], dim=1)
        if enough(stopped):
            break
    return idx


@torch.no_grad()
def text_by_text(model, idx, max_new_tokens, stop_token):
    """Compares numbers with `is`, which asks for the very same object."""
    rows = idx.tolist()
    for row in rows:
        for _ in range(max_new_tokens):
            seen = torch.tensor([row[-model.config.block_size :]])
            row.append(model(seen)[0, -1].argmax().item())
            if row[-1] is stop_token:
                break
    longest = max(map(len, rows))
    return torch.tensor([row + [stop_token] * (longest - len(row)) for row in rows])


@torch.no_grad()
def never_stops(model, idx, max_new_tokens, stop_token):
    """Fills up to the full length, though every text has ended."""
    full = write_until(model, idx, max_new_tokens, stop_token)
    missing = idx.size(1) + max_new_tokens - full.size(1)
    return torch.cat([full, torch.full((len(idx), missing), stop_token)], dim=1)


WRITE_UNTIL = {
    **half_mended(write_until, BUGS, "Which line is to blame?"),
    "stops-at-the-first": (
        "You end as soon as *one* text has its mark, and cut off the others in mid-sentence. End "
        "when all have.",
        partial(write_until, enough=torch.any),
    ),
    "never-stops": (
        "You go on to max_new_tokens although every text has ended, and fill up with marks. The "
        "line that ended the loop was right.",
        never_stops,
    ),
    "compared-with-is": (
        "You compare with `is`. That asks whether two names mean the same object, and for numbers "
        "above 256 Python makes new ones: no text ever ends. Equal numbers are told by ==.",
        text_by_text,
    ),
    "mark-in-the-prompt": (
        "You stop a text whose *prompt* holds the mark. Only what is drawn counts: at the "
        "beginning no text has stopped.",
        partial(write_until, prompts=True),
    ),
    "filled-with-zeros": (
        "A text that has ended goes on with token 0. It should get the mark again.",
        partial(write_until, fill=0),
    ),
}

# --- cache_bytes ---


def cache(
    *, n_layer, n_head, n_embd, tokens, texts, bytes_per_number, parts=2, layers=True,
    heads=lambda C, nh: C, rows=True, size=True, square=False,
):  # fmt: skip
    """The account of a KV cache with one thing wrong."""
    numbers = parts * (n_layer if layers else 1) * heads(n_embd, n_head)
    numbers *= tokens**2 if square else tokens
    return numbers * (texts if rows else 1) * (bytes_per_number if size else 1)


CACHE_BYTES = {
    "keys-only": (
        "You count one vector a position. Each layer keeps a key *and* a value.",
        partial(cache, parts=1),
    ),
    "queries-too": (
        "You count three vectors a position. Old queries are never asked again, so nobody keeps "
        "them.",
        partial(cache, parts=3),
    ),
    "one-layer": (
        "You count one layer. Each layer has keys and values of its own.",
        partial(cache, layers=False),
    ),
    "one-head": (
        "You count the channels of one head. All heads together have n_embd.",
        partial(cache, heads=lambda C, nh: C // nh),
    ),
    "times-heads": (
        "You multiply n_embd by the number of heads. The heads *share* the n_embd channels.",
        partial(cache, heads=lambda C, nh: C * nh),
    ),
    "one-text": (
        "You count one text. Each text of the batch has a past of its own.",
        partial(cache, rows=False),
    ),
    "numbers-not-bytes": (
        "You count numbers. How many bytes does each take?",
        partial(cache, size=False),
    ),
    "square": (
        "You count a number for each *pair* of positions. That is the attention pattern, which is "
        "not kept. Keys and values: one each for a position.",
        partial(cache, square=True),
    ),
    "bits": (
        "You multiply by 8: that counts bits. What is given are the bytes of a number.",
        lambda **sizes: 8 * cache(**sizes),
    ),
    "heads-not-channels": (
        "You count one number for each head. A head has n_embd / n_head channels, all heads "
        "together n_embd.",
        partial(cache, heads=lambda C, nh: nh),
    ),
}
