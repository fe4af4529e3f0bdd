"""The exercises of lesson 11."""

from minigpt.course.lessons.lesson_11_scaling.exercises import EXERCISES

__all__ = ["EXERCISES"]
