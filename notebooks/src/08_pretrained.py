# %% [markdown]
# # 08 · Pretrained
#
# **Afterwards you can** read a file of weights without any library, load OpenAI's GPT-2 into your
# own model, prove that it computes what it should, and find the first wrong part when it does not.
#
# **Takes** about 90 minutes. **Needs** Python and a little PyTorch, and a GPT with the
# checkpoint's names: yours from lesson 05, or the package's, which we take here.

# %%
import copy
import json
import math
import os
import pickle
import tempfile
from collections import Counter
from dataclasses import replace
from itertools import islice, product
from pathlib import Path

import matplotlib.pyplot as plt
import psutil
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

import minigpt
from minigpt import GPT, GPTConfig, Stories, from_pretrained, generate, viz
from minigpt.pretrained import download
from minigpt.pretrained.loading import local_file
from minigpt.viz.figures import plot_shares

viz.use_style()

# %% [markdown]
# ## Which weights?
#
# OpenAI's smallest GPT-2 is a download of half a gigabyte. This lesson downloads nothing unless
# you say so. One cell decides, once for all cells below:

# %%
USE = os.environ.get("MINIGPT_WEIGHTS", "made on the spot")
# USE = "gpt2"  # OpenAI's: from the hub's cache if it is there, else a download of 0.5 GB
# USE = "folder/model.safetensors"  # a file that you have, or its folder
MADE = USE == "made on the spot"
names = ["gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"]
if not MADE and USE not in names:
    local_file(USE)  # so that a mistyped path stops here, not half a lesson further down
print("The large model:", USE)

# %% [markdown]
# OpenAI's weights come from the **hub**, Hugging Face's website for models. Ways to have them:
#
# | you have | do this |
# | --- | --- |
# | a network | `USE = "gpt2"`; or beforehand, in a terminal, `minigpt download gpt2` |
# | a mirror of the hub | set the environment variable `HF_ENDPOINT` to its address |
# | the file, from any machine | `USE =` its path. A failed download names the file's address |
# | a class | set `MINIGPT_WEIGHTS` to a name or a path: everybody's `USE` |
#
# No way works? Take back your change, and go on with the model made on the spot.

# %% [markdown]
# Two models go through this lesson, and each cell says which it uses:
#
# | | numbers | has learned |
# | --- | --- | --- |
# | the **storyteller**, shipped with the course | 940,800 | to tell little stories |
# | the **large model**, made on the spot | 124,439,808 | nothing: random numbers |
# | or the large model, OpenAI's `gpt2` | 124,439,808 | to write like the web |

# %% [markdown]
# Made on the spot, the large model has GPT-2's shape, names and file layout. It lacks only what
# training gave, so it writes nonsense. The cells are the same. (If you
# have a copy that was saved again, its file may be laid out otherwise; the cells show how.)

# %% [markdown]
# ## What is in a file?
#
# Models are shared as **safetensors** files. We look into a tiny one: the two matrices of an
# attention layer of width 2. `c_attn` makes queries, keys and values, `c_proj` mixes the answers
# (lesson 03).

# %%
folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)  # emptied at the end
here = Path(folder.name)
tiny = {
    "c_attn.weight": torch.arange(1.0, 13.0).view(2, 6),
    "c_proj.weight": torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
}
save_file(tiny, here / "tiny.safetensors")
viz.table(tiny["c_attn.weight"], ["query", "", "key", "", "value", ""])

# %% [markdown]
# 12 numbers, and 4 in `c_proj`. Each takes 4 bytes. **Predict:** is the file 64 bytes long?

# %%
raw = (here / "tiny.safetensors").read_bytes()
print(len(raw), "bytes")
length = int.from_bytes(raw[:8], "little")
print("first 8:", list(raw[:8]), "=", length)
print("then:", raw[8 : 8 + length].decode())

# %% [markdown]
# It is longer. The first 8 bytes are one whole number, lowest byte first: the length of the
# **header**. The header is text (JSON), filled up with spaces. For each tensor: a name, a type
# (`F32`: floating-point, 32 bits), a shape, and where its bytes begin and end, counted from the
# end of the header.

# %%
header = json.loads(raw[8 : 8 + length])
begin, end = header["c_proj.weight"]["data_offsets"]
data = raw[8 + length :][begin:end]
by_hand = torch.frombuffer(bytearray(data), dtype=torch.float32).view(2, 2)
assert torch.equal(by_hand, tiny["c_proj.weight"])
print(list(data))
print(by_hand)

# %% [markdown]
# That is the whole format: a length, a list, the numbers. A picture of the file:

# %%
plot_shares({"length": 8, "header": length, "c_attn": 48, "c_proj": 16}, "bytes")
plt.show()

# %% [markdown]
# From left to right: 8 bytes of length, the header (striped), the numbers of `c_attn` (dotted),
# those of `c_proj` (crossed).

# %% [markdown]
# Why not a **pickle**, Python's own format, which PyTorch's older files (`.bin`, `.pt`) contain? A
# pickle may say what to *call* when it is opened. **Predict** what this prints. Nobody calls
# `print`.


# %%
class Weights:
    def __reduce__(self):  # what opening it should call, and with what
        return print, ("I ran when you opened me. I could have done anything.",)


