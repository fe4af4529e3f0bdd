"""What all explorers are made of: one way to talk with the browser, tables, and labels of tokens.

Begin with `explorer.py`. The scripts that every explorer shares: `kit.js` (colours and elements),
`parts.js` (one state, and parts that show it), `frame.js` (the frame, and the talk with Python).
"""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "Explorer": "explorer",
        "check_pair": "inputs",
        "check_tokenizer": "inputs",
        "coloured_tokens": "tables",
        "table": "tables",
        "token_labels": "labels",
        "visible": "labels",
    },
)
