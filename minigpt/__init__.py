"""Write GPT-2 line by line, prove every step, and run it on a laptop with the network unplugged.

The names below are the front door. Each is looked up in its own module on first use, so that
`import minigpt` costs nothing, and you wait for PyTorch only when you ask for what needs it.
"""

from importlib import import_module

_HOME = {
    "GPT": "model",
    "GPTConfig": "config",
    "KVCache": "model",
    "Stories": "stories",
    "Tokenizer": "tokenizer",
    "TrainConfig": "training",
    "from_pretrained": "pretrained",
    "generate": "sampling",
    "get_batch": "data",
    "load_data": "data",
    "train": "training",
}

__all__ = list(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'minigpt' has no attribute {name!r}")
    return getattr(import_module(f"minigpt.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
