# %% [markdown]
# # Exercises 08: pretrained
#
# You read a file of weights by hand, load a whole GPT-2, find the layer where two models part, and
# at last put together everything that you have written since lesson 03. About an hour and three
# quarters, after lesson 08.
#
# Write in the cells that say so, then run the check below each. Stuck? Each exercise has three
# hints, and every exercise can be done without the others.

# %%
import json
import os

import torch

from minigpt import GPTConfig
from minigpt.course import check, my_parts, part

# %% [markdown] exercise="read_tensor"
# ## Read a file without a library
#
# Write `read_tensor(data: bytes, name: str) -> Tensor`. `data` is a whole safetensors file:
#
# | bytes | what |
# | --- | --- |
# | the first 8 | the length of the header, a whole number, lowest byte first |
# | the header | JSON: for each tensor `dtype`, `shape` and `data_offsets` |
# | the rest | the numbers, one tensor after another |
#
# `data_offsets` is `[begin, end]` in bytes, counted from the end of the header. The order of the
# names in the header need not be that of the numbers. Under the name `__metadata__` the header may
# hold notes; it may end in spaces.
#
# Return the tensor `name` in its shape. Every tensor here is `F32`: float32, 4 bytes a number,
# lowest byte first. A shape `[]` is a single number. (In the lesson it took the path of the file.)
#
# With a header of 64 bytes and `"data_offsets": [0, 8]`, the numbers are bytes 72 to 79. If those
# are `[0, 0, 128, 63, 0, 0, 0, 64]` and the shape is `[2]`, the result is `tensor([1., 2.])`.


# %% solution="read_tensor"
def read_tensor(data, name):
    """Return one tensor from the bytes of a safetensors file."""
    ### BEGIN SOLUTION
    length = int.from_bytes(data[:8], "little")
    entry = json.loads(data[8 : 8 + length])[name]
    begin, end = entry["data_offsets"]
    numbers = bytearray(data[8 + length + begin : 8 + length + end])
    return torch.frombuffer(numbers, dtype=torch.float32).view(entry["shape"])
    ### END SOLUTION


# %% check="read_tensor"
check("read_tensor", read_tensor)

# %% [markdown] exercise="our_names"
# ## Mend the name map
#
# Files of GPT-2 differ in their names. `our_names(tensors)` should return a new dictionary with the
# model's names, and the tensors as they are:
#
# | in the file | in the result |
# | --- | --- |
# | `h.0.ln_1.weight`, or with `transformer.` before it | `transformer.h.0.ln_1.weight` |
# | `lm_head.weight`, if it is there | `lm_head.weight` |
# | `h.0.attn.bias`, `h.0.attn.masked_bias` (with or without `transformer.`) | nothing: masks |
#
# It has **three mistakes**. On the storyteller's file you might never notice two of them.


# %% solution="our_names"
### BEGIN BROKEN
# def our_names(tensors):
#     ours = {}
#     for theirs in tensors:
#         if not theirs.endswith("attn.bias"):
#             bare = theirs.removeprefix("transformer.")
#             ours["transformer." + bare] = tensors[theirs]
#     return ours
### END BROKEN
### BEGIN SOLUTION
def our_names(tensors):
    ours = {}
    for theirs in tensors:
        # With the dot: attn.c_attn.bias ends in "attn.bias", too, and is no mask.
        if not theirs.endswith((".attn.bias", ".attn.masked_bias")):
            bare = theirs.removeprefix("transformer.")
            ours[bare if bare == "lm_head.weight" else "transformer." + bare] = tensors[theirs]
    return ours


### END SOLUTION

# %% check="our_names"
check("our_names", our_names)

# %% [markdown] exercise="transposed_tensors"
# ## How many lie on their side?
#
# OpenAI's file of `gpt2` (12 layers, 12 heads, width 768) holds the two embeddings, twelve blocks
# and the final LayerNorm, and some masks. How many of its tensors have to be transposed before
# `nn.Linear` and `nn.Embedding` can use them as GPT-2 means them?

# %% solution="transposed_tensors"
transposed_tensors = None
### BEGIN SOLUTION
transposed_tensors = 12 * 4  # c_attn, c_proj of attention, c_fc, c_proj of the MLP
### END SOLUTION

# %% check="transposed_tensors"
check("transposed_tensors", transposed_tensors)

