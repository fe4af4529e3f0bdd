"""Draw the cases of lesson 05's exercises; the answer that the package does not have."""

from __future__ import annotations

import torch
from torch import Generator, nn

from minigpt.config import GPTConfig
from minigpt.course.exercise.calls.gpt import dropout_weights
from minigpt.course.exercise.drawing import Cases, seeded, whole
from minigpt.course.exercise.drawing_gpt import gpt_weights

# --- The model ---


def draw_gpt(g: Generator) -> list[dict]:
    """Draw models and texts, the simplest first."""
    named = Cases("idx")

    def case(title: str, sizes: dict, shape: tuple, dtype=torch.float32, **more) -> dict:
        """Draw a case for a GPT: random weights, random ids of shape (B, T)."""
        sizes = {**vars(GPTConfig(**sizes))}
        ids = torch.randint(sizes["vocab_size"], shape, generator=g)
        weights = {name: tensor.to(dtype) for name, tensor in gpt_weights(sizes, g).items()}
        return named(title, ids, config=sizes, weights=weights) | more

    def training(what: str, added: int) -> dict:
        config = GPTConfig(
            vocab_size=129, block_size=4, n_layer=1, n_head=2, n_embd=128, dropout=0.5
        )
        return named(
            f"dropout 0.5, in training, in a model whose block adds {what}",
            torch.tensor([[128]]),
            config={**vars(config)},
            weights=dropout_weights(config, added),
            training=True,
        )

    tiny = dict(vocab_size=6, block_size=8, n_layer=1, n_head=2, n_embd=4)
    small = dict(vocab_size=whole(g, 9, 13), block_size=7, n_layer=2, n_head=2, n_embd=8)
    return [
        case("one text of three words, one layer", tiny, (1, 3)),
        case("two texts, two layers, and the gradients", small, (2, 5), gradients=True),
        case("texts as long as the context", small, (3, 7)),
        case("a single word", small, (1, 1)),
        case("as many texts as words", small, (4, 4)),
        case("no biases (bias=False)", small | {"bias": False}, (2, 5), gradients=True),
        case("dropout 0.5, in evaluation", small | {"dropout": 0.5}, (2, 5)),
        case("float64", small, (2, 5), torch.float64),
        training("nothing", 0),
        training("a constant", 5),
    ]


# --- The start ---


def init_weights(model: nn.Module) -> None:
    """Give a GPT its first weights: the package's layers know their own."""
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()


def draw_start(g: Generator) -> list[dict]:
    """Draw models to start; their tensors are large enough for a spread to be sure."""
    sizes = dict(vocab_size=256, block_size=64, n_head=4, n_embd=64)

    def case(title: str, layers: int, add: int, **more) -> dict:
        config = {**sizes, "n_layer": layers, "bias": more.pop("bias", True)}
        return {"title": title, "config": config, "seed": g.initial_seed() + add, **more}

    kinds = ("tables", "c_attn and c_fc", "c_proj", "biases", "LayerNorms")
    return [
        *(case(f"three layers: {kind}", 3, 100, looks_at=kind) for kind in kinds),
        case("one layer: c_proj", 1, 0, looks_at="c_proj"),
        case("two layers without biases", 2, 200, bias=False),
    ]


# --- The accounts ---


def draw_sizes(g: Generator) -> list[dict]:
    """Draw configurations in which no two sizes are equal, the simplest first."""

    def sizes(layers: int, **more) -> dict:
        heads, head_size = whole(g, 2, 6), whole(g, 2, 7)
        context = whole(g, 41, 91)
        vocabulary = context + whole(g, 50, 901)
        shape = dict(n_layer=layers, n_head=heads, n_embd=heads * head_size)
        return dict(vocab_size=vocabulary, block_size=context, **shape, **more)

    tiny = dict(vocab_size=6, block_size=8, n_layer=2, n_head=2, n_embd=4)
    story = dict(vocab_size=1024, block_size=128, n_layer=4, n_head=4, n_embd=128)
    return [
        {"title": "the tiny model of the lesson", "config": tiny},
        {"title": "the storyteller's shape", "config": story},
        {"title": "one layer", "config": sizes(1)},
        {"title": "several layers", "config": sizes(whole(g, 3, 8))},
        {"title": "no biases (bias=False)", "config": sizes(whole(g, 3, 8), bias=False)},
        {"title": "dropout, which has no parameters", "config": sizes(3, dropout=0.1)},
    ]


def draw_with_text(g: Generator) -> list[dict]:
    """Draw configurations, each with a length of text."""
    case, lengths = Cases("T"), seeded(g.initial_seed() + 1000)

    def with_text(shape: dict) -> dict:
        T = whole(lengths, 5, shape["config"]["block_size"])
        return case(shape["title"], 7 if shape is tiny else T, config=shape["config"])

    tiny, *others = draw_sizes(g)[:-1]  # dropout would keep its masks, too
    alone = case("a single word", 1, config=others[2]["config"])
    return [*map(with_text, [tiny, *others]), alone]
