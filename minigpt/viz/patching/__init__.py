"""What a patch between two runs does to the answer, as a map to click on.

Begin with `effects.py`: what is worked out. `patch_map.py` shows it.
"""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(__name__, {"PatchMap": "patch_map"})
