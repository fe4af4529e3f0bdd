"""What a learner has: checks of their answers, parts that passed, hints, progress, and a folder.

Begin with `reporting.py`. `keeping.py` makes a right answer a file that stands alone
(`sources.py`, `standalone.py`), `using.py` hands it out, and `old_names.py` reads what was kept
before modules moved. `claims.py` keeps the score of lesson 12. Names are looked up on first use.
"""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "Claims": "claims",
        "ProgressWidget": "progress",
        "check": "reporting",
        "hint": "hints",
        "marking": "hints",
        "my_parts": "using",
        "my_progress": "progress",
        "part": "using",
    },
)
