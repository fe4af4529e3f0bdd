"""Looking inside a model while it reads. Lesson 09 is about it, 03 and 04 use it before.

Begin with `patterns.py`: who attends to whom, and what the model expects after each layer.
`heads.py` knows heads by what they look at, `ablation.py` takes parts out, `attribution.py` says
what each part adds to an answer. `recording.py` keeps what a run had where, `patching.py` puts it
into another run. `induction.py` has a head be born; `recall.py` finds what a story says again.
"""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "Activations": "recording",
        "Means": "ablation",
        "ablated": "ablation",
        "activations": "recording",
        "attention_patterns": "patterns",
        "attention_rollout": "patterns",
        "direct_attribution": "attribution",
        "head_scores": "heads",
        "hide_first_token": "patterns",
        "induction_model": "induction",
        "logit_lens": "patterns",
        "mean_head_scores": "heads",
        "measure_means": "ablation",
        "patch_effects": "patching",
        "patched": "patching",
        "repeated_batch": "induction",
        "repeated_tokens": "heads",
        "residual_stream": "patterns",
        "token_surprisal": "patterns",
        "watch_birth": "induction",
        "with_pattern": "ablation",
        "without": "ablation",
    },
)
