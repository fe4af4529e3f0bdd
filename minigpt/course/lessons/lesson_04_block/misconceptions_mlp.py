"""The wrong answers that people give when they write lesson 04's MLP."""

from __future__ import annotations

from torch import nn
from torch.nn import functional as F

from minigpt.course.exercise.mistakes import changed
from minigpt.course.lessons.lesson_04_block.misconceptions_functions import GELU

# --- MLP ---


class Thinker(nn.Module):
    """The MLP in small steps, so that a misconception can do one of them differently."""

    widening = 4
    always_bias = False
    rate = None  # of the dropout, if it is not config.dropout
    dropped = ("result",)

    def __init__(self, config):
        super().__init__()
        C, bias = config.n_embd, config.bias or self.always_bias
        self.c_fc = nn.Linear(C, self.widening * C, bias=bias)
        self.c_proj = nn.Linear(self.widening * C, C, bias=bias)
        self.dropout = config.dropout if self.rate is None else self.rate

    def forward(self, x):
        hidden = self.drop("hidden", self.bend(self.c_fc(x)))
        return self.drop("result", self.c_proj(hidden))

    def twice(self, x):
        return self.c_proj(self.c_fc(x))

    def drop(self, what, x):
        return F.dropout(x, self.dropout, self.training) if what in self.dropped else x

    def bend(self, x):
        return F.gelu(x, approximate="tanh")


class OtherNames(nn.Module):
    def __init__(self, config):
        super().__init__()
        C = config.n_embd
        self.fc1 = nn.Linear(C, 4 * C, bias=config.bias)
        self.fc2 = nn.Linear(4 * C, C, bias=config.bias)


class Transposed(nn.Module):
    """nn.Linear's arguments the other way round."""

    def __init__(self, config):
        super().__init__()
        C = config.n_embd
        self.c_fc = nn.Linear(4 * C, C, bias=config.bias)
        self.c_proj = nn.Linear(C, 4 * C, bias=config.bias)


MLP = {
    "erf": (
        "Your bend is the exact GELU, PyTorch's default. GPT-2 has the tanh form: your own gelu, "
        'or approximate="tanh".',
        changed(Thinker, bend=lambda self, x: F.gelu(x)),
    ),
    "relu": (
        "Your bend is ReLU. GPT-2 has GELU, in its tanh form.",
        changed(Thinker, bend=lambda self, x: F.relu(x)),
    ),
    "relu-squared": (
        "Your bend is the square of ReLU, as in newer models. GPT-2 has GELU, in its tanh form.",
        changed(Thinker, bend=lambda self, x: F.relu(x).square()),
    ),
    "silu": (
        "Your bend is SiLU, x times its sigmoid. GPT-2 has GELU, in its tanh form.",
        changed(Thinker, bend=lambda self, x: F.silu(x)),
    ),
    "sigmoid": (
        "Your bend is another approximation of GELU, with a sigmoid and 1.702. GPT-2 has the tanh "
        "form.",
        changed(Thinker, bend=lambda self, x: x * (1.702 * x).sigmoid()),
    ),
    "tanh-overflows": (
        "Right for small numbers. In your GELU e to the 100 is beyond float32: infinity divided by "
        "infinity is NaN. torch.tanh has no such trouble.",
        changed(Thinker, bend=lambda self, x: GELU["tanh-overflows"][1](x)),
    ),
    "bend-after-the-projection": (
        "Your GELU stands behind c_proj. Between the two layers nothing bends, so they are one "
        "matrix, and nothing below about -0.17 reaches the stream. It stands between them.",
        changed(
            Thinker,
            forward=lambda self, x: self.drop("result", F.gelu(self.twice(x), approximate="tanh")),
        ),
    ),
    "no-bend": (
        "There is no bend between the two layers, so together they are one matrix. GELU stands "
        "between them.",
        changed(Thinker, bend=lambda self, x: x),
    ),
    "bend-at-the-end": (
        "You bend a second time, after c_proj. Nothing below about -0.17 could ever be written to "
        "the stream. The bend stands between the layers only.",
        changed(Thinker, forward=lambda self, x: self.bend(Thinker.forward(self, x))),
    ),
    "hidden-twice-as-wide": (
        "Your hidden row is twice as wide as the stream. GPT-2's is four times as wide.",
        changed(Thinker, widening=2),
    ),
    "hidden-as-wide": (
        "Your hidden row is as wide as the stream. GPT-2's is four times as wide.",
        changed(Thinker, widening=1),
    ),
    "in-and-out-swapped": (
        "In and out are swapped: nn.Linear takes the inputs first. c_fc goes from C to 4C, c_proj "
        "back.",
        Transposed,
    ),
    "other-names": (
        "The layers are right, but their names are yours. With the checkpoint's names, c_fc and "
        "c_proj, real weights will fit.",
        OtherNames,
    ),
    "bias-always": (
        "With config.bias=False the linear layers should have no bias. Yours always have one.",
        changed(Thinker, always_bias=True),
    ),
    "dropout-of-a-half": (
        "Your dropout is 0.5, nn.Dropout's own default, whatever config.dropout says. Hand it on.",
        changed(Thinker, rate=0.5),
    ),
    "dropout-of-a-tenth": (
        "Your dropout is 0.1, GPT-2's, whatever config.dropout says. Use config.dropout.",
        changed(Thinker, rate=0.1),
    ),
    "input-added": (
        "You add the input to the result. That is the block's affair; the MLP returns only what it "
        "made.",
        changed(Thinker, forward=lambda self, x: x + Thinker.forward(self, x)),
    ),
    "no-dropout": (
        "Right without dropout. But config.dropout is never used: in training it acts on the "
        "result, after c_proj.",
        changed(Thinker, dropped=()),
    ),
    "dropout-on-hidden": (
        "Your dropout acts on the hidden row. It belongs at the end, after c_proj.",
        changed(Thinker, dropped=("hidden",)),
    ),
    "dropout-twice": (
        "You have two dropouts, one on the hidden row and one at the end. GPT-2 has only the one "
        "at the end, after c_proj.",
        changed(Thinker, dropped=("hidden", "result")),
    ),
    "dropout-in-evaluation": (
        "Dropout is still at work after .eval(): the same input gives another result each time. "
        "F.dropout needs training=self.training; nn.Dropout knows by itself.",
        changed(
            Thinker,
            drop=lambda self, what, x: F.dropout(x, self.dropout) if what == "result" else x,
        ),
    ),
}
