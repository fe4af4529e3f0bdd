"""Other designs beside GPT-2, trained at equal compute on the same text. Lesson 10 compares them.

Begin with `left_to_right.py`, then `both_ways.py`; `compute.py` counts FLOPs and spends them,
`measuring.py` says what a design is asked. `today.py` has what changed since GPT-2, for
lesson 13, made of `today_parts.py`.
"""

from minigpt.evaluation.designs.both_ways import EncoderDecoder, Masked
from minigpt.evaluation.designs.compute import train_at, training_flops, use_tables
from minigpt.evaluation.designs.left_to_right import LSTM, Bigram, Decoder, Design
from minigpt.evaluation.designs.measuring import nats_from, tokens_back
from minigpt.evaluation.designs.today import Today, TodayConfig, TodayGPT

__all__ = [
    "LSTM",
    "Bigram",
    "Decoder",
    "Design",
    "EncoderDecoder",
    "Masked",
    "Today",
    "TodayConfig",
    "TodayGPT",
    "nats_from",
    "tokens_back",
    "train_at",
    "training_flops",
    "use_tables",
]