# %% [markdown] exercise="load_weights"
# ## Load a file's weights
#
# Write `load_weights(model, tensors)`. It fills a GPT, in place, with the tensors of a file (a
# dictionary from names to tensors), and returns nothing.
#
# | in the file | in the model |
# | --- | --- |
# | `h.0.ln_1.weight`, or every name with `transformer.` | `transformer.h.0.ln_1.weight` |
# | `c_attn`, `c_fc` and both `c_proj` of a block: weight (in, out) | (out, in) |
# | `h.0.attn.bias`, `h.0.attn.masked_bias`, perhaps | nothing: masks |
# | `lm_head.weight`, perhaps | nothing: it equals the token table |
#
# - Afterwards every parameter holds the file's numbers and can be trained, and `lm_head.weight` is
#   still the same parameter as `transformer.wte.weight`.
# - If a tensor is missing or has the wrong shape, an error that names it stops the loading.
#   With `config.bias=False` there are no biases to miss. Other names do not occur.
# - The dictionary and its tensors stay as they are.
#
# In a model of width 4, `tensors["h.0.mlp.c_fc.weight"]` is (4, 16). Its row 1, column 7 becomes
# row 7, column 1 of `transformer.h.0.mlp.c_fc.weight`, which is (16, 4).


# %% solution="load_weights"
def load_weights(model, tensors):
    """Fill a GPT with the tensors of a file: the hub's names and layouts."""
    ### BEGIN SOLUTION
    on_their_side = ("attn.c_attn.weight", "attn.c_proj.weight")
    on_their_side += ("mlp.c_fc.weight", "mlp.c_proj.weight")
    fitted = {}
    # We ask for the model's own names only, so nobody asks for the masks.
    for name, parameter in model.named_parameters():  # the tied pair comes once, as wte
        theirs = name if name in tensors else name.removeprefix("transformer.")
        tensor = tensors[theirs]  # a KeyError with its name, if it is missing
        if name.endswith(on_their_side):
            tensor = tensor.T
        if tensor.shape != parameter.shape:
            raise ValueError(f"{theirs} has the wrong shape")
        fitted[name] = tensor
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(fitted[name])
    ### END SOLUTION


# %% check="load_weights"
check("load_weights", load_weights)

# %% [markdown] exercise="first_difference"
# ## Find the first layer that differs
#
# Write `first_difference(model, reference, idx, tolerance=1e-4)`. Both models are GPTs with the
# checkpoint's names, in evaluation mode. Run each on `idx`, (B, T) int64, and compare what their
# layers give. Return the name of the first that differs, such as
# `"transformer.h.1.attn.c_proj"`, or `None` if none does.
#
# - A layer is every module that has a `weight`: embeddings, linear layers, LayerNorms.
# - *First* means in the order in which the reference runs them, whatever the order in which they
#   are registered.
# - The difference at a layer is the largest absolute difference, as a share of the largest absolute
#   value that the reference gives there. More than `tolerance` is different.
# - Leave no hook behind in either model.
#
# In the lesson this was `first_divergence`, and `differences` did most of its work.
#
# If two models differ in `transformer.wpe` only, layers behind it differ as well; the answer is
# `"transformer.wpe"`.


# %% solution="first_difference"
def first_difference(model, reference, idx, tolerance=1e-4):
    """Name the first layer at which two models part, or None."""

    ### BEGIN SOLUTION
    def outputs(each):
        seen, hooks = {}, []
        for name, module in each.named_modules():
            if hasattr(module, "weight"):

                def note(module, args, output, name=name):
                    seen[name] = output

                hooks.append(module.register_forward_hook(note))
        with torch.no_grad():
            each(idx)
        for hook in hooks:
            hook.remove()
        return seen  # a dictionary keeps the order in which the layers ran

    mine, right = outputs(model), outputs(reference)
    for name in right:
        gap = (mine[name] - right[name]).abs().max() / right[name].abs().max()
        if gap > tolerance:
            return name
    return None
    ### END SOLUTION


# %% check="first_difference"
check("first_difference", first_difference)

# %% [markdown] exercise="why_no_proof"
# ## Why is fluent text no proof?
#
# A friend loads GPT-2's weights into a model of their own. It writes fluent English. "So it
# works!" Answer in five to ten sentences:
#
# - Name two mistakes after which a model still writes fluently, and say why it can (two points).
# - What would you compare, with what, and to how many digits (one point)?
# - The logits differ. How do you find the place, and why not by reading the loss (one point)?
#
# Your teacher marks this one. If you have none, mark it yourself: the steps are below.

# %% [markdown] written="why_no_proof"
# ### BEGIN SOLUTION
# ### END SOLUTION