file_from_a_stranger = pickle.dumps(Weights())
nothing = pickle.loads(file_from_a_stranger)

# %% [markdown]
# So today `torch.load` opens a `.pt` with `weights_only=True`, unless told otherwise: it knows a
# list of harmless calls, and refuses others. The same stranger's file, through PyTorch:

# %%
torch.save(Weights(), here / "stranger.pt")
try:
    torch.load(here / "stranger.pt")
except pickle.UnpicklingError as error:
    print("refused:", str(error).splitlines()[0][:60], "...")

# %% [markdown]
# A safetensors file needs no such guard: a list and numbers, with no place for a call.

# %% [markdown]
# ## Write one by hand
#
# Can you write a file that the library reads? One tensor at a time, so that a large file never has
# to fit into memory. `numbers` is a function that gives the tensor for a name and a shape.


# %%
def write_file(path, shapes, numbers):
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the numbers begin at a multiple of 8
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes.items():
            file.write(numbers(name, shape).numpy())


shapes = {name: list(tensor.shape) for name, tensor in tiny.items()}
write_file(here / "mine.safetensors", shapes, lambda name, shape: tiny[name])
library = load_file(here / "mine.safetensors")
assert all(torch.equal(library[name], tiny[name]) for name in tiny)
print("The library reads what you wrote.")

# %% [markdown]
# ## A file that has learned something
#
# The storyteller's file has the same layout. Read its header; the numbers are not touched. Here
# are the names, with block 0 for all four blocks.


# %%
def read_header(path):
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    notes = header.pop("__metadata__", {})  # free text, for whoever wrote the file
    return header, notes, 8 + length


story_file = Path(minigpt.__file__).parent / "assets" / "storyteller" / "model.safetensors"
header, notes, _ = read_header(story_file)
shown = {name: entry for name, entry in header.items() if "h." not in name or "h.0." in name}
rows = [[entry["shape"], f"{math.prod(entry['shape']):,}"] for entry in shown.values()]
viz.table(rows, ["shape", "numbers"], rows=list(shown))

# %% [markdown]
# Now one tensor by hand, and the same by the library. To read one, you skip all others.


# %%
def read_tensor(path, name):
    header, _, start = read_header(path)
    begin, end = header[name]["data_offsets"]
    with open(path, "rb") as file:
        file.seek(start + begin)
        data = bytearray(file.read(end - begin))
    return torch.frombuffer(data, dtype=torch.float32).view(header[name]["shape"])


name = "transformer.h.0.attn.c_attn.weight"
stored = load_file(story_file)  # name -> tensor
assert torch.equal(read_tensor(story_file, name), stored[name])
print(read_tensor(story_file, name)[0, :4])

# %% [markdown]
# ## The name map
#
# The file's notes hold the sizes: 4 layers, 4 heads, width 128. Your model has named its parts as
# the checkpoint does. **Predict:** which names differ between file and model?

# %%
print(notes["config"])
config = GPTConfig(**json.loads(notes["config"]))
model = GPT(config)
print("only in the model:", set(model.state_dict()) - set(stored))
print("only in the file: ", set(stored) - set(model.state_dict()))

# %% [markdown]
# Just the head, `lm_head`. It is **tied**: the same matrix as the token table `wte`, so the file
# holds it once. That is why the names were worth copying: the map is almost empty.

# %% [markdown]
# But files of GPT-2 differ. Our names begin with the prefix `transformer.`. The file on the hub has
# no prefix; copies saved again may have it.
#
# | in the file | in the model |
# | --- | --- |
# | `wte.weight` | `transformer.wte.weight` |
# | `h.0.ln_1.weight` | `transformer.h.0.ln_1.weight` |
# | any name with `transformer.` | the same |
# | `lm_head.weight`, if it is there | the same matrix as `wte` |
# | `h.0.attn.bias`, `h.0.attn.masked_bias` | nothing |

# %% [markdown]
# The last row is a trap. `attn.bias` is no bias: it is the causal mask, a triangle of ones, saved
# along with the weights. A tensor that is saved but not learned is called a **buffer**.

# %%
MASKS = (".attn.bias", ".attn.masked_bias")


def our_names(tensors):
    named = {}
    for name, tensor in tensors.items():
        if not name.endswith(MASKS):
            prefix = "" if name.startswith(("transformer.", "lm_head.")) else "transformer."
            named[prefix + name] = tensor
    return named


print(*our_names({"wte.weight": 1, "h.0.attn.bias": 2, "lm_head.weight": 3}), sep="\n")

# %% [markdown]
# ## Lying on its side
#
# OpenAI's code has a function `conv1d` where we have `nn.Linear`; Hugging Face made it the class
# **Conv1D**. It keeps its matrix as (in, out). `nn.Linear` keeps (out, in):
#
# $$\text{Conv1D: } y = x W + b \qquad \text{nn.Linear: } y = x W^\top + b$$

# %% [markdown]
# So a matrix from the file must be turned before `nn.Linear` can use it. A word comes in as [10,
# 1] and should leave as the first row below:

