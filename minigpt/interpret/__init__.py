"""Looking inside a model while it reads. Lesson 09 is about it, 03 and 04 use it before.

Begin with `patterns.py`: who attends to whom, and what the model expects after each layer.
`heads.py` names single heads by what they do, and takes them out.
`recording.py` keeps what a run had where; `patching.py` puts it into another run, and measures what
becomes of the answer.
"""

from minigpt.interpret.heads import ablated, head_scores, repeated_tokens
from minigpt.interpret.patching import patch_effects, patched
from minigpt.interpret.patterns import (
    attention_patterns,
    attention_rollout,
    hide_first_token,
    logit_lens,
    residual_stream,
    token_surprisal,
)
from minigpt.interpret.recording import Activations, activations

__all__ = [
    "Activations",
    "ablated",
    "activations",
    "attention_patterns",
    "attention_rollout",
    "head_scores",
    "hide_first_token",
    "logit_lens",
    "patch_effects",
    "patched",
    "repeated_tokens",
    "residual_stream",
    "token_surprisal",
]