# %% [markdown]
# ## The parts are all there
#
# What you have written, from one head's mask to the loader. Whatever is missing, or no longer
# passes its check, is ours for now; do it whenever you like, and run this again.

# %%
my_parts()

# %% [markdown]
# Take the ones that you need now. Your `GPT` is made of your `Block`, which is made of your
# attention and your MLP; `load` is your `load_weights`.

# %%
GPT = part("GPT")
load = part("load_weights")
generate = part("generate")

# %% [markdown] exercise="my_gpt2"
# ## Your own GPT-2
#
# Write `my_gpt2(config, tensors)`. It returns a model, ready to use: your `GPT` of that
# configuration, filled with the tensors of a file by your `load_weights` (above: `load`), in
# evaluation mode.
#
# `config` is a `GPTConfig`, and `tensors` a dictionary as `load_weights` takes it, names and
# layouts as on the hub. Leave the dictionary as it is.
#
# For example, `my_gpt2(GPTConfig.preset("gpt2"), tensors)` with OpenAI's tensors is GPT-2:
# 124,439,808 parameters, and logits `(1, 3, 50257)` for three ids. The check builds small ones and
# compares them with the package's, number by number. Below it, you do the same at full size.


# %% solution="my_gpt2"
def my_gpt2(config, tensors):
    """Build a GPT-2 of one's own parts from the tensors of a file."""
    ### BEGIN SOLUTION
    gpt2 = GPT(config)
    load(gpt2, tensors)
    return gpt2.eval()
    ### END SOLUTION


# %% check="my_gpt2"
check("my_gpt2", my_gpt2)

# %% [markdown]
# ## The proof
#
# `build` is your `my_gpt2` if it has passed, else ours. First the storyteller, which has learned
# something: your model against the package's at every layer, and then your `generate` on it.

# %%
from textwrap import fill

from minigpt import from_pretrained
from minigpt import generate as package_generate
from minigpt.files import STORYTELLER
from minigpt.pretrained import download
from minigpt.pretrained.loading import local_file
from minigpt.pretrained.weights import read_weights
from minigpt.verification import verify

build = part("my_gpt2")
theirs, words = from_pretrained("storyteller", verbose=False)
tensors, notes = read_weights(local_file(STORYTELLER))
yours = build(theirs.config, tensors)
print(verify(yours, theirs))

beginning = torch.tensor([[words.end_of_text, *words.encode("Once upon a time")]])
story = generate(yours, beginning, 60)
assert torch.equal(story, package_generate(theirs, beginning, 60, temperature=0))
print(fill(words.decode(story[0, 1:].tolist()), 90))

# %% [markdown]
# Now GPT-2, at full size. With OpenAI's weights if you say where they are; else random numbers of
# the same names, shapes and layouts. Equal is equal either way.

# %%
USE = os.environ.get("MINIGPT_WEIGHTS", "random numbers")
# USE = "gpt2"  # OpenAI's: from the hub's cache if it is there, else a download of 0.5 GB
# USE = "folder/model.safetensors"  # OpenAI's, from a file that you have

# %%
from minigpt import pretrained
from minigpt.pretrained import empty_model


def random_file(config):
    """Return tensors as in OpenAI's file: no prefix, four matrices of each block on their side."""
    tensors = {}
    for name, parameter in empty_model(config).named_parameters():
        shape = parameter.shape[::-1] if ".c_" in name else parameter.shape
        centre = float("ln_" in name and name.endswith("weight"))
        tensors[name.removeprefix("transformer.")] = torch.empty(shape).normal_(centre, 0.05)
    return tensors


# %%
if USE == "random numbers":
    torch.manual_seed(0)
    config = GPTConfig.preset("gpt2")
    tensors = random_file(config)
    theirs = empty_model(config).eval()
    pretrained.load_weights(theirs, tensors)
else:
    theirs, _ = from_pretrained(USE)
    file = download(USE) if USE.startswith("gpt2") else local_file(USE)
    tensors, _ = read_weights(file)
yours = build(theirs.config, tensors)

# %%
count = sum(parameter.numel() for parameter in yours.parameters())
print(f"{count:,} parameters ({USE})")
ids = torch.randint(theirs.config.vocab_size, (1, 16), generator=torch.Generator().manual_seed(1))
found = verify(yours, theirs, ids)
assert found.ok, found
print(found)
del yours, theirs, tensors  # a gigabyte

# %% [markdown]
# The same numbers, place by place, from the token table to the logits. That is GPT-2, and every
# part that the table calls yours you wrote yourself. They lie in your folder `mygpt/`;
# `part("my_gpt2")` fetches the whole, in any notebook.
