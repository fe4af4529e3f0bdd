"""Lesson 05's accounts: parameters, memory, arithmetic; what is right, and how people miscount."""

from __future__ import annotations

import torch

from minigpt.config import GPTConfig
from minigpt.course.exercise.calls.gpt import call_with_config
from minigpt.course.exercise.definition import Exercise, Misconception
from minigpt.course.exercise.drawing import seeded

LESSON = "05_gpt"


def number(generator: torch.Generator, low: int, high: int) -> int:
    """Draw a whole number from low to high, both possible."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def draw_sizes(seed: int) -> list[dict]:
    """Draw configurations in which no two sizes are equal, the simplest first."""
    g = seeded(seed)

    def sizes(layers: int, **more) -> dict:
        heads, head_size = number(g, 2, 5), number(g, 2, 6)
        width = heads * head_size
        context = number(g, 41, 90)
        return dict(
            vocab_size=context + number(g, 50, 900),
            block_size=context,
            n_layer=layers,
            n_head=heads,
            n_embd=width,
            **more,
        )

    tiny = dict(vocab_size=6, block_size=8, n_layer=2, n_head=2, n_embd=4)
    story = dict(vocab_size=1024, block_size=128, n_layer=4, n_head=4, n_embd=128)
    return [
        {"title": "the tiny model of the lesson", "config": tiny},
        {"title": "the storyteller's shape", "config": story},
        {"title": "one layer", "config": sizes(1)},
        {"title": "several layers", "config": sizes(number(g, 3, 7))},
        {"title": "no biases (bias=False)", "config": sizes(number(g, 3, 7), bias=False)},
        {"title": "dropout, which has no parameters", "config": sizes(3, dropout=0.1)},
    ]


def parameters(
    config: GPTConfig,
    tables: int = 1,
    places: bool = True,
    attention: float = 4,
    mlp: int = 8,
    biases: bool | None = None,
    norms: float = 2,
    final: bool = True,
) -> int:
    """Count a GPT's parameters; each way to miscount is an argument."""
    V, T, L, C = config.vocab_size, config.block_size, config.n_layer, config.n_embd
    biases = config.bias if biases is None else biases
    block = attention * C * C + mlp * C * C + norms * C + biases * (9 * C + norms * C)
    return int(tables * V * C + places * T * C + L * block + final * (C + biases * C))


def miscount(**mistake):
    """Return a count with one mistake."""
    return lambda config: parameters(config, **mistake)


COUNT_WRONG = (
    Misconception(
        "head-twice",
        "You count the head and the token table. They are one matrix: what is shared is counted "
        "once.",
        miscount(tables=2),
    ),
    Misconception(
        "positions-forgotten",
        "The place table is missing: one row of C numbers for each of the block_size places.",
        miscount(places=False),
    ),
    Misconception(
        "final-norm-forgotten",
        "You are short of one LayerNorm: behind the last block stands ln_f.",
        miscount(final=False),
    ),
    Misconception(
        "one-norm-per-block",
        "You count one LayerNorm in a block. There are two: before attention and before the MLP.",
        miscount(norms=1),
    ),
    Misconception(
        "biases-forgotten",
        "You count the weights only. With bias=True every linear layer of a block and every "
        "LayerNorm has a bias as well.",
        miscount(biases=False),
    ),
    Misconception(
        "biases-always",
        "You count biases even where config.bias is False. Then neither the linear layers nor the "
        "LayerNorms have any.",
        miscount(biases=True),
    ),
    Misconception(
        "query-only",
        "You count c_attn as a C by C matrix. It makes queries, keys and values at once: C by 3C.",
        miscount(attention=2),
    ),
    Misconception(
        "projection-forgotten",
        "Attention's c_proj is missing: when the heads are side by side again, one more C by C "
        "matrix mixes them.",
        miscount(attention=3),
    ),
    Misconception(
        "per-head",
        "You multiply attention by the number of heads. The heads share the width: each has C / nh "
        "of it, so their number changes nothing.",
        lambda config: parameters(config, attention=4 * config.n_head),
    ),
    Misconception(
        "narrow-mlp",
        "Your MLP is as wide as the stream. Its middle has four times the width: C by 4C and back.",
        miscount(mlp=2),
    ),
    Misconception(
        "half-mlp",
        "You count one matrix of the MLP. There are two, C by 4C and 4C by C.",
        miscount(mlp=4),
    ),
)

