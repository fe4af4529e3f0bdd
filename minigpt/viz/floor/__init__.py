"""A die with sides to load, a model's guess, and the floor. Begin with `coin_floor.py`."""

from minigpt import lazy

__getattr__, __dir__, __all__ = lazy(__name__, {"CoinFloor": "coin_floor"})
