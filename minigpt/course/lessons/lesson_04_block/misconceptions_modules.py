"""The wrong answers that people give when they write lesson 04's modules, MLP and Block."""

from __future__ import annotations

from torch import nn
from torch.nn import functional as F

from minigpt import model
from minigpt.course.exercise.mistakes import changed
from minigpt.course.lessons.lesson_04_block.misconceptions_functions import GELU, normalised

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
    "bias-always, no-dropout": (
        "Two settings are not used. With config.bias=False the linear layers have no bias; yours "
        "always have one. And config.dropout acts in training, on the result.",
        changed(Thinker, always_bias=True, dropped=()),
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

# --- Block ---


class OwnBlock(nn.Module):
    """The block in two steps, so that a misconception can do one of them differently."""

    eps = 1e-5
    always_bias = False

    def __init__(self, config):
        super().__init__()
        bias = config.bias or self.always_bias
        self.ln_1 = nn.LayerNorm(config.n_embd, eps=self.eps, bias=bias)
        self.attn = model.CausalSelfAttention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd, eps=self.eps, bias=bias)
        self.mlp = model.MLP(config)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x):
        return self.think(self.look_back(x))

    def look_back(self, x):
        return x + self.attn(self.ln_1(x))

    def think(self, x):
        return x + self.mlp(self.ln_2(x))


class NoFirstPlus(OwnBlock):
    def look_back(self, x):
        return self.attn(self.ln_1(x))


class AddsToCopy(OwnBlock):
    def look_back(self, x):
        x = self.ln_1(x)
        return x + self.attn(x)


class AddsToCopies(AddsToCopy):
    def think(self, x):
        x = self.ln_2(x)
        return x + self.mlp(x)


class SharedNorm(OwnBlock):
    def __init__(self, config):
        super().__init__(config)
        self.ln_2 = self.ln_1


class SharedPostNorm(SharedNorm):
    def look_back(self, x):
        return self.ln_1(x + self.attn(x))

    def think(self, x):
        return self.ln_1(x + self.mlp(x))


class OneNorm(OwnBlock):
    def __init__(self, config):
        super().__init__(config)
        del self.ln_2


class NoNorms(OneNorm):
    def __init__(self, config):
        super().__init__(config)
        del self.ln_1


class InputTwice(OwnBlock):
    def forward(self, x):
        return x + self.think(self.look_back(x))


class ReadsThePart(OwnBlock):
    def forward(self, x):
        fetched = self.attn(self.ln_1(x))
        return x + fetched + self.mlp(self.ln_2(fetched))


class NoFirstNorm(OwnBlock):
    def look_back(self, x):
        return x + self.attn(x)


class DropsAlways(OwnBlock):
    def think(self, x):
        return x + F.dropout(self.mlp(self.ln_2(x)), self.drop.p)


