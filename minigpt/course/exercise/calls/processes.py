"""Give a learner what several processes share, played in one: a model, a ring, shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from minigpt.course.exercise.calls.functions import INPUTS, call_function, changes, copy_of
from minigpt.course.exercise.calls.training import gpt_of


class Exchanging(nn.Module):
    """A model as DistributedDataParallel wraps it, without the other processes, and with a diary.

    As there, the forward pass decides whether its backward pass exchanges gradients.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.quiet = False
        self.diary: list[str] = []  # what each backward pass did
        self.waiting = self.most = 0  # forward passes whose backward pass is still to come

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        before, self.quiet = self.quiet, True
        try:
            yield
        finally:
            self.quiet = before

    def forward(self, idx: Tensor) -> Tensor:
        logits, did = self.module(idx), "kept" if self.quiet else "exchanged"
        if logits.requires_grad:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            logits.register_hook(lambda gradient: self._went_back(did))
        return logits

    def _went_back(self, did: str) -> None:
        self.waiting -= 1
        self.diary.append(did)


def call_accumulation(function: Callable, case: dict) -> dict[str, Any]:
    """Call `function(model, *args)` with an Exchanging GPT; see the gradients that it leaves.

    case: "args", and what gpt_of takes.
    """
    model = Exchanging(gpt_of({"training": True} | case))
    args = copy_of(case["args"])
    result = function(model, *args)
    gradients = {
        f"gradient of {name}": "none" if weight.grad is None else weight.grad
        for name, weight in model.module.named_parameters()
    }
    return {
        "result": result,
        "what the backward passes did": ", ".join(model.diary) or "nothing: there were none",
        "forward passes that wait for their backward pass, at most": model.most,
        **gradients,
        INPUTS: changes(case["args"], args, case.get("names", ())),
    }


def call_ring(function: Callable, case: dict) -> dict[str, Any]:
    """Call `function(*args, exchange)`; see the result, the rounds and what each worker sent.

    case: "args", of which the first has an item for each worker.
    """
    args = copy_of(case["args"])
    size, sent = len(args[0]), []

    def exchange(messages: list[Tensor]) -> list[Tensor]:
        """Carry message w to worker w + 1, that of the last one to worker 0."""
        if not isinstance(messages, (list, tuple)) or len(messages) != size:
            raise ValueError(f"exchange takes a list of {size} messages, one of each worker")
        if not all(isinstance(message, Tensor) for message in messages):
            raise ValueError("each message must be a tensor")
        sent.append([message.numel() for message in messages])
        return [messages[worker - 1].detach().clone() for worker in range(size)]

    result = function(*args, exchange)
    return {
        "result": result,
        "number of rounds": len(sent),
        "numbers that each worker sent": [sum(each) for each in zip(*sent)] or [0] * size,
        INPUTS: changes(case["args"], args, case.get("names", ())),
    }


def call_shards(function: Callable, case: dict) -> dict[str, Any]:
    """Do as call_function does, and see how many numbers each tensor of a list keeps in memory."""
    kept: list[int] = []

    def remember(*args: Any) -> Any:
        result = function(*args)
        if isinstance(result, (list, tuple)):
            tensors = [each for each in result if isinstance(each, Tensor)]
            kept.extend(t.untyped_storage().nbytes() // t.element_size() for t in tensors)
        return result

    return call_function(remember, case) | {"numbers that each shard keeps in memory": kept}
