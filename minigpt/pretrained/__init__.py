"""A model from a file, and back into one: OpenAI's weights too. Lesson 08 builds it.

Begin with `weights.py`: what such a file holds, and how it becomes a model. `names.py`, `sizes.py`
and `vocabulary.py` say whose names, sizes and tokens these are. `loading.py` finds the file,
`hub.py` fetches it, `saving.py` writes one, `empty_models.py` makes the shapes that are filled.
"""

from minigpt.pretrained.empty_models import empty_model, memory_needed
from minigpt.pretrained.hub import download
from minigpt.pretrained.loading import find_file, from_pretrained
from minigpt.pretrained.saving import save_pretrained
from minigpt.pretrained.weights import load_weights

__all__ = [
    "download",
    "empty_model",
    "find_file",
    "from_pretrained",
    "load_weights",
    "memory_needed",
    "save_pretrained",
]