# %%
x = torch.tensor([10.0, 1.0])
W = tiny["c_attn.weight"]  # (in, out) = (2, 6)
rows = [x @ W, F.linear(x, W.T), F.linear(x, W.reshape(6, 2))]
ways = ["Conv1D: x @ W", "nn.Linear, turned", "nn.Linear, reshaped"]
viz.table([row.tolist() for row in rows], ["query", "", "key", "", "value", ""], rows=ways)

# %% [markdown]
# Turned, it agrees. `reshape` also gives the shape (6, 2), and other numbers: it cuts the same
# row of digits at other places. A shape that fits proves little.

# %% [markdown]
# Four matrices a block come from Conv1D. **Predict:** which of them will PyTorch refuse if you
# forget to turn them?

# %%
CONV1D = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
rows = []
for part in CONV1D:
    found = tuple(stored[f"transformer.h.0.{part}"].shape)
    wanted = tuple(model.get_parameter(f"transformer.h.0.{part}").shape)
    rows.append([found, wanted, "fits" if found == wanted else "refused"])
viz.table(rows, ["in the file", "in the model", "as it is"], rows=CONV1D)

# %% [markdown]
# Three of four. `attn.c_proj` is **square**: on its side it fits as well. In all four GPT-2 it is.
# So its mistake raises no error.

# %% [markdown]
# Suppose you meet the three errors and mend what complains: *turn it if it does not fit*. What does
# that do? We need two measures for the storyteller: its loss on ten stories that it has not read,
# and what it tells.

# %%
_, words = from_pretrained("storyteller", verbose=False)  # the tokenizer only
mark = words.end_of_text
unread = [torch.tensor([[mark, *words.encode(s)]]) for s in islice(Stories(seed=100), 10)]


@torch.no_grad()
def story_loss(model):  # nats a token
    nats = [F.cross_entropy(model(t)[0, :-1], t[0, 1:], reduction="sum") for t in unread]
    return sum(nats).item() / sum(t.size(1) - 1 for t in unread)


def tell(model, tokens=18):
    start = torch.tensor([[mark, *words.encode("Once upon a time")]])
    ids = generate(model, start, tokens, temperature=0, stop_token=mark)
    return words.decode([i for i in ids[0].tolist() if i != mark])


# %% [markdown]
# Two ways to fill a model: turn the four by their *names*, or turn what does not *fit*.
# **Predict:** on the second way only four tensors stay on their side. Is the story a little
# worse, or ruined?


# %%
def by_name(name, tensor):
    return tensor.T if name.endswith(CONV1D) else tensor


def until_it_fits(name, tensor):
    return tensor if tensor.shape == model.get_parameter(name).shape else tensor.T


def filled(turn):
    model = GPT(config)  # lm_head is not in the file, but tied: strict=False lets it pass
    model.load_state_dict({n: turn(n, t) for n, t in stored.items()}, strict=False)
    return model.eval()


copied, fits = filled(by_name), filled(until_it_fits)
rows = [[story_loss(m), tell(m)] for m in (copied, fits)]
viz.table(rows, ["loss (nats a token)", "it tells"], rows=["by name", "until it fits"])

# %% [markdown]
# Ruined, and no error anywhere. Nothing in a square of numbers says which way up it belongs. So
# turn by name, never by shape.

# %% [markdown]
# ## Load, without a copy
#
# Now the real loader. First it checks, before anything is changed, and names the first tensor that
# is missing or has another shape.


# %%
HEAD, TABLE = "lm_head.weight", "transformer.wte.weight"


def refuse_misfits(model, named):
    for name, parameter in model.named_parameters():  # a tied pair comes once, as wte
        if name not in named:
            raise ValueError(f"{name} is missing")
        found, wanted = tuple(named[name].shape), tuple(parameter.shape)
        if found != wanted:
            raise ValueError(f"{name} has shape {found}, the model needs {wanted}")
    for name in named.keys() - set(model.state_dict()):
        raise ValueError(f"{name} has no place in this model")
    if HEAD in named and not torch.equal(named[HEAD], named[TABLE]):
        raise ValueError(f"{HEAD} differs from {TABLE}; GPT-2 has one matrix for both")


# %% [markdown]
# Then it loads. `.T` copies nothing: it is another look at the same numbers. With `assign=True` the
# model takes the tensors themselves, so it needs no numbers of its own. PyTorch's **meta** device
# gives tensors a shape and no storage.


# %%
def load_weights(model, tensors):
    named = {name: by_name(name, tensor) for name, tensor in our_names(tensors).items()}
    refuse_misfits(model, named)
    model.load_state_dict(named, strict=False, assign=True)
    model.lm_head.weight = model.transformer.wte.weight
    return model.eval()


def empty_model(config):
    with torch.device("meta"):
        return GPT(config)


yours = load_weights(empty_model(config), stored)
with torch.no_grad():
    assert torch.equal(yours(unread[0]), copied(unread[0]))
print("Equal to the copied model, in every logit.")

# %% [markdown]
# With and without prefix, head and masks: there are eight kinds of file. **Predict:** does your
# loader get the same model from all of them?

