"""Which explorers the cells of a notebook show. A cell that is run again shows new ones: the old
ones would stay in the notebook's file for ever, some hundred kilobytes each."""

from __future__ import annotations

import sys


def cell_and_run() -> tuple[str, str] | None:
    """Return the id of the cell that runs and of this run of it; None where nobody tells."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    message = getattr(shell, "get_parent", dict)()  # only a notebook's shell has one
    cell = message.get("metadata", {}).get("cellId")
    return (cell, message["header"]["msg_id"]) if cell else None


class Shown:
    """For each cell, its last run and what that run has shown."""

    def __init__(self) -> None:
        self._cells: dict[str, tuple[str, list]] = {}

    def now(self, widget) -> list:
        """Note that the cell shows this widget; return those that are shown nowhere any more."""
        if (place := cell_and_run()) is None:
            return []
        cell, run = place
        last_run, before = self._cells.get(cell, (run, []))
        again = run == last_run
        self._cells[cell] = (run, [*before, widget] if again else [widget])
        if again:
            return []
        still = [each for _, widgets in self._cells.values() for each in widgets]
        return [old for old in dict.fromkeys(before) if old not in still]
