"""The exercises of lesson 13."""

from minigpt.course.lessons.lesson_13_today.exercises import EXERCISES

__all__ = ["EXERCISES"]