COUNT_PARAMETERS = Exercise(
    name="count_parameters",
    lesson=LESSON,
    kind="account",
    title="How many parameters?",
    points=5,
    difficulty=2,
    importance=4,
    minutes=12,
    hints=(
        "Go through the model from the ids to the logits. At every part: how many numbers does it "
        "learn, and is any of them the same as one counted before?",
        "The tiny model: wte 6 x 4 = 24, wpe 8 x 4 = 32, each block 12 x 16 = 192 weights, 36 "
        "biases and two LayerNorms of 8, then ln_f with 8. Two blocks: 24 + 32 + 2 x 244 + 8 = "
        "552.",
        "block = (C x 3C + C x C) + (C x 4C + 4C x C) + two LayerNorm weights of C\n"
        "if biases: block += 3C + C + 4C + C + two LayerNorm biases of C\n"
        "total = V x C + block_size x C + L x block + ln_f (C, and C more if biases)",
    ),
    draw=draw_sizes,
    call=call_with_config,
    reference=parameters,
    misconceptions=COUNT_WRONG,
    keep=True,
)


def training_bytes(
    config: GPTConfig, T: int, copies: int = 4, each: int = 4, kept: bool = True, every: bool = True
) -> int:
    """Count the bytes of training on one text; each way to miscount is an argument."""
    V, L, C, nh = config.vocab_size, config.n_layer, config.n_embd, config.n_head
    activations = L * (16 * C + nh + 4) + 2 * C + 2 + V
    return each * (copies * parameters(config) + kept * activations * (T if every else 1))


def misweighed(**mistake):
    """Return an account of memory with one mistake."""
    return lambda config, T: training_bytes(config, T, **mistake)


MEMORY_WRONG = (
    Misconception(
        "weights-only",
        "You count the weights and the activations. To train, each weight also needs its gradient "
        "and AdamW's two averages.",
        misweighed(copies=1),
    ),
    Misconception(
        "optimizer-forgotten",
        "Weights, gradients and activations are there. What does AdamW itself remember of every "
        "parameter?",
        misweighed(copies=2),
    ),
    Misconception(
        "one-average",
        "You give AdamW one running average for each parameter. It keeps two: of the gradient, and "
        "of its square.",
        misweighed(copies=3),
    ),
    Misconception(
        "activations-forgotten",
        "You count what does not depend on the text. The activations do: the backward pass needs "
        "what the forward pass computed.",
        misweighed(kept=False),
    ),
    Misconception(
        "one-position",
        "You count the activations of a single position. Every one of the T positions keeps its "
        "own.",
        misweighed(every=False),
    ),
    Misconception(
        "numbers-not-bytes",
        "You count numbers. In fp32 each of them takes 4 bytes.",
        misweighed(each=1),
    ),
    Misconception(
        "two-bytes",
        "You take 2 bytes a number, as bf16 does. Here everything is fp32, 32 bits.",
        misweighed(each=2),
    ),
)


def draw_with_text(seed: int) -> list[dict]:
    """Draw configurations, each with a length of text."""
    g = seeded(seed + 1000)
    cases = draw_sizes(seed)[:-1]  # dropout would keep its masks, too
    for case in cases:
        T = number(g, 5, case["config"]["block_size"] - 1)
        case |= {"args": [T], "names": ["T"]}
    cases[0]["args"] = [7]
    alone = {**cases[3], "title": "a single word", "args": [1]}
    return [*cases, alone]


