"""Data: texts become token ids, and ids become batches to train on. Lesson 02 builds it.

Begin with `batches.py`: windows cut out of a stream, and targets one to the right. `corpora.py`
says where texts come from, `cache.py` keeps what was prepared.
"""

from minigpt.data.batches import NO_TARGET, Data, get_batch
from minigpt.data.corpora import load_data, python_docs

__all__ = [
    "NO_TARGET",
    "Data",
    "get_batch",
    "load_data",
    "python_docs",
]