# %%
rows = []
for prefix, head, masks in product(["transformer.", ""], ["yes", "no"], ["yes", "no"]):
    tensors = {n.replace("transformer.", prefix): tensor for n, tensor in stored.items()}
    if head == "yes":
        tensors[HEAD] = stored[TABLE].clone()
    if masks == "yes":
        tensors["h.0.attn.bias"] = torch.ones(1, 1, 128, 128).tril()
        tensors["h.0.attn.masked_bias"] = torch.tensor(-1e4)
    other = load_weights(empty_model(config), tensors)
    assert torch.equal(other(unread[0]), yours(unread[0]))
    assert other.lm_head.weight is other.transformer.wte.weight
    rows.append([prefix or "none", head, masks, "same logits, tied"])
viz.table(rows, ["prefix", "head in the file", "masks in the file", "your model"])

# %% [markdown]
# And files that are wrong? Four of them, each with one fault:

# %%
name = "transformer.h.2.mlp.c_fc.weight"
wrong_files = [
    {n: t for n, t in stored.items() if n != name},
    {**stored, name: stored[name].T},
    {**stored, "transformer.h.4.ln_1.weight": torch.ones(128)},
    {**stored, HEAD: torch.zeros(1024, 128)},
]
for tensors in wrong_files:
    try:
        load_weights(empty_model(config), tensors)
    except ValueError as error:
        print(error)

# %% [markdown]
# ## Ask for memory first
#
# A model may be larger than the memory. So count before loading: parameters times bytes. On the
# meta device that is free. **Predict:** which of the four fit into 2 GiB, a small rented machine?
# (1 GiB is 2³⁰ bytes, so 2 GiB are 2.15 GB.)


# %%
def memory_needed(config, bytes_each=4):
    return bytes_each * empty_model(config).num_parameters()


sizes = {name: GPTConfig.preset(name) for name in names}
rows = []
for size in sizes.values():
    needs = [memory_needed(size, bytes_each) for bytes_each in (4, 2)]
    fit = ["yes" if need < 2 * 2**30 else "no" for need in needs]
    rows.append([f"{needs[0] / 1e9:.2f}", fit[0], f"{needs[1] / 1e9:.2f}", fit[1]])
viz.table(rows, ["GB, 32 bits each", "in 2 GiB", "GB, 16 bits each", "in 2 GiB"], rows=names)

# %% [markdown]
# *16 bits* is `dtype=torch.bfloat16`: half the memory, fewer digits. These are the weights only;
# text in work comes on top (lesson 05).

# %% [markdown]
# You need not have the four files to try your loader on them: tensors without storage have names
# and shapes, too. They are laid out as on the hub: no prefix, matrices on their side, a mask in
# every block.


# %%
def hub_shapes(config):
    shapes = {}
    for name, parameter in empty_model(config).named_parameters():
        name, shape = name.removeprefix("transformer."), list(parameter.shape)
        shapes[name] = shape[::-1] if name.endswith(CONV1D) else shape
    for layer in range(config.n_layer):
        shapes[f"h.{layer}.attn.bias"] = [1, 1, config.block_size, config.block_size]
    return shapes


rows = []
for size in sizes.values():
    with torch.device("meta"):
        tensors = {n: torch.empty(shape) for n, shape in hub_shapes(size).items()}
    model = load_weights(empty_model(size), tensors)
    rows.append([len(tensors), f"{model.num_parameters():,}"])
viz.table(rows, ["tensors in the file", "parameters loaded"], rows=names)

# %% [markdown]
# All four pass, with the counts of lesson 05.

# %% [markdown]
# ## Half a gigabyte
#
# Now the large model's file: OpenAI's if `USE` says so, else one of random numbers in the same
# layout. First we ask your machine: `memory_available` knows what is free, also in a container that
# allows less than the machine has.


# %%
from minigpt.devices import memory_available


def random_numbers(name, shape):
    if name.endswith(MASKS):
        return torch.ones(shape).tril()
    centre = 1.0 if "ln_" in name and name.endswith("weight") else 0.0
    return torch.empty(shape).normal_(centre, 0.05)


if memory_needed(sizes.get(USE, sizes["gpt2"])) > memory_available():
    raise MemoryError("close other programs, or take a smaller model")
if MADE:
    torch.manual_seed(0)
    large_file = here / "model.safetensors"
    write_file(large_file, hub_shapes(sizes["gpt2"]), random_numbers)
else:
    large_file = download(USE) if USE in sizes else local_file(USE)
print(f"{large_file.name}: {large_file.stat().st_size / 1e6:.0f} MB")

# %% [markdown]
# **Predict:** 124,439,808 parameters of 4 bytes are 498 MB. The hub's file has 548. What is the
# rest?

# %%
PARTS = {".attn.bias": "masks", "mlp": "MLP", "attn": "attention", "wte": "tokens"}
PARTS |= {"wpe": "positions", "ln_": "LayerNorms", "lm_head": "head"}
header, _, _ = read_header(large_file)
megabytes = Counter()
for name, entry in header.items():
    part = next(PARTS[key] for key in PARTS if key in name)
    begin, end = entry["data_offsets"]
    megabytes[part] += (end - begin) / 1e6
plot_shares(dict(megabytes.most_common()), "MB")
plt.show()

# %% [markdown]
# The masks: the same triangle of ones, once in every block, 50 MB in all. (No masks in your
# picture? Then your file was saved again, by a library that leaves them out.) The two slivers at
# the end are positions and LayerNorms.

