"""The exercises of lesson 02."""

from minigpt.course.lessons.lesson_02_data.exercises import EXERCISES

__all__ = ["EXERCISES"]
