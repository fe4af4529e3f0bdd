"""From logits to text. Lesson 07 builds it.

Begin with `filters.py`: what one draw may give. `generation.py` is the loop around it.
"""

from minigpt.sampling.filters import (
    apply_temperature,
    next_token_distribution,
    sample_next_token,
    top_k_filter,
    top_p_filter,
)
from minigpt.sampling.generation import generate, stream

__all__ = [
    "apply_temperature",
    "generate",
    "next_token_distribution",
    "sample_next_token",
    "stream",
    "top_k_filter",
    "top_p_filter",
]
