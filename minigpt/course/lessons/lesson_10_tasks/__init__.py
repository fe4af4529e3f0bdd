"""The exercises of lesson 10."""

from minigpt.course.lessons.lesson_10_tasks.exercises import EXERCISES

__all__ = ["EXERCISES"]
