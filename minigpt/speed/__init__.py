"""The same numbers, sooner. Lesson 11 is about it.

Begin with `profiling.py`, which says where a step's time goes, and `roofline.py`, how fast it could
be. Then `precision.py`: bf16, and attention that suits it. `quantization.py` holds weights in 8
bits, `compiling.py` turns Python into machine code, `decoding.py` does so with the next token.
`recomputing.py` gives time for memory. Each fast way has its readable twin beside it, which it
must equal.
"""

from minigpt.speed.compiling import check_compiler, compiled
from minigpt.speed.decoding import compiled_step
from minigpt.speed.precision import autocast, batched_attention
from minigpt.speed.profiling import Part, profile_step
from minigpt.speed.quantization import is_quantized, quantize
from minigpt.speed.recomputing import recompute_blocks
from minigpt.speed.roofline import Limits, forward_bytes, forward_flops, machine_limits

__all__ = [
    "Limits",
    "Part",
    "autocast",
    "batched_attention",
    "check_compiler",
    "compiled",
    "compiled_step",
    "forward_bytes",
    "forward_flops",
    "is_quantized",
    "machine_limits",
    "profile_step",
    "quantize",
    "recompute_blocks",
]
