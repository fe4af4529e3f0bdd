"""The tokenizer: text to token ids and back, losing nothing. Lesson 01 builds it.

Begin with `bpe.py`, the algorithm: count pairs, merge the most frequent, again. `tokenizer.py`
holds a vocabulary and uses it. None of it needs PyTorch.
"""

from minigpt.tokenizer.checks import END_OF_TEXT, checked_text
from minigpt.tokenizer.prompts import encode_prompt
from minigpt.tokenizer.tokenizer import Tokenizer

__all__ = [
    "END_OF_TEXT",
    "Tokenizer",
    "checked_text",
    "encode_prompt",
]
