"""One model on several processes: the same in all of them, or a shard in each.

Data-parallel: every process holds the whole model, computes the gradient of its own rows, and they
average. Sharded: every process holds a part of each weight, its gradient and what the optimizer
remembers of it; a block is put together when it is needed, and let go.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn

from minigpt.devices import in_words
from minigpt.model import GPT
from minigpt.speed.compiling import unwrapped
from minigpt.training.processes import Team


def is_sharded(tensor: Tensor) -> bool:
    """Say whether this process holds only a part of a tensor."""
    return hasattr(tensor, "full_tensor")


def whole(tensor: Tensor) -> Tensor:
    """Return a tensor put together from everybody's parts; all processes have to ask at once."""
    return tensor.full_tensor() if is_sharded(tensor) else tensor


def part_of(tensor: Tensor, like: Tensor) -> Tensor:
    """Return this process's part of a whole tensor that all have: what `like` is of its own."""
    if not is_sharded(like):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)


def from_first_process(tensor: Tensor | None, like: Tensor, team: Team) -> Tensor:
    """Give all processes the first one's tensor, of the shape and type of `like`, on its device."""
    if team.size == 1:
        return tensor
    device = like.device
    if team.first:
        tensor = tensor.to(device).contiguous()
    else:
        tensor = torch.empty(like.shape, dtype=like.dtype, device=device)
    torch.distributed.broadcast(tensor, 0)
    return tensor


def sync_gradients(model: nn.Module, now: bool):
    """Return a context for a forward and a backward pass: exchange gradients, or only add them."""
    if hasattr(model, "set_requires_gradient_sync"):  # sharded
        model.set_requires_gradient_sync(now)
    elif hasattr(model, "no_sync") and not now:  # data-parallel
        return model.no_sync()
    return nullcontext()


def make_shards(model: GPT, device: torch.device, team: Team) -> GPT:
    """Return a model like the given one of which each process holds its part of every weight.

    The given one hands its weights over, one by one, those of the first process: so the device
    never holds the whole. It is left without any until `take_back`.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import distribute_tensor

    # Shapes without numbers, shared where the model shares them.
    empty = {
        id(p): nn.Parameter(p.detach().to("meta"), requires_grad=p.requires_grad)
        for p in model.parameters()
    }
    shards = copy.deepcopy(model, empty)
    mesh = init_device_mesh(device.type, (team.size,))
    for block in shards.transformer.h:
        fully_shard(block, mesh=mesh)
    # The rest too lets go after each pass; left to itself it would stay put together.
    fully_shard(shards, mesh=mesh, reshard_after_forward=True)
    shards.to_empty(device=device)
    with torch.no_grad():
        for weight, shard in zip(model.parameters(), shards.parameters()):
            complete = weight.detach() if team.first else torch.empty_like(weight)
            part = distribute_tensor(complete.to(device), mesh, shard.placements)
            shard.copy_(part)
            weight.data = weight.data.new_empty(0)
    return shards


def take_back(model: GPT, shards: GPT) -> None:
    """Put the weights of the shards together again, in the model they came from."""
    for weight, shard in zip(model.parameters(), shards.parameters()):
        complete = whole(shard.detach())
        weight.data = complete.to(weight.device)


@contextmanager
def spread(model: GPT, device: torch.device, sharded: bool, team: Team) -> Iterator[nn.Module]:
    """Yield what the processes train together: the model, a wrapper around it, or its shards.

    Afterwards the model holds the weights: those of shards where it held them before, because they
    need not fit the device. After an error in the middle, shards are lost.
    """
    if team.size == 1:
        yield model.to(device)
    elif not sharded:
        where = [device.index] if device.type == "cuda" else None
        yield nn.parallel.DistributedDataParallel(model.to(device), device_ids=where)
    else:
        shards = make_shards(unwrapped(model), device, team)
        try:
            yield shards
        except FloatingPointError:  # which all processes meet at once
            take_back(unwrapped(model), shards)
            raise
        take_back(unwrapped(model), shards)


class ShardedMuon(torch.optim.Muon):
    """Muon for matrices of which each process holds some rows.

    An orthogonal matrix is made from a whole one. So each update is put together, one matrix at a
    time; weight and momentum stay where they are.
    """

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(weight.grad)
                buffer = state["momentum_buffer"].lerp_(weight.grad, 1 - group["momentum"])
                update = orthogonal_step(whole(weight.grad.lerp(buffer, group["momentum"])), group)
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(part_of(update, weight))


def orthogonal_step(matrix: Tensor, group: dict) -> Tensor:
    """Return what torch.optim.Muon adds to a weight for this update, its momentum applied."""
    step = nn.Parameter(torch.zeros_like(matrix))
    step.grad = matrix
    same = {key: group[key] for key in ("lr", "ns_coefficients", "eps", "ns_steps", "adjust_lr_fn")}
    torch.optim.Muon([step], weight_decay=0.0, momentum=0.0, nesterov=False, **same).step()
    return step.detach()


def own(tensor: Tensor) -> int:
    """Return the bytes that this process holds of a tensor."""
    local = tensor.to_local() if is_sharded(tensor) else tensor
    return local.numel() * local.element_size()


def peak_memory(device: torch.device) -> int:
    """Return the most bytes that were in use: on a GPU by tensors, otherwise by the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        from resource import RUSAGE_SELF, getrusage
    except ImportError:  # Windows
        import psutil

        return psutil.Process().memory_info().peak_wset
    return getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def memory_held(model: nn.Module, optimizers: list, device: torch.device) -> dict[str, int]:
    """Count the bytes that this process holds of a run, after a step."""
    weights = list(model.parameters())
    states = [value for each in optimizers for state in each.state.values()
              for value in state.values() if isinstance(value, Tensor)]  # fmt: skip
    return {
        "weights": sum(map(own, weights)),
        "gradients": sum(own(p.grad) for p in weights if p.grad is not None),
        "optimizer": sum(map(own, states)),
        "peak": peak_memory(device),
    }


def describe_memory(held: list[dict[str, int]]) -> str:
    """Write what each process holds, a line for each."""
    return "\n".join(
        f"Process {rank} holds: "
        + ", ".join(f"{name} {in_words(size)}" for name, size in sizes.items())
        for rank, sizes in enumerate(held)
    )