# %% [markdown]
# The hub's file has no notes about sizes. They can be read off the shapes, all but one.
# **Predict:** which?


# %%
def sizes_from(header):
    shape = {name.removeprefix("transformer."): entry["shape"] for name, entry in header.items()}
    V, C = shape["wte.weight"]
    layers = sum(name.endswith("ln_1.weight") for name in shape)
    heads = C // 64  # a guess: in all four GPT-2 a head is 64 wide
    return GPTConfig(V, shape["wpe.weight"][0], layers, heads, C)


large_config = sizes_from(header)
beside = large_file.with_name("config.json")  # some files have a neighbour that knows
if beside.exists():
    large_config = replace(large_config, n_head=json.loads(beside.read_text())["n_head"])
viz.table([list(vars(large_config).values())], list(vars(large_config)))

# %% [markdown]
# The number of **heads**. They cut the width into pieces and leave no trace in any shape. In all
# four GPT-2 a head is 64 wide, so we take that where no `config.json` says it. Remember the guess;
# it comes back.

# %% [markdown]
# Now load. The library **maps** the file: the system shows it as if it were memory, and reads a
# piece when someone first looks at it. **Predict:** do the parameters need half a gigabyte of their
# own?

# %% tags=["nbval-ignore-output"]
before = psutil.Process().memory_info().rss
tensors = load_file(large_file)
large = load_weights(empty_model(large_config), tensors)
grown = psutil.Process().memory_info().rss - before
print(f"{large.num_parameters():,} parameters; resident memory grew by {grown / 1e6:.0f} MB")
mapped = our_names(tensors)
assert all(p.data_ptr() == mapped[name].data_ptr() for name, p in large.named_parameters())
turned = large.transformer.h[0].mlp.c_fc.weight
print("No copies. A turned matrix:", tuple(turned.shape), "with strides", turned.stride())

# %% [markdown]
# No: `data_ptr`, the address of a parameter, is where the file is mapped, turned or not. There is
# no second copy. (By how much *resident* memory grows is the system's business: it may read ahead
# of anyone who looks.)

# %% [markdown]
# A **stride** says how far apart neighbours lie. One step down a column is 1 number; one step along
# a row is a whole row of the file. That is all that a transpose does.

# %% [markdown]
# ## Does it compute the right thing?
#
# "It writes fluent text" proves little (lesson 05 has a model that does, and is wrong). Compare
# with a second program, best one that others wrote: number by number, layer by layer.

# %% [markdown]
# A **hook** is a function that PyTorch calls when a layer has run. With hooks on all layers that
# have weights, we keep what each of them gave.


# %%
def outputs(model, ids):
    seen, hooks = {}, []
    for name, module in model.named_modules():
        if hasattr(module, "weight"):

            def keep(module, args, output, name=name):
                seen[name] = output

            hooks.append(module.register_forward_hook(keep))
    with torch.no_grad():
        model(ids)
    for hook in hooks:
        hook.remove()
    return seen


seen = outputs(yours, unread[0])
shown = [[name, tuple(output.shape)] for name, output in seen.items()]
viz.table([*shown[:8], ["...", "..."], *shown[-2:]], ["layer", "its output"])

# %% [markdown]
# The difference at a layer: the largest, as a share of the largest value there. Our reference is
# the package's storyteller, with attention computed in another way, `explicit_attention`, so that
# the two are not the same program.

# %%
from minigpt.model import explicit_attention

theirs, _ = from_pretrained("storyteller", verbose=False)
theirs.use_attention(explicit_attention)


def differences(model, reference, ids):
    mine, right = outputs(model, ids), outputs(reference, ids)
    return {n: ((mine[n] - right[n]).abs().max() / right[n].abs().max()).item() for n in right}


assert max(differences(yours, theirs, unread[0]).values()) < 1e-4
print("28 layers agree to 4 digits or more.")

# %% [markdown]
# Not to all digits: sums in another order are rounded otherwise. Now plant a mistake: turn the
# square matrix, in *one* block. **Predict:** how much does the loss tell?


# %%
def planted(layer):
    name = f"transformer.h.{layer}.attn.c_proj.weight"
    return load_weights(empty_model(config), {**stored, name: stored[name].T})


rows = [["none", story_loss(yours), tell(yours)]]
rows += [[f"{layer}", story_loss(planted(layer)), tell(planted(layer))] for layer in range(4)]
right, *wrong = [row[1] for row in rows]
assert wrong[0] > 5 * right and max(wrong[2:]) < 1.02 * right
viz.table(rows, ["turned in block", "loss (nats a token)", "it tells"])

# %% [markdown]
# In block 0 it is loud. In blocks 2 and 3 a whole matrix is wrong, and the loss of these ten
# stories does not show it! The text reads well, too. So look inside. **Predict**, for block 2: how
# will the differences run from the first layer to the last?

# %%
right_run, wrong_run = (differences(m, theirs, unread[0]) for m in (yours, planted(2)))
places = list(right_run)
for run, style, label in [(wrong_run, "o-", "planted"), (right_run, "s--", "yours, right")]:
    plt.plot([max(run[n], 1e-8) for n in places], style, label=label, markersize=4)
