"""How an exercise's cases are run: one function for each kind of thing a learner hands in.

Nothing here knows what is right. The modules import torch and minigpt's configuration and models
to build inputs, never an exercise's definition, so they can run where no reference may be seen.
"""
