"""The exercises of lesson 06."""

from minigpt.course.lessons.lesson_06_training.exercises import EXERCISES

__all__ = ["EXERCISES"]