at = places.index("transformer.h.2.attn.c_proj")
assert wrong_run[places[at]] > 1e5 * max(wrong_run[n] for n in places[:at])
assert min(wrong_run[n] for n in places[at:]) > 1e-3 and max(right_run.values()) < 1e-4
blocks = [i for i, n in enumerate(places) if n.endswith("ln_1")]
plt.xticks([*blocks, len(places) - 1], [*(f"block {i}" for i in range(4)), "head"])
plt.yscale("log")
plt.gca().set(xlabel="layer, in the order they run", ylabel="difference (share of the largest)")
plt.legend()
plt.show()

# %% [markdown]
# Dots: only rounding, then in block 2 a jump by a factor of more than 100,000, and it never comes
# down again. Squares: rounding to the end. (Equal to the last digit is drawn at 10⁻⁸.) The jump is
# the place to look.


# %%
def first_divergence(model, reference, ids, tolerance=1e-4):
    apart = differences(model, reference, ids)
    return next((name for name in apart if apart[name] > tolerance), None)


print("yours:  ", first_divergence(yours, theirs, unread[0]))
print("planted:", first_divergence(planted(2), theirs, unread[0]))

# %% [markdown]
# It names the layer. The package's `verify` also looks between the layers, and tries the known
# mistakes one by one: which of them gives *just these* wrong numbers?

# %%
from minigpt.verification import verify

found = verify(planted(2), theirs)
print("first:", found.first)
print("cause:", found.cause)

# %% [markdown]
# A square for each place that it compared. Click one: it tells by how much the two models differ
# there. Choose another planted mistake above. **Predict:** which squares stay equal with the
# mistake in block 3?

# %%
viz.VerifyStrip(
    {"block 2": found, "block 3": verify(planted(3), theirs), "none": verify(yours, theirs)}
)

# %% [markdown]
# And the large model? The witness is `from_pretrained`, which maps the same file. The model is the
# same here, so a difference could come from names, turning, order, or heads. (With your own GPT
# from lesson 05, from the model as well.)

# %%
witness, vocabulary = from_pretrained(large_file, verbose=False)
found = verify(large, witness)
ran = [row for row in found.table if row.difference is not None]
assert found.ok and ran[-1].place == "logits"  # the result was compared, too
print(f"{len(found.table)} places; compared at {len(ran)}, the same at all of those.")
print("not run by one of the two:", [row.place for row in found.table if row not in ran] or "none")

# %% [markdown]
# ## Generate
#
# The large model takes GPT-2's own tokenizer (lesson 01). After *The capital of France is*,
# **predict:** made on the spot, how tall is the highest bar? 50 %, 5 %, or less than 1 %?

# %%
prompt = "The capital of France is"
with torch.no_grad():
    logits = large(torch.tensor([vocabulary.encode(prompt)]))[0, -1]
who = "made on the spot, has learned nothing" if MADE else USE
assert not MADE or logits.softmax(dim=-1).max() < 0.01
viz.plot_next_token(logits.softmax(dim=-1), vocabulary, 6, who)
plt.show()

# %% [markdown]
# Made on the spot, nothing stands out: no bar reaches 1 %, and the tokens are noise. With OpenAI's
# weights, see whether the words fit.

# %% [markdown]
# Four ways to choose from the bars (lesson 07 has them in full): always the largest (*greedy*);
# **temperature**, below 1 the likely gets likelier; **top-k**, only the k likeliest; **top-p**,
# the fewest that together reach p.

# %%
WAYS = {
    "greedy": dict(temperature=0),
    "temperature 0.7": dict(temperature=0.7),
    "top-k 40": dict(top_k=40),
    "top-p 0.9": dict(top_p=0.9),
}


def show_ways(model, tokenizer, start, prompts, tokens):
    generator = torch.Generator().manual_seed(2)
    for prompt in prompts:
        print(f"\n{prompt} ...")
        ids = torch.tensor([[*start, *tokenizer.encode(prompt)]])
        for name, way in WAYS.items():
            new = generate(model, ids, tokens, generator=generator, **way)[0, ids.size(1) :]
            print(f"  {name:16}", tokenizer.decode(new.tolist()).strip().replace("\n", "⏎"))


prompts = ["The capital of France is", "Once upon a time"]
print(f"The large model ({who}):")
show_ways(large, vocabulary, [], prompts, tokens=10)

# %% [markdown]
# From random numbers comes random text, whatever the way of choosing. OpenAI's weights go through
# the same cell. The storyteller *has* learned something. **Predict:** what does it say of France?

# %%
print("The storyteller (trained, on stories only):")
show_ways(yours, words, [mark], prompts, tokens=16)

# %% [markdown]
# It knows stories and nothing else. At a beginning that no story has, it stumbles, and then tells
# on.

# %% [markdown]
# Is *your* gpt2 OpenAI's gpt2? Others have published how it goes on, greedily, from a sentence
# about Alan Turing (picoGPT's README). With the real weights, yours must say the same, to the
# letter.

# %%
prompt = "Alan Turing theorized that computers would one day become"
published = " the most powerful machines on the planet."
ids = torch.tensor([vocabulary.encode(prompt)])
new = generate(large, ids, len(vocabulary.encode(published)), temperature=0)[0, ids.size(1) :]
says = vocabulary.decode(new.tolist())
if MADE:
    print("made on the spot: nothing to compare with")
