"""The exercises of lesson 04."""

from minigpt.course.lessons.lesson_04_block.exercises import EXERCISES

__all__ = ["EXERCISES"]
