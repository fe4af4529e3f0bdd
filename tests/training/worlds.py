"""Several processes that train together, each of them started as torchrun would start it."""

import multiprocessing
import os
import signal
import socket
from dataclasses import dataclass

import numpy as np
import torch

from minigpt.data import Data
from minigpt.training import evaluate, train
from minigpt.training.parallel import spread
from minigpt.training.processes import joined
from tests.training.runs import QUICK, fresh_model, toy_data, weights_of, without_speed

# A fork server imports PyTorch once for all these processes; Windows has none.
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
# Learning rates at which rounding stays what it is; AdamW's first steps are all of one length.
CALM = {"max_lr": 1e-3, "min_lr": 0.0}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def ragged_data() -> Data:
    """Documents of 3 to 17 tokens: the rows of a batch have unequal numbers of targets."""
    lengths = np.random.default_rng(1).integers(3, 17, 600).cumsum()
    starts = {"train_starts": lengths[lengths < 3500], "val_starts": lengths[lengths < 380]}
    return toy_data(name="ragged", **starts)


def exact_muon() -> None:
    """Let Muon compute in float32: in bf16, sums in another order end a thousandth apart."""
    torch.Tensor.bfloat16 = lambda tensor: tensor.clone()


def a_run(report, dropout=0.0, ragged=False, exact=False, own_start=False, **settings) -> None:
    """Train the tiny model; report the steps, and in the end the history and the weights."""
    if exact:
        exact_muon()
    seed = int(os.environ["RANK"]) if own_start else 0
    model = fresh_model(seed, dropout=dropout)
    data = ragged_data() if ragged else toy_data()
    settings = {"progress": False} | CALM | settings
    history = train(model, data, QUICK, on_step=lambda r: report(r.step), **settings)
    # As arrays: a tensor would be sent as a file of the sender, who is gone when it is opened.
    report((without_speed(history), {n: w.numpy() for n, w in weights_of(model).items()}))


def held_out(report, sharded) -> None:
    """Evaluate together, dropout and all else being as in training."""
    model, cpu = fresh_model(dropout=0.3), torch.device("cpu")
    with joined() as world, spread(model, cpu, sharded, world) as shared:
        report(evaluate(shared, ragged_data(), QUICK, world=world))


def child(work, rank, size, port, environment, report, given) -> None:
    """Be one of them."""
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size), LOCAL_RANK=str(rank))
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), **environment)
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        work(report.send, **given)
    except Exception as error:
        report.send(error)


@dataclass
class Process:
    """One of them, and what it says."""

    child: multiprocessing.Process
    receiver: object

    def say(self, seconds: float = 60):
        assert self.receiver.poll(seconds), "it stands still"
        return self.receiver.recv()

    def last(self):
        """Return what it says last, or None if it says nothing."""
        said = None
        try:
            while self.receiver.poll(60):
                said = self.receiver.recv()
        except EOFError:
            self.child.join(60)
            return said
        raise AssertionError("it stands still")


def start(work, size: int, port: int | None = None, environment=None, **given) -> list[Process]:
    """Start the processes of a world, in order of rank."""
    context = multiprocessing.get_context(METHOD)
    if METHOD == "forkserver":
        context.set_forkserver_preload(
            ["minigpt.training", "minigpt.sampling", "pytest", "torch._dynamo",
             "torch.distributed.fsdp"]
        )  # fmt: skip
    port, started = port or free_port(), []
    environment = {"MINIGPT_TIMEOUT": "30", "GLOO_SOCKET_IFNAME": "lo"} | (environment or {})
    for rank in range(size):
        receiver, sender = context.Pipe(duplex=False)
        arguments = (work, rank, size, port, environment, sender, given)
        process = context.Process(target=child, args=arguments, daemon=True)
        process.start()
        sender.close()
        started.append(Process(process, receiver))
    return started


def together(work, size: int, **given) -> list:
    """Let them work to the end; return what each said last."""
    return [process.last() for process in start(work, size, **given)]
