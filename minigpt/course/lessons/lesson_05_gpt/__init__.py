"""The exercises of lesson 05."""

from minigpt.course.lessons.lesson_05_gpt.exercises import EXERCISES

__all__ = ["EXERCISES"]
