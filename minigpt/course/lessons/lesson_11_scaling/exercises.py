"""The exercises of lesson 11: what limits a step, several processes, and a law of losses."""

from minigpt.course.lessons.lesson_11_scaling.exercises_law import LAW
from minigpt.course.lessons.lesson_11_scaling.exercises_processes import PROCESSES
from minigpt.course.lessons.lesson_11_scaling.exercises_speed import SPEED

EXERCISES = (*SPEED, *PROCESSES, *LAW)
