"""The exercises of lesson 12."""

from minigpt.course.lessons.lesson_12_myths.exercises import EXERCISES

__all__ = ["EXERCISES"]
