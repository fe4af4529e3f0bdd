"""Making the notebooks of lessons, exercises and solutions from their sources.

Nothing below imports it, and a learner needs none of it. Begin with `notebooks.py`.
"""