BLOCK = {
    "norm-after-the-part": (
        "Your LayerNorms normalise what a part writes. They stand before the parts: each part "
        "reads a normalised copy of the stream, and writes what it likes.",
        changed(
            OwnBlock,
            look_back=lambda self, x: x + self.ln_1(self.attn(x)),
            think=lambda self, x: x + self.ln_2(self.mlp(x)),
        ),
    ),
    "post-norm": (
        "Your LayerNorms stand on the stream, after each plus. That is post-norm. GPT-2 has "
        "pre-norm: a part reads a normalised copy, and the stream itself is never normalised.",
        changed(
            OwnBlock,
            look_back=lambda self, x: self.ln_1(x + self.attn(x)),
            think=lambda self, x: self.ln_2(x + self.mlp(x)),
        ),
    ),
    "no-plus": (
        "Nothing is added: each part replaces the stream by what it made, and the word forgets "
        "what it was. Add what a part makes to what was there.",
        changed(OwnBlock, forward=lambda self, x: self.mlp(self.ln_2(self.attn(self.ln_1(x))))),
    ),
    "no-first-plus": (
        "Attention replaces the stream. Only the MLP's plus is there; the first one is missing.",
        NoFirstPlus,
    ),
    "no-second-plus": (
        "The MLP replaces the stream. Only attention's plus is there; the second one is missing.",
        changed(OwnBlock, think=lambda self, x: self.mlp(self.ln_2(x))),
    ),
    "added-to-the-copy": (
        "You add to the normalised copy, so the stream itself is lost at every LayerNorm. Keep x "
        "as it is, and normalise only what the part reads.",
        AddsToCopies,
    ),
    "shared-norm": (
        "ln_1 and ln_2 are one and the same LayerNorm. Both names exist, so loading does not "
        "complain, but each part needs a weight and a bias of its own.",
        SharedNorm,
    ),
    "shared-post-norm": (
        "Two things: you have one LayerNorm for both parts, and it stands on the stream, after "
        "each plus. Each part reads through a LayerNorm of its own, and the stream is left alone.",
        SharedPostNorm,
    ),
    "one-norm": (
        "Your block has one LayerNorm. There are two, ln_1 before attention and ln_2 before the "
        "MLP, each with a weight of its own.",
        OneNorm,
    ),
    "no-norms": (
        "Your block has no LayerNorm at all. Each part reads a normalised copy of the stream: "
        "ln_1 before attention, ln_2 before the MLP.",
        NoNorms,
    ),
    "norms-unused": (
        "ln_1 and ln_2 are built, but nothing goes through them. Each part reads a normalised copy "
        "of the stream.",
        changed(
            OwnBlock,
            look_back=lambda self, x: x + self.attn(x),
            think=lambda self, x: x + self.mlp(x),
        ),
    ),
    "input-added-twice": (
        "The block's input is in your result twice: the second plus adds the original x, and the "
        "stream holds it already.",
        InputTwice,
    ),
    "mlp-reads-the-part": (
        "Your MLP reads only what attention has made. It reads the stream, to which that was "
        "added.",
        ReadsThePart,
    ),
    "second-norm-twice": (
        "Attention reads through ln_2. ln_1 exists but is never used.",
        changed(OwnBlock, look_back=lambda self, x: x + self.attn(self.ln_2(x))),
    ),
    "first-norm-twice": (
        "The MLP reads through ln_1. ln_2 exists but is never used.",
        changed(OwnBlock, think=lambda self, x: x + self.mlp(self.ln_1(x))),
    ),
    "no-first-norm": (
        "Attention reads the stream as it is. It should read a copy that ln_1 has normalised.",
        NoFirstNorm,
    ),
    "no-second-norm": (
        "The MLP reads the stream as it is. It should read a copy that ln_2 has normalised.",
        changed(OwnBlock, think=lambda self, x: x + self.mlp(x)),
    ),
    "side-by-side": (
        "Attention and MLP read the same stream, side by side. In GPT-2 the MLP comes after: it "
        "reads the stream to which attention has already added.",
        changed(
            OwnBlock, forward=lambda self, x: x + self.attn(self.ln_1(x)) + self.mlp(self.ln_2(x))
        ),
    ),
    "mlp-first": (
        "Your MLP comes before attention. It is the other way round: first look back, then think.",
        changed(OwnBlock, forward=lambda self, x: self.look_back(self.think(x))),
    ),
    "attention-forgotten": (
        "Your second plus adds to the stream as it was at the start, so what attention wrote is "
        "lost. Add to the stream that attention has added to.",
        changed(OwnBlock, forward=lambda self, x: x + self.mlp(self.ln_2(self.look_back(x)))),
    ),
    "normed-at-the-end": (
        "You normalise the stream once more at the end of the block. A block only adds to it.",
        changed(OwnBlock, think=lambda self, x: self.ln_2(x + self.mlp(self.ln_2(x)))),
    ),
    **{
        f"epsilon-{eps:g}": (
            "Your LayerNorms use another epsilon. Quiet rows show it. GPT-2's is 0.00001.",
            changed(OwnBlock, eps=eps),
        )
        for eps in (1e-12, 1e-8, 1e-6, 1e-3)
    },
    "norms-keep-their-bias": (
        "With config.bias=False the LayerNorms should have no bias either. Yours still have one.",
        changed(OwnBlock, always_bias=True),
    ),
    "dropout-twice": (
        "The block drops a second time. Attention and MLP already end with a dropout each: the "
        "block needs none.",
        changed(
            OwnBlock,
            look_back=lambda self, x: x + self.drop(self.attn(self.ln_1(x))),
            think=lambda self, x: x + self.drop(self.mlp(self.ln_2(x))),
        ),
    ),
    "dropout-in-evaluation": (
        "Your block drops numbers after .eval(), too: F.dropout needs training=self.training. The "
        "block needs no dropout at all: its two parts have theirs.",
        DropsAlways,
    ),
    "dropout-on-the-stream": (
        "Your dropout acts on the stream itself: what earlier blocks wrote is lost. Dropout acts "
        "on what a part adds, and attention and MLP do that themselves.",
        changed(OwnBlock, look_back=lambda self, x: self.drop(OwnBlock.look_back(self, x))),
    ),
}

# --- MendedBlock ---


class Unbiased(nn.LayerNorm):
    def forward(self, x):
        x = self.weight * normalised(x, self.eps, correction=1)
        return x if self.bias is None else x + self.bias


class NormStillWrong(OwnBlock):
    def __init__(self, config):
        super().__init__(config)
        self.ln_1, self.ln_2 = (Unbiased(config.n_embd, bias=config.bias) for _ in range(2))


class Untouched(NormStillWrong, AddsToCopy):
    pass


MEND_BLOCK = {
    "untouched": (
        "Not written yet: this is still the broken version. It has two mistakes.",
        Untouched,
    ),
    "norm-still-wrong": (
        "The stream is right now. One mistake is left, in the LayerNorm: compare its result with "
        "nn.LayerNorm's for a row of four numbers.",
        NormStillWrong,
    ),
    "stream-still-wrong": (
        "The LayerNorm is right now. One mistake is left: to what does attention add its part?",
        AddsToCopy,
    ),
    "norm-removed": (
        "The stream is no longer normalised, but neither is what attention reads. It should read a "
        "copy of x that ln_1 has normalised.",
        NoFirstNorm,
    ),
    "norm-moved-behind": (
        "Now ln_1 stands behind the plus, and still on the stream. Attention should read a "
        "normalised copy; the stream itself stays as it is.",
        changed(OwnBlock, look_back=lambda self, x: self.ln_1(x + self.attn(x))),
    ),
    "plus-removed": (
        "The plus on the copy is gone, but so is the stream. What attention makes is added to x as "
        "it came in.",
        NoFirstPlus,
    ),
}
