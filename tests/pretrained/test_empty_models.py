"""What a model needs in memory is known before it is made."""

import torch

from minigpt.config import GPTConfig
from minigpt.pretrained import memory_needed


def test_memory_needed_is_what_the_weights_take():
    assert memory_needed(GPTConfig.preset("gpt2")) == 4 * 124_439_808
    assert memory_needed(GPTConfig.preset("gpt2-xl"), torch.bfloat16) == 2 * 1_557_611_200
