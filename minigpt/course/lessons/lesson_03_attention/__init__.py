"""The exercises of lesson 03."""

from minigpt.course.lessons.lesson_03_attention.exercises import EXERCISES

__all__ = ["EXERCISES"]
