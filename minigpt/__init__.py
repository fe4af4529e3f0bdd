"""Write GPT-2 line by line, prove every step, and run it on a laptop with the network unplugged.

The names below are the front door. Each is looked up in its own room on first use, so that
`import minigpt` costs nothing, and you wait for PyTorch only when you ask for what needs it.
"""

from importlib import import_module


def lazy(package: str, homes: dict[str, str]) -> tuple:
    """Return __getattr__, __dir__ and __all__ of a package that looks its names up on first use.

    `homes` says in which module of the package each public name lives.
    """

    def look_up(name: str):
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return look_up, lambda: sorted([*vars(import_module(package)), *homes]), list(homes)


__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "GPT": "model",
        "GPTConfig": "config",
        "KVCache": "kv_cache",
        "Stories": "stories",
        "Tokenizer": "tokenizer",
        "TrainConfig": "training",
        "from_pretrained": "pretrained",
        "generate": "sampling",
        "get_batch": "data",
        "load_data": "data",
        "train": "training",
    },
)
