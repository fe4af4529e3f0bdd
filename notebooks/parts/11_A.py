# %% [markdown]
# ## Several processes
#
# One process uses one device. With more devices the simplest way is **data-parallel** training:
# each process holds the whole model and takes its part of every batch.
#
# First we do that by hand, in one process with two models.

# %%
import copy
import os
import re
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import torch
from safetensors.torch import load_file

from minigpt import GPT, GPTConfig, Stories, load_data, viz
from minigpt.data import get_batch
from minigpt.training import model_loss
from minigpt.training.checkpoints import read_history

# %%
data = load_data("stories", stories=200)
torch.manual_seed(0)
sizes = {"block_size": 128, "n_layer": 2, "n_head": 2, "n_embd": 32}
config = GPTConfig(vocab_size=data.tokenizer.vocab_size, **sizes)
model = GPT(config)
replicas = [copy.deepcopy(model), copy.deepcopy(model)]

# %% [markdown]
# Each takes every second row of eight, and computes its own loss and gradient.


# %%
def gradient(model, x, y):
    model.zero_grad()
    model_loss(model, x, y).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


x, y = get_batch(data.train, 128, 8, torch.Generator().manual_seed(0))
halves = [gradient(replica, x[i::2], y[i::2]) for i, replica in enumerate(replicas)]
assert torch.allclose((halves[0] + halves[1]) / 2, gradient(model, x, y), atol=1e-6)

# %% [markdown]
# The loss is a mean over tokens, so its gradient is one too: the mean of the halves' gradients is
# the gradient of the whole batch.

# %% [markdown]
# These windows were full. A batch of whole stories is not: behind a story's end the target is
# -100, which the loss leaves out. **Predict:** is the mean of the halves still right?

# %%
x, y = data.batch("train", 128, 8, torch.Generator().manual_seed(0))
whole = gradient(model, x, y)
halves = [gradient(replica, x[i::2], y[i::2]) for i, replica in enumerate(replicas)]
counts = [(y[i::2] >= 0).sum().item() for i in (0, 1)]
print(counts, "targets in each half")

# %% [markdown]
# Beside the mean we compute one that weighs each half by its share of the targets.
#
# $$\nabla L = \sum_r \frac{n_r}{\sum_s n_s}\, \nabla L_r$$

# %%
weighted = sum(n / sum(counts) * half for n, half in zip(counts, halves))


def distance(other):
    return ((other - whole).norm() / whole.norm()).item()


mean = (halves[0] + halves[1]) / 2
assert distance(weighted) < 1e-5 < distance(mean)
print(f"mean of the halves: {distance(mean):.2%} from the right gradient")
print(f"weighted by targets: {distance(weighted):.5%}")

# %% [markdown]
# The mean is off: each half divided by *its own* number of targets. That mistake never crashes.
# So the processes of `train` first add up their targets, and each weighs its loss by its share.

# %% [markdown]
# **Predict:** after the update, do the processes have to send each other their weights?

# %%
for replica in replicas:
    optimizer = torch.optim.AdamW(replica.parameters(), lr=1e-3)
    sizes = [p.numel() for p in replica.parameters()]
    for p, part in zip(replica.parameters(), weighted.split(sizes)):
        p.grad = part.view_as(p)
    optimizer.step()

first, second = (torch.cat([p.flatten() for p in r.parameters()]) for r in replicas)
assert torch.equal(first, second)
print("equal after the update, bit for bit:", torch.equal(first, second))

# %% [markdown]
# No: same weights, same gradient, same rule give the same weights. Only gradients travel.

# %% [markdown]
# ## The same with real processes
#
# `torchrun` starts the same program several times and tells each copy its **rank**, counted from 0,
# and how many there are, the **world size**. Our command needs no other word:
#
# `torchrun --nproc-per-node 2 -m minigpt train ...`

# %%
folder = Path(tempfile.mkdtemp())
size = (folder / "stories.txt").write_text(
    "\n".join(islice(Stories(seed=1), 300)), encoding="utf-8"
)

# %% [markdown]
# Here are a text, the settings, and a function that starts it. (`--standalone`: on this machine.)

