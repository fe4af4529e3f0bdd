"""The exercises of lesson 10: measuring, prompts, and a model that learns a task."""

from minigpt.course.lessons.lesson_10_tasks.exercises_measuring import MEASURING
from minigpt.course.lessons.lesson_10_tasks.exercises_texts import TEXTS, WORDS
from minigpt.course.lessons.lesson_10_tasks.exercises_tuning import TUNING

EXERCISES = (*MEASURING, *TEXTS, *TUNING, *WORDS)