else:
    print("OpenAI's gpt2" if says == published else "not OpenAI's gpt2, or wrongly used")
viz.table([[published], [says]], [prompt + " ..."], rows=["published", "large model"])

# %% [markdown]
# ## The usual mistakes
#
# Each goes into the storyteller's tensors, through a loader that does not complain. We look at the
# loss, the story, and at what `verify` says.

# %%
results = {}


def report(label, model):
    found = verify(model, theirs)
    results[label] = [story_loss(model), found.first or "no difference", found.cause or ""]
    shown = [f"{results[label][0]:.2f}", tell(model), *results[label][1:]]
    what = ["loss (nats a token)", "it tells", "first difference", "likely cause"]
    return viz.table([[value] for value in shown], [label], rows=what)


report("right", yours)

# %% [markdown]
# **1. Conv1D not turned, but made to fit.** `reshape` silences every error. **Predict:** is the
# loss near ln 1024 = 6.93, which is knowing nothing? Or above?


# %%
def reshaped(name, tensor):
    return tensor.reshape(tensor.shape[::-1]) if name.endswith(CONV1D) else tensor


report("reshaped", filled(reshaped))

# %% [markdown]
# Hardly better than knowing nothing, and every shape fits. `verify` finds the place. Its
# *untransposed* stands for both: not turned, or reshaped.
#
# **2. The square one forgotten.** You have met it: turned until it fits.

# %%
report("square forgotten", fits)

# %% [markdown]
# **3. Query, key, value in another order.** In the tiny file a word [10, 1] had query [17, 28] and
# key [39, 50]. Other code may keep key first. All thirds of `c_attn` are equally large, so nothing
# complains.

# %% [markdown]
# **Predict:** a score is query times key. Does it matter which is called which?


# %%
def key_first(name, tensor):
    if ".attn.c_attn." in name:
        query, key, value = tensor.chunk(3, dim=-1)
        tensor = torch.cat([key, query, value], dim=-1)
    return by_name(name, tensor)


report("key first", filled(key_first))

# %% [markdown]
# It does. *Who asks* and *who is found* are swapped. The story begins almost as before (*shy* for
# *tiny*), but the loss is four times as high.

# %% [markdown]
# **4. Names that match nothing.** The hub's names have no prefix. With `strict=False`, PyTorch
# loads what matches and is silent about the rest. **Predict:** how much matches here?

# %%
torch.manual_seed(0)
silent = GPT(config).eval()
no_prefix = {name.removeprefix("transformer."): tensor for name, tensor in stored.items()}
answer = silent.load_state_dict(no_prefix, strict=False)
print(f"{len(answer.missing_keys)} missing, {len(answer.unexpected_keys)} unexpected, no error")
report("names match nothing", silent)

# %% [markdown]
# Nothing at all was loaded. It is a fresh model, at ln 1024. `strict=False` is fine only behind a
# check like yours.

# %% [markdown]
# **5. Buffers taken for weights.** The hub's files have a mask in every block. **Predict:** how
# many parameters do you find if you count all numbers of `gpt2`?

# %%
everything = sum(math.prod(shape) for shape in hub_shapes(sizes["gpt2"]).values())
parameters = empty_model(sizes["gpt2"]).num_parameters()
masks = everything - parameters
print(f"{everything:,} numbers, {parameters:,} parameters")
print(f"{masks:,} too many: {4 * masks / 1e6:.0f} MB, and to train {16 * masks / 1e6:.0f} MB")

# %% [markdown]
# Training takes 16 bytes a parameter (lesson 05), so an optimizer would guard triangles of ones.

# %% [markdown]
# Worse is to *use* them. A model that keeps its mask as a buffer takes whatever the file says. Let
# a file say ones everywhere: nothing is hidden. **Predict** the loss: lower, as the model may look
# ahead?

# %%
open_eyes = load_weights(empty_model(config), stored)
open_eyes.use_attention(lambda q, k, v, dropout: F.scaled_dot_product_attention(q, k, v))
assert tell(open_eyes) == tell(yours)
report("mask of ones", open_eyes)

# %% [markdown]
# Much higher: in training nothing ever stood ahead, and now it disturbs. Yet the story is as
# before: with the KV cache (lesson 07) each new token is read once, when nothing stands behind it.
# (Only the few words of the beginning see each other.) The mask is arithmetic, not knowledge: make
# it, never load it.

# %% [markdown]
# **6. The head loaded apart.** Some files hold the head as well. Loaded into a matrix of its own,
# it is equal to `wte`. **Predict:** does the loss notice?

# %%
apart = load_weights(empty_model(config), stored)
apart.lm_head.weight = torch.nn.Parameter(apart.transformer.wte.weight.detach().clone())
extra = apart.num_parameters() - yours.num_parameters()
print(f"{extra:,} parameters too many")
report("head apart", apart)

# %% [markdown]
# Not by a digit, and even `verify` sees nothing: today the two are equal. Train one step, on one
# story, and they part.

# %%
rows = []
for model in (copy.deepcopy(yours), copy.deepcopy(apart)):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    F.cross_entropy(model(unread[0])[0, :-1], unread[0][0, 1:]).backward()
    optimizer.step()
    gap = (model.lm_head.weight - model.transformer.wte.weight).abs().max().item()
    rows.append(["yes" if gap == 0 else "no"])
