"""Is an answer right, and what is wrong with it? Knows exercises, and no learner.

Begin with `diagnosing.py`. `running.py` runs code that may do anything, in a `fork.py` or a
`thread.py`; `seeing.py` runs one case and keeps what it saw as plain data. `comparing.py` says in
words how two values differ, `recognising.py` which known mistakes these are, `explaining.py` what
is said of them. Names are looked up on first use: running needs no exercise.
"""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__, {"Diagnosis": "diagnosing", "diagnose": "diagnosing"}
)
