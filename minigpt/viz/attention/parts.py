"""The scripts that the head explorer and the map of given patterns are both made of."""

from pathlib import Path

NAMES = ("patterns", "text", "grid", "map", "lines", "readout")  # each builds on those before it
PARTS = [Path(__file__).parent / f"{name}.js" for name in NAMES]