viz.table(rows, ["head and tokens still equal"], rows=["tied", "head apart"])

# %% [markdown]
# From then on two matrices learn apart. Save such a model with the head left out, as the hub does,
# and what the head learned is gone. The count finds it at once.

# %% [markdown]
# **7. The wrong number of heads.** Here is the guess again. `sizes_from` takes heads of 64. The
# storyteller's are 32 wide, and only its notes say so. **Predict:** what does it tell with 2 heads
# for 4?

# %%
guessed = sizes_from(read_header(story_file)[0])
print(f"guessed {guessed.n_head} heads, the notes say {config.n_head}")
report("2 heads, not 4", load_weights(empty_model(guessed), stored))

# %% [markdown]
# Every tensor fits, every number is where it belongs, only the cut is wrong. And it tells a story!
# `verify` finds it *between* the layers, in what attention hands to `c_proj`. All possible cuts:

# %%
rows = []
for heads in (1, 2, 4, 8, 16):
    model = load_weights(empty_model(replace(config, n_head=heads)), stored)
    rows.append([heads, 128 // heads, story_loss(model)])
viz.table(rows, ["heads", "width of each", "loss (nats a token)"])

# %% [markdown]
# Four is best, but 8 is hard to tell from it. So do not guess: `config.json` beside the weights
# says it, and `from_pretrained` asks for it when the width is no help. All mistakes in one picture:

# %%
losses = [row[0] for row in results.values()]
hatches = ["//" if row[1] == "no difference" else "" for row in results.values()]
bars = plt.barh(list(results), losses, color="#0072B2", hatch=hatches, edgecolor="white")
plt.axvline(math.log(1024), color="#D55E00", ls="--", zorder=0)
plt.bar_label(bars, fmt="%.2f", padding=3)
plt.gca().invert_yaxis()
plt.gca().set(xlabel="loss (nats a token); dashed: ln 1024", ylabel="mistake", xlim=(0, 8))
plt.show()

# %% [markdown]
# The dashed line is knowing nothing. Striped are those in which `verify` sees no difference: the
# right one, and the head apart, which only the count finds. Two heads are wrong, and hardly longer
# than right.

# %% [markdown]
# ## The proof: equal to the package
#
# Your `load_weights` against the package's, and your storyteller against every witness there is.
# If the `transformers` library is installed, it is one of them: other people's code, reading the
# same file.

# %% tags=["nbval-ignore-output"]
from importlib.util import find_spec

from minigpt import pretrained

package = empty_model(config)
pretrained.load_weights(package, stored)
witnesses = {"load_weights": package}
witnesses["from_pretrained"] = from_pretrained("storyteller", verbose=False)[0]
if find_spec("transformers"):
    from transformers import GPT2LMHeadModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    witnesses["transformers"] = GPT2LMHeadModel.from_pretrained(story_file.parent)
assert all(verify(yours, witness, unread[0]).ok for witness in witnesses.values())
assert all(memory_needed(size) == pretrained.memory_needed(size) for size in sizes.values())
print("They agree with you:", ", ".join(witnesses))

# %% [markdown]
# ## Whose GPT?
#
# What passed its check in the exercises is kept in `mygpt/`, and `part` hands it out. Where you
# have none yet, or where yours no longer passes, ours stands in. So whose is it today?

# %% tags=["nbval-ignore-output"]
from minigpt.course import my_parts, part

my_parts()

# %% [markdown]
# `part("GPT")` is made of these, and `part("load_weights")` fills it. **Predict:** how far will it
# be from the model above?

# %% tags=["nbval-ignore-output"]
mine = part("GPT")(config).eval()
part("load_weights")(mine, stored)
with torch.no_grad():
    difference = (mine(unread[0]) - yours(unread[0])).abs().max().item()
assert difference < 1e-4
print(f"largest difference of two logits: {difference:.0e}")

# %% [markdown]
# Rounding at most. If every row above says *ours*, our solutions were compared; what is yours is
# another program, line by line, and the same model.

# %% [markdown]
# Clean up: let go of the mapped file, then remove the folder. (Windows removes no file that is
# still mapped.)

# %%
large = witness = tensors = mapped = turned = None
folder.cleanup()
print("the folder is gone:", not here.exists())

# %% [markdown]
# ## In short
#
# - A safetensors file: 8 bytes of length, a JSON list, numbers. It cannot run anything.
# - Names are the model's own; mind the prefix, the masks, the tied head.
# - Turn the four Conv1D matrices by name. A square one hides the mistake.
# - Map, don't copy. Ask for memory first.
# - Look at the *first* place that differs. Fluent text proves little.

# %% [markdown]
# **Your turn.** Put `USE = "gpt2"` at the top and run all. Then plant a mistake of your own in
# `yours` and let `first_divergence` find it. Can you make one that neither it nor the loss
# notices?
#
# **Exercises:** [08_pretrained](../exercises/08_pretrained.ipynb). Each check says what went
# wrong, and what passes becomes a part of your own GPT.
#
# **Next:** in the lessons to come you look inside these heads.
