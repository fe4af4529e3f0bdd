"""The tree of continuations that were tried from a prompt. It never changes: each step makes a new
one, so going back is to take the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Node:
    """A token behind its parent. The root, node 0, is the prompt."""

    parent: int
    token: int
    probability: float  # by the model alone: temperature 1, no filter
    how: str  # "prompt", "sampled" or "picked"


ROOT = Node(parent=-1, token=-1, probability=1.0, how="prompt")


@dataclass(frozen=True)
class TokenTree:
    """A prompt, what was tried behind it, and the node one stands at.

    >>> tree = TokenTree("a b", (5, 6)).grown(7, 0.5, "sampled").at(0).grown(8, 0.25, "picked")
    >>> tree.tokens(), [node.token for node in tree.nodes]
    ([5, 6, 8], [-1, 7, 8])
    """

    text: str  # the prompt as it was typed
    prompt: Sequence[int]  # and its ids
    nodes: tuple[Node, ...] = (ROOT,)
    current: int = 0

    def path(self) -> list[Node]:
        """Return the nodes from below the root to the current one."""
        nodes, at = [], self.current
        while at > 0:
            nodes.append(self.nodes[at])
            at = self.nodes[at].parent
        return nodes[::-1]

    def tokens(self) -> list[int]:
        """Return the prompt's ids and those of the path."""
        return [*self.prompt, *(node.token for node in self.path())]

    def at(self, node: int) -> TokenTree:
        """Stand at another node. Raises ValueError for one that is not there."""
        if not 0 <= node < len(self.nodes):
            raise ValueError(f"there is no node {node}; this tree has 0 to {len(self.nodes) - 1}")
        return replace(self, current=node)

    def grown(self, token: int, probability: float, how: str) -> TokenTree:
        """Stand behind one more token, which is a new node unless it was tried here before."""
        for place, node in enumerate(self.nodes):
            if node.parent == self.current and node.token == token:
                return self.at(place)
        node = Node(self.current, token, probability, how)
        return replace(self, nodes=(*self.nodes, node), current=len(self.nodes))
