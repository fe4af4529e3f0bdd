"""Several processes, one run: who we are among those that torchrun started, and how they agree."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import distributed

from minigpt.devices import choose_device
from minigpt.training.meeting import first_line, meet, place_in_environment

Result = TypeVar("Result")
ANSWER = 3.0  # seconds in which a process that lives says so, when another seems to be gone
LOST = re.compile(
    "gloo|nccl|connection (closed|reset|refused)|broken pipe|timed out|TCPStore", re.IGNORECASE
)


@dataclass(frozen=True)
class World:
    """The processes of a run. Of a single one: every question is answered without asking."""

    rank: int = 0  # which of them this one is, counted from 0
    size: int = 1  # how many there are
    local_rank: int = 0  # which one on its own machine
    store: object | None = field(default=None, repr=False)  # where they leave notes for each other

    @property
    def first(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.rank == 0

    @property
    def rows(self) -> slice:
        """Which rows of a batch are this process's: every size-th, from its rank on."""
        return slice(self.rank, None, self.size)

    def device(self, name: str = "auto") -> torch.device:
        """Return the device of that name; of several GPUs, each process of a machine has its own.

        Raises ValueError for one that is not there, or that several processes cannot use.
        """
        if self.size == 1:
            return choose_device(name)
        if name in ("cuda", "auto") and torch.cuda.is_available():
            device = choose_device(f"cuda:{self.local_rank}")
            torch.cuda.set_device(device)
            return device
        if name not in ("cpu", "auto"):
            choose_device(name)  # which may have a better reason
            raise ValueError(f"device is {name!r}; several processes use auto, cpu or cuda")
        return torch.device("cpu")

    def sum(self, *numbers: float) -> list[float]:
        """Add up what each process has: its first number to the others' first, and so on."""
        if self.size == 1:
            return list(numbers)
        total = torch.tensor(numbers, dtype=torch.float64)
        distributed.all_reduce(total)
        return total.tolist()

    def any(self, flag: bool) -> bool:
        """Say whether one of them says so; they all hear the same."""
        return self.sum(float(flag))[0] > 0

    def each(self, value: object) -> list:
        """Return everybody's value, in the order of their ranks."""
        if self.size == 1:
            return [value]
        values = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def from_first(self, make: Callable[[], Result]) -> Result:
        """Return what the first process makes, to all of them; or raise, for all, what it raised.

        So only its machine needs the file that it reads.
        """
        if self.size == 1:
            return make()
        answer = [None, None]
        if self.first:
            try:
                answer[0] = make()
            except Exception as error:
                answer[1] = error
        distributed.broadcast_object_list(answer, device=torch.device("cpu"))
        if answer[1] is not None:
            raise answer[1]
        return answer[0]

    def one_by_machine(self, name: str, make: Callable[[], Result]) -> Result:
        """Return what `make` makes, which one process of each machine does before the others.

        They find what it left in the cache. However long it takes, they wait.
        """
        if self.size == 1 or self.store is None:
            return make()
        note = f"{name}/{self.rank - self.local_rank}"
        while self.local_rank and not self.store.check([note]):
            time.sleep(0.05)
        try:
            return make()
        finally:
            self.store.set(note, "done")

    def missing(self) -> str:
        """Say which of the others do not answer, after the connection to one was lost."""
        answered: set[int] = set()

        def ask() -> None:
            with suppress(RuntimeError):  # the store may be gone too
                self.store.set(f"here/{self.rank}", "")
                while len(answered) < self.size - 1:
                    others = set(range(self.size)) - {self.rank} - answered
                    answered.update(r for r in others if self.store.check([f"here/{r}"]))
                    time.sleep(0.05)

        if self.store is not None:
            asking = threading.Thread(target=ask, daemon=True)  # a dead network answers never
            asking.start()
            asking.join(ANSWER)
        silent = sorted(set(range(self.size)) - {self.rank} - answered)
        if not silent:
            return f"the {self.size} processes lost their connection, though all of them live"
        counted = f"of {self.size} (counted from 0)"
        if len(silent) > 1:  # one that waits for another that waits does not answer either
            some = ", ".join(map(str, silent))
            return f"processes {some} {counted} do not answer; at least one of them is gone"
        return f"process {silent[0]} {counted} is gone or cannot be reached"

    def said_by_first(self, error: Exception) -> bool:
        """Say whether the first process ends with the same words, so that they need saying once."""
        if self.store is None:
            return False
        with suppress(RuntimeError):
            self.store.set(f"error/{self.rank}", str(error))
            for _ in range(0 if self.first else round(ANSWER / 0.05)):
                if self.store.check(["error/0"]):
                    return self.store.get("error/0").decode() == str(error)
                time.sleep(0.05)
        return False


ALONE = World()
joined_as: list[World] = []  # the world that this process is in, while it is in one
left: list = []  # the connections of the world before


@contextmanager
def in_words(world: World, then: Callable[[], str]) -> Iterator[None]:
    """Turn the error of a broken connection into one that says who is gone, and what to do."""
    try:
        yield
    except RuntimeError as error:
        by_name = isinstance(error, distributed.DistError)
        if world.size == 1 or not (by_name or LOST.search(str(error))):
            raise
        raise ConnectionError(f"{world.missing()}; {then()} ({first_line(error)})") from error


@contextmanager
def joined() -> Iterator[World]:
    """Join the processes that torchrun started, and leave them at the end, whatever happens.

    One process alone has nothing to join. Inside, joining again gives the same world. Raises
    ConnectionError if the others do not come, or one is lost.
    """
    if joined_as:
        yield joined_as[0]
        return
    if distributed.is_available() and distributed.is_initialized():  # by the caller, who leaves
        yield World(distributed.get_rank(), distributed.get_world_size(),
                   int(os.environ.get("LOCAL_RANK", "0")))  # fmt: skip
        return
    rank, size, local_rank = place_in_environment()
    if size == 1:
        yield ALONE
        return
    world = World(rank, size, local_rank, meet(rank, size))
    joined_as.append(world)
    try:
        with in_words(world, lambda: "start all of them again"):
            yield world
            world.sum(0.0)  # torchrun stops the others when one leaves: nobody leaves early
    finally:
        joined_as.clear()
        # Whoever frees the connections must not hold Python's lock, as DistributedDataParallel
        # would: their threads may be waiting for it. So they are kept until the next run, or exit.
        left[:] = [distributed.group.WORLD]
        distributed.destroy_process_group()
