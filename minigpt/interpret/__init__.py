"""Looking inside a model while it reads. Lesson 09 is about it, 03 and 04 use it before.

Begin with `patterns.py`: who attends to whom, and what the model expects after each layer.
`heads.py` names single heads by what they do, and takes them out.
"""

from minigpt.interpret.heads import ablated, head_scores, repeated_tokens
from minigpt.interpret.patterns import (
    attention_patterns,
    attention_rollout,
    hide_first_token,
    logit_lens,
    residual_stream,
    token_surprisal,
)

__all__ = [
    "ablated",
    "attention_patterns",
    "attention_rollout",
    "head_scores",
    "hide_first_token",
    "logit_lens",
    "repeated_tokens",
    "residual_stream",
    "token_surprisal",
]