# %%
SMALL = "--vocab-size 300 --block-size 64 --batch-size 8 --n-layer 2 --n-head 2 --n-embd 64"
SMALL += " --optimizer adamw --lr 0.0005 --precision fp32 --device cpu"


def launch(processes, *command, threads=1):
    start = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    line = [sys.executable, "-m", *start, *command]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


# %% [markdown]
# **Predict:** one process and two, 30 steps each. Do they end with the same weights?


# %%
def train(processes, name, *more, threads=1):
    place = f"--data stories.txt --out {name} --steps 30 {SMALL}"
    return launch(processes, "-m", "minigpt", "train", *place.split(), *more, threads=threads)


said = {"alone": train(1, "alone"), "data-parallel": train(2, "parallel")}


# %%
def checkpoint(name):
    return load_file(folder / name / "checkpoint.safetensors")


def furthest(name):
    one, other = checkpoint("alone"), checkpoint(name)
    weights = [key for key in one if key.startswith("model.")]
    return max((one[key] - other[key]).abs().max().item() for key in weights)


assert furthest("parallel") < 1e-5
print(f"{len(checkpoint('alone'))} tensors; no weight differs by 0.00001 or more")

# %% [markdown]
# Yes, up to rounding: a sum in another order rounds otherwise. Both processes drew the same windows
# with the same generator, and each read every second one.

# %% [markdown]
# So a run does not depend on the number of processes. It may be stopped, and go on with another
# number.

# %% [markdown]
# ## How often they speak
#
# To add up everybody's numbers and give the sum to all is called an **all-reduce**. PyTorch's
# `DistributedDataParallel` does it during the backward pass. This program counts.

# %%
script = """
from contextlib import nullcontext
import torch, torch.distributed as dist
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from minigpt import GPT, GPTConfig
from minigpt.training import model_loss

dist.init_process_group("gloo")
model = GPT(GPTConfig(vocab_size=300, block_size=64, n_layer=2, n_head=2, n_embd=64))
parallel, sent = torch.nn.parallel.DistributedDataParallel(model), []
def count(state, bucket):
    sent.append(bucket.buffer().numel() * 4)
    return allreduce_hook(None, bucket)
parallel.register_comm_hook(None, count)
x = torch.randint(300, (4, 64))
for wait in (False, True):
    sent.clear()
    for i in range(4):
        with parallel.no_sync() if wait and i < 3 else nullcontext():
            model_loss(parallel, x, x).backward()
    if dist.get_rank() == 0: print(len(sent), sum(sent))
dist.destroy_process_group()
"""

# %% [markdown]
# Four micro-batches before one update, as in lesson 06. **Predict:** how many times do gradients
# have to travel: four times or once?

# %%
(folder / "count.py").write_text(script, encoding="utf-8")
(often, much), (seldom, little) = (map(int, s.split()) for s in launch(2, "count.py").splitlines())
assert often == 4 * seldom and much == 4 * little
viz.table([[often, much], [seldom, little]], ["messages", "bytes"], rows=["each time", "once"])

# %% [markdown]
# Once is enough: gradients of the same weights add up, here or there. `no_sync` waits, and
# `train_step` uses it for all micro-batches but the last. (PyTorch decides how many messages make
# one exchange.)

# %% [markdown]
# ## What travels
#
# Nobody sends everything to everybody. In a **ring**, each process cuts its numbers into as many
# parts as there are processes. It passes one part on at a time: first adding up, then handing the
# sums round.


# %%
def ring_all_reduce(vectors):  # one vector for each process; returns what each of them sent
    n, sent = len(vectors), 0
    parts = [list(vector.chunk(n)) for vector in vectors]
    for phase in ("add", "hand on"):
        for turn in range(n - 1):
            for rank in range(n):  # all at once, in a real ring
                j = (rank - turn + (phase == "hand on")) % n
                there = parts[(rank + 1) % n]
                there[j] = there[j] + parts[rank][j] if phase == "add" else parts[rank][j]
                sent += parts[rank][j].numel()
    return [torch.cat(each) for each in parts], sent / n


# %%
vectors = list(torch.arange(48.0).view(4, 12))
summed, sent = ring_all_reduce(vectors)
assert all(torch.equal(each, sum(vectors)) for each in summed) and sent == 2 * 3 / 4 * 12
print(f"4 processes, 12 numbers: each sent {sent:.0f}")

