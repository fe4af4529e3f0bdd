"""What a learner has: checks of their answers, parts that passed, hints, progress, and a folder.

Begin with `reporting.py`. `keeping.py` makes a right answer a file that stands alone
(`standalone.py`), `using.py` hands it out, and `old_names.py` reads what was kept before modules
moved. Names are looked up on first use.
"""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "ProgressWidget": "progress",
        "check": "reporting",
        "hint": "hints",
        "marking": "hints",
        "my_parts": "using",
        "my_progress": "progress",
        "part": "using",
    },
)
