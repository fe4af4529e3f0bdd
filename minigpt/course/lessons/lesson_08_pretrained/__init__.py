"""The exercises of lesson 08."""

from minigpt.course.lessons.lesson_08_pretrained.exercises import EXERCISES

__all__ = ["EXERCISES"]
