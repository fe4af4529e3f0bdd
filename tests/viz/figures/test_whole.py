"""The picture of the whole model: its shapes are those that a model really makes."""

import torch
from matplotlib.figure import Figure

from minigpt import GPT, GPTConfig
from minigpt.interpret import attention_patterns
from minigpt.viz.figures.whole import plot_model, steps

CONFIG = GPTConfig(vocab_size=11, block_size=8, n_layer=3, n_head=2, n_embd=4)


def shapes_made(model, ids):
    """What leaves each module, by its name in the picture, in the first block or outside it."""
    made = {}
    block = model.transformer.h[0]
    named = {"ln_1": block.ln_1, "attn c_proj": block.attn.c_proj, "ln_2": block.ln_2}
    named |= {"c_fc": block.mlp.c_fc, "mlp c_proj": block.mlp.c_proj}
    named |= {"ln_f": model.transformer.ln_f, "lm_head": model.lm_head}
    for name, module in named.items():
        module.register_forward_hook(lambda m, i, out, name=name: made.update({name: out.shape}))
    model(ids)
    return [tuple(made[name]) for name in named]


def test_each_step_has_the_shape_that_a_model_makes():
    model, ids = GPT(CONFIG), torch.zeros(1, 5, dtype=torch.long)
    said = [shape for _, _, shape in steps(CONFIG, 5)]
    assert [said[i] for i in (2, 4, 6, 7, 8, 10, 11)] == shapes_made(model, ids)
    assert said[3] == tuple(attention_patterns(model, ids)[0].shape)
    assert said[0] == tuple(ids.shape) and said[1] == said[5] == said[9] == (1, 5, 4)


def test_the_picture_names_every_step_and_the_number_of_blocks():
    ax = plot_model(CONFIG, 5, Figure().subplots())
    texts = [text.get_text() for text in ax.texts]
    assert all(label in texts for _, label, _ in steps(CONFIG, 5))
    assert "1 x 2 x 5 x 5" in texts and "block,\n3 times" in texts


def test_everything_lies_within_the_axes():
    ax = plot_model(CONFIG, 5, Figure().subplots())
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    assert all(
        left <= x <= right and low <= y <= high for x, y in (t.get_position() for t in ax.texts)
    )
