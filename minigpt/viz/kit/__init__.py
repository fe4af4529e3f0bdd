"""What all explorers are made of: one way to talk with the browser, tables, and labels of tokens.

Begin with `explorer.py`; the script that every explorer shares is `kit.js`.
"""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "Explorer": "explorer",
        "coloured_tokens": "tables",
        "table": "tables",
        "token_labels": "labels",
        "visible": "labels",
    },
)