TRAINING_BYTES = Exercise(
    name="training_bytes",
    lesson=LESSON,
    kind="account",
    title="What training takes",
    points=4,
    difficulty=3,
    importance=3,
    minutes=10,
    hints=(
        "Two things fill the memory. One depends on the model only, the other on the model and the "
        "text. What belongs to each?",
        "The tiny model has 552 parameters: 4 numbers each are 2,208. A position keeps 2 x (64 + 2 "
        "+ 4) + 8 + 2 + 6 = 156 numbers, seven of them 1,092. Together 3,300 numbers.",
        "per parameter: weight, gradient, two averages\n"
        "per position: for each layer the table's sum; once ln_f, head and loss\n"
        "bytes = 4 x (numbers per parameter x parameters + T x numbers per position)",
    ),
    draw=draw_with_text,
    call=call_with_config,
    reference=training_bytes,
    misconceptions=MEMORY_WRONG,
)


def flops_per_token(
    config: GPTConfig, T: int, each: int = 2, block: int = 12, head: int = 1, attention: float = 4
) -> int:
    """Count the FLOPs of reading a token; each way to miscount is an argument."""
    V, L, C = config.vocab_size, config.n_layer, config.n_embd
    return int(each * (block * L * C * C + head * V * C) + attention * L * T * C)


def misreckoned(**mistake):
    """Return an account of arithmetic with one mistake."""
    return lambda config, T: flops_per_token(config, T, **mistake)


FLOPS_WRONG = (
    Misconception(
        "one-per-weight",
        "You count one FLOP a weight. Each is multiplied and then added: two.",
        misreckoned(each=1),
    ),
    Misconception(
        "multiplications-only",
        "You count multiplications only, in the matrices and in attention. The additions are as "
        "many.",
        misreckoned(each=1, attention=2),
    ),
    Misconception(
        "head-forgotten",
        "The head is missing. As a table of embeddings its matrix costs nothing, but as the head "
        "it meets every token.",
        misreckoned(head=0),
    ),
    Misconception(
        "embedding-counted",
        "You count the token table twice, as embedding and as head. Fetching a row is no "
        "arithmetic.",
        misreckoned(head=2),
    ),
    Misconception(
        "attention-forgotten",
        "You count the matrices only. The scores and the mixing of values have no weights, but "
        "they grow with the text.",
        misreckoned(attention=0),
    ),
    Misconception(
        "scores-only",
        "Of attention you count the scores, query by key. Mixing the values takes as much again.",
        misreckoned(attention=2),
    ),
    Misconception(
        "backward-included",
        "You count the backward pass, too: three times as much. Here it is about reading only.",
        misreckoned(each=6, attention=12),
    ),
    Misconception(
        "whole-text",
        "You count the whole text. The question is about one of its T tokens.",
        lambda config, T: T * flops_per_token(config, T),
    ),
    Misconception(
        "per-head",
        "You multiply attention by the number of heads. Each head is narrower by just that.",
        lambda config, T: flops_per_token(config, T, attention=4 * config.n_head),
    ),
    Misconception(
        "two-per-parameter",
        "You take 2 FLOPs for every parameter: a good rule of thumb. Exactly, the place table, the "
        "biases and the LayerNorms do not count, and attention comes on top.",
        lambda config, T: 2 * parameters(config),
    ),
)

FLOPS_PER_TOKEN = Exercise(
    name="flops_per_token",
    lesson=LESSON,
    kind="account",
    title="What reading takes",
    points=4,
    difficulty=3,
    importance=3,
    minutes=10,
    hints=(
        "Which matrices does a token go through, and which tables are only looked up? What does "
        "attention multiply that is no weight?",
        "The tiny model: a block has 12 x 16 = 192 weights, two blocks 384, the head 6 x 4 = 24: "
        "408 weights, 816 FLOPs. With T = 7 attention adds 2 layers x 4 x 7 x 4 = 224.",
        "matrices = weights of all blocks' matrices, and of the head, times 2\n"
        "attention, in each layer = T keys of C numbers in all, times 2; T values the same\n"
        "return the sum",
    ),
    draw=draw_with_text,
    call=call_with_config,
    reference=flops_per_token,
    misconceptions=FLOPS_WRONG,
)
