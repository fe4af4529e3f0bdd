"""What people get wrong with a share that is restored, and with the interval of a difference."""

from __future__ import annotations

from functools import partial

import torch

# --- share_restored: clean 5, corrupt -3, patched 3 ---

SHARE_RESTORED = {
    "share-of-the-clean": (
        "You divide the patched difference by the clean one. Nothing restored is not 0 here, but "
        "the corrupt run's -3: measure from there.",
        3 / 5,
    ),
    "not-from-the-corrupt": (
        "The whole way, from -3 to 5, is right. But how far has the patched run come on it? It "
        "began at -3, not at 0.",
        3 / 8,
    ),
    "way-to-the-clean": (
        "You took the corrupt run off above, but not below. The whole way goes from -3 to 5.",
        6 / 5,
    ),
    "what-is-missing": (
        "That is what is *missing*. Asked for is what was restored.",
        0.25,
    ),
    "signs": (
        "-3 taken off makes a number larger. Look at your signs: the whole way is 8 long.",
        0.0,
    ),
    "percent": ("Right, but in percent. A share is a number such as 0.5.", 75),
    "not-divided": (
        "So much was gained in logits. As a share of what could be gained?",
        6,
    ),
    "patched-as-it-is": (
        "That is the patched run's difference. A share says how far it went, from the corrupt run "
        "to the clean one.",
        3,
    ),
}

# --- paired_interval ---


def rises(before, after):
    return after - before


def error_of(rise, before, after):
    return rise.std(dim=-1) / rise.size(-1) ** 0.5


def unpaired(rise, before, after):
    n = rise.size(-1)
    return ((before.var(dim=-1) + after.var(dim=-1)) / n).sqrt()


def ends(middle, half):
    return torch.stack([middle - half, middle + half], dim=-1)


def interval(
    before, after, *, difference=rises, error=error_of, times=1.96, finish=ends,
    middle_of=lambda rise: rise.mean(dim=-1),
):  # fmt: skip
    """The interval, with one thing wrong."""
    rise = difference(before, after)
    return finish(middle_of(rise), times * error(rise, before, after))


def of_the_stories(before, after):
    """Where 95 % of the single rises lie."""
    ends = torch.tensor([0.025, 0.975], dtype=before.dtype)
    return torch.quantile(after - before, ends, dim=-1).movedim(0, -1)


def over_everything(before, after):
    one = interval(before.flatten(), after.flatten())
    return one.expand(*before.shape[:-1], 2)


PAIRED_INTERVAL = {
    "unpaired": (
        "You treat the two losses as if they came from different stories. Then the interval is as "
        "wide as stories differ, and a small cost drowns. Take the difference story by story "
        "first, and *its* spread.",
        partial(interval, error=unpaired),
    ),
    "spread-of-one-story": (
        "You forget the root of n. So far single stories lie from the mean; the mean of n stories "
        "is surer by the root of n.",
        partial(interval, error=lambda rise, before, after: rise.std(dim=-1)),
    ),
    "divided-by-n": (
        "You divide by n. The standard error of a mean is the spread over the *root* of n.",
        partial(interval, error=lambda rise, *_: rise.std(dim=-1) / rise.size(-1)),
    ),
    "spread-of-n": (
        "Your spread divides by n. The mean was estimated from the same stories: divide by n - 1, "
        "as std does unless told.",
        partial(
            interval,
            error=lambda rise, *_: rise.std(dim=-1, correction=0) / rise.size(-1) ** 0.5,
        ),
    ),
    "variance": (
        "You use the variance. Its root, the standard deviation, has the unit of the loss.",
        partial(interval, error=lambda rise, *_: rise.var(dim=-1) / rise.size(-1) ** 0.5),
    ),
    "one-standard-error": (
        "Your interval is one standard error to each side: that covers about 68 %. For 95 % it is "
        "1.96 of them.",
        partial(interval, times=1.0),
    ),
    "two-standard-errors": (
        "You round 1.96 to 2. That is usual in the head; write the number that was asked for.",
        partial(interval, times=2.0),
    ),
    "one-sided": (
        "1.645 leaves 5 % on *one* side. An interval of 95 % leaves 2.5 % on each: 1.96.",
        partial(interval, times=1.645),
    ),
    "the-wrong-way-round": (
        "You take `after` off `before`: then a head that is missed has a negative cost. The loss "
        "*rises* by after - before.",
        partial(interval, difference=lambda before, after: before - after),
    ),
    "absolute": (
        "You take absolute differences. A story in which the loss falls counts against the head: "
        "keep the signs.",
        partial(interval, difference=lambda before, after: (after - before).abs()),
    ),
    "median": (
        "Your middle is the median. The interval is that of the mean.",
        partial(interval, middle_of=lambda rise: rise.median(dim=-1).values),
    ),
    "where-stories-lie": (
        "You return where 95 % of the single *stories* lie. Asked for is where their mean lies: "
        "that is known much better.",
        of_the_stories,
    ),
    "over-all-rows": (
        "You put all rows together. Each row of stories has an interval of its own: mean and "
        "spread run along the last axis.",
        over_everything,
    ),
    "first-axis": (
        "Your mean and spread run along the first axis. Stories are the *last*.",
        lambda before, after: interval(before.movedim(0, -1), after.movedim(0, -1)),
    ),
    "mean-and-half-width": (
        "You return the mean and how far it goes to each side. Asked for are the two ends.",
        partial(interval, finish=lambda middle, half: torch.stack([middle, half], dim=-1)),
    ),
    "high-before-low": (
        "You return the upper end first. First the lower one.",
        partial(interval, finish=lambda middle, half: ends(middle, half).flip(-1)),
    ),
    "ends-in-front": (
        "Your two ends stand on the first axis. They come last: (..., 2).",
        partial(interval, finish=lambda middle, half: torch.stack([middle - half, middle + half])),
    ),
}
