"""Where the time of a step goes, as bars to open; two profiles stand on one scale.

Begin with `tree.py`: what is shown of a profile. `step_profile.py` shows it.
"""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(__name__, {"StepProfile": "step_profile"})
