"""The exercises of lesson 07."""

from minigpt.course.lessons.lesson_07_sampling.exercises import EXERCISES

__all__ = ["EXERCISES"]
