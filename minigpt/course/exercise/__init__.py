"""What an exercise is: its definition, how its cases are drawn, and how an answer is run on them.

All of this may run in a sandbox, where no lesson, and so no right answer, can be seen.
Begin with `definition.py`.
"""

from minigpt.course.exercise.definition import KINDS, Exercise, Marking, Misconception

__all__ = ["KINDS", "Exercise", "Marking", "Misconception"]
