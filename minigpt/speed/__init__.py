"""The same numbers, sooner. Lesson 11 is about it.

Begin with `precision.py`: bf16, and attention that suits it. `quantization.py` holds weights in 8
bits, `compiling.py` turns Python into machine code, `decoding.py` does so with the next token.
Each fast way has its readable twin beside it, which it must equal.
"""

from minigpt.speed.compiling import check_compiler, compiled
from minigpt.speed.decoding import compiled_step
from minigpt.speed.precision import autocast, batched_attention
from minigpt.speed.quantization import is_quantized, quantize

__all__ = [
    "autocast",
    "batched_attention",
    "check_compiler",
    "compiled",
    "compiled_step",
    "is_quantized",
    "quantize",
]