# %% [markdown]
# $$\text{sent by each} = 2\,\frac{n-1}{n}\,N \text{ numbers}$$
#
# for $N$ weights and $n$ processes: for a thousand processes not even twice as much as for two. Is
# that much? A step computes $6N$ operations a token. So we need the speed of this machine.

# %% tags=["nbval-ignore-output"]
weights = 124_439_808  # GPT-2's
a = torch.randn(1024, 1024)
a @ a  # warm up
started = time.perf_counter()
for _ in range(10):
    a @ a
speed = 10 * 2 * 1024**3 / (time.perf_counter() - started)
print(f"{speed / 1e9:.0f} billion operations a second")

# %%
bits = 2 * (2 - 1) / 2 * weights * 32  # that each of two processes sends
rows = []
for windows in (1, 8, 64):
    compute = 6 * weights * windows * 1024 / speed
    rows.append([windows, compute, bits / 1e9, bits / 100e9])
columns = ["windows each", "computing (s)", "at 1 Gbit/s (s)", "at 100 Gbit/s (s)"]
viz.table(rows, columns)

# %% [markdown]
# What travels does not grow with the batch; the computing does. The faster the device, the more
# windows it needs between two exchanges, or the faster a network. (These are formulas, with one
# measured number in them.)

# %% [markdown]
# **Predict:** are two processes on this machine faster than one that uses two threads?


# %% tags=["nbval-ignore-output"]
def tokens_per_second(name):
    speeds = [r.tokens_per_second for r in read_history(folder / name / "checkpoint.safetensors")]
    return torch.tensor(speeds[10:]).median().item()


train(1, "two", threads=2)
names = {
    "one process, one thread": "alone",
    "one process, two threads": "two",
    "two processes, one thread each": "parallel",
}
viz.table([[round(tokens_per_second(n))] for n in names.values()], ["tokens/s"], rows=list(names))

# %% [markdown]
# Two processes share the cores that two threads share, and pay for the exchange. On one machine
# without further devices they prove that the program is right; whether they gain anything, your
# table says.

# %% [markdown]
# ## A model that does not fit
#
# Data-parallel, each process holds weights, gradients, and AdamW's two memories: 16 bytes a weight.
#
# In **sharded** training (PyTorch calls it **FSDP**) each process holds a part of every one of
# them. Before a block computes, it is put together; afterwards it is let go.

# %% [markdown]
# **Predict:** how much does each of two processes hold then?

# %% tags=["nbval-ignore-output"]
said["sharded"] = train(2, "sharded", "--sharded")
assert furthest("sharded") < 1e-5
pattern = r"Process (\d) holds: weights (.+?), gradients (.+?), optimizer (.+?), peak (.+)"
rows = [[how, *found] for how, text in said.items() for found in re.findall(pattern, text)]
viz.table(rows, ["", "process", "weights", "gradients", "optimizer", "peak of the process"])

# %% [markdown]
# Each holds about half, and the weights at the end are the same. The peak is mostly Python and
# PyTorch: a model must be large before its own part shows. By the formula, in GB:

# %%
sizes = {"gpt2": 124_439_808, "gpt2-xl": 1_557_611_200}
rows = [[16 * size / n / 1e9 for n in (1, 2, 8)] for size in sizes.values()]
viz.table(rows, ["whole", "in 2 parts", "in 8 parts"], rows=list(sizes))

# %% [markdown]
# Activations come on top, and each block while it is put together. The price is more to send:
# weights are gathered going forward and again going backward.

# %% [markdown]
# The sharded run's checkpoint is like any other. One process goes on with it.

# %%
more = "train --out sharded --no-sharded --resume --steps 40"
launch(1, "-m", "minigpt", *more.split())
steps = len(read_history(folder / "sharded" / "checkpoint.safetensors"))
assert steps == 40
print(steps, "steps")

# %% [markdown]
# If a process dies, the others say so and end. The last checkpoint is whole, and the same command
# with `--resume` goes on. `docs/cluster.md` has several machines, Slurm, and what each error means.
