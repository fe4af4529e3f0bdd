"""What surrounds the lessons: exercises and their checks, your own parts, and building it all.

Each folder imports only those before it: `exercise/` says what an exercise is, `lessons/` holds
them with their misconceptions, `checking/` finds out which one an answer shows, `learner/` keeps
what you did, and `building/` makes the notebooks. Names are looked up on first use.
"""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "Claims": "learner",
        "Diagnosis": "checking",
        "ProgressWidget": "learner",
        "check": "learner",
        "diagnose": "checking",
        "hint": "learner",
        "marking": "learner",
        "my_parts": "learner",
        "my_progress": "learner",
        "part": "learner",
    },
)
