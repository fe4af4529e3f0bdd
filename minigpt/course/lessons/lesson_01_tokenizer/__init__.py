"""The exercises of lesson 01."""

from minigpt.course.lessons.lesson_01_tokenizer.exercises import EXERCISES

__all__ = ["EXERCISES"]
