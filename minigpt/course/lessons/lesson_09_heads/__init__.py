"""The exercises of lesson 09."""

from minigpt.course.lessons.lesson_09_heads.exercises import EXERCISES

__all__ = ["EXERCISES"]
