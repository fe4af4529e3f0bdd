"""GPT-2 with OpenAI's weights, a model of your own from a folder, or the one that is shipped."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import torch

from minigpt.config import PRESETS, GPTConfig
from minigpt.devices import choose_device, in_words, memory_available
from minigpt.files import STORYTELLER, read_text
from minigpt.model import GPT
from minigpt.pretrained.empty_models import empty_model
from minigpt.pretrained.hub import download
from minigpt.pretrained.names import TABLE, our_names, settled
from minigpt.pretrained.sizes import find_config
from minigpt.pretrained.vocabulary import find_tokenizer
from minigpt.pretrained.weights import CONV1D, INDEX, WEIGHTS, load_weights, read_weights
from minigpt.speed.quantization import quantize as quantized
from minigpt.tokenizer import Tokenizer

DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def local_file(given: str | os.PathLike) -> Path:
    """Return the file of weights that a path of a file or folder means."""
    accepted = f"a name ({', '.join([*PRESETS, 'storyteller'])}), a folder or a .safetensors file"
    if not isinstance(given, (str, os.PathLike)) or given == "":
        raise ValueError(f"there is no model {given!r}; give {accepted}")
    path = Path(given).expanduser()
    if path.is_file():
        return path
    if (path / "refs" / "main").is_file():  # the hub's cache: refs name the snapshot that is newest
        path = path / "snapshots" / read_text(path / "refs" / "main").strip()
    for name in (WEIGHTS, INDEX):
        if (path / name).is_file():
            return path / name
    if path.is_dir():
        found = ", ".join(sorted(file.name for file in path.iterdir())[:9]) or "nothing"
        raise FileNotFoundError(f"the folder {path} has no {WEIGHTS}; it holds: {found}")
    if isinstance(given, os.PathLike) or path.suffix or "/" in given or os.sep in given:
        raise FileNotFoundError(f"there is no file or folder {path}; give {accepted}")
    near = difflib.get_close_matches(str(given).lower(), [*PRESETS, "storyteller"], n=1)
    meant = f"did you mean {near[0]!r}? Otherwise give" if near else "give"
    raise ValueError(f"there is no model {given!r}; {meant} {accepted}")


def ask_for_room(
    name: str, model: GPT, dtype: torch.dtype, device: torch.device, verbose: bool
) -> None:
    """Say how much memory a model's weights need; raise MemoryError if there is not so much."""
    config, needed = model.config, model.num_parameters() * dtype.itemsize
    free = memory_available(device)
    line = (
        f"{name}: {config.n_layer} layers, {config.n_head} heads, width {config.n_embd}: "
        f"{in_words(needed)} of memory as {str(dtype).removeprefix('torch.')}, "
        f"and {in_words(free)} is free"
    )
    if needed > free:
        raise MemoryError(
            f"{line}. Close other programs, take a smaller model, or ask for dtype=torch.bfloat16, "
            "which takes half of float32"
        )
    if verbose:
        print(line)


def convert(name: str, tensor: torch.Tensor, dtype: torch.dtype | None, device: torch.device):
    """Return a stored tensor in another type, on a device: itself, if it is so already."""
    if dtype is None or dtype == tensor.dtype or not tensor.is_floating_point():
        return tensor.to(device)
    if name.endswith(CONV1D) and dtype.itemsize == 2:
        # One row times 16-bit weights is twice as quick if each output's weights lie together.
        together = tensor.t().to(device, dtype, memory_format=torch.contiguous_format)
        return together.t()
    return tensor.to(device, dtype)


def load_file(
    path: Path, model: GPT | None, dtype: torch.dtype | None, device: torch.device, verbose: bool
) -> GPT:
    """Fill an empty model (None: one of the sizes that the file says) from a file."""
    tensors, notes = read_weights(path)
    tensors = our_names(settled(tensors))
    if model is None:
        config, source = find_config(path, tensors, notes)
        model = empty_model(config)
        stored = tensors[TABLE].dtype if TABLE in tensors else torch.float32
        title = f"{path.parent.name}/{path.name} (sizes from {source})"
        ask_for_room(title, model, dtype or stored, device, verbose)
    for name, tensor in tensors.items():
        tensors[name] = convert(name, tensor, dtype, device)
    load_weights(model, tensors)
    return model.eval()


def find_file(name: str) -> Path:
    """Return the file of a model that is on this machine; nothing is downloaded.

    Raises FileNotFoundError, with the way to get it, if it is not.
    """
    if name not in PRESETS:
        return local_file(STORYTELLER if name == "storyteller" else name)
    from huggingface_hub import try_to_load_from_cache  # slow to import

    cached = try_to_load_from_cache(f"openai-community/{name}", WEIGHTS)
    if not isinstance(cached, str):
        raise FileNotFoundError(
            f"{name} is not on this machine. Get it with: minigpt download {name}; "
            f"or, if you have its {WEIGHTS} elsewhere, give the path of that file"
        )
    return Path(cached)


def from_pretrained(
    name_or_path: str | os.PathLike,
    *,
    dtype: torch.dtype | None = None,
    quantize: str | None = None,
    device: str | torch.device = "cpu",
    verbose: bool = True,
) -> tuple[GPT, Tokenizer | None]:
    """Return a model in evaluation mode, and its tokenizer (None if nothing says which).

    `name_or_path` is gpt2, gpt2-medium, gpt2-large or gpt2-xl (see `download`), storyteller, a
    folder with model.safetensors, or a .safetensors file of GPT-2's. Its weights are mapped into
    memory, not copied, unless `dtype` or `device` differs from the file's; training the model
    changes memory, never the file. With quantize="int8" its matrices are rounded to 8 bits
    (see `minigpt.speed.quantization`): quicker to generate with, not to be trained.
    Raises ValueError for what is not GPT-2, naming the first wrong tensor; FileNotFoundError;
    ConnectionError if a download fails; MemoryError, beforehand, if the model will not fit.
    """
    if dtype not in (None, *DTYPES):
        raise ValueError(f"dtype is {dtype!r}; it must be one of {', '.join(map(str, DTYPES))}")
    if quantize not in (None, "int8"):
        raise ValueError(f"quantize is {quantize!r}; it must be 'int8', or None for no rounding")
    device = choose_device(str(device))
    if isinstance(name_or_path, str) and not os.path.exists(name_or_path):
        name_or_path = name_or_path.removeprefix("openai-community/")  # as the hub has it
    model = None
    if isinstance(name_or_path, str) and name_or_path in PRESETS:
        model = empty_model(GPTConfig.preset(name_or_path))
        # Asked before, not after, a long download.
        ask_for_room(name_or_path, model, dtype or torch.float32, device, verbose)
        path = download(name_or_path)
    else:
        path = local_file(STORYTELLER if name_or_path == "storyteller" else name_or_path)
    try:
        model = load_file(path, model, dtype, device, verbose)
        if quantize:
            model = quantized(model)
        tokenizer = find_tokenizer(path, model.config, verbose)
    except ValueError as error:
        raise ValueError(f"{path} cannot be used: {error}") from None
    if tokenizer is not None:
        model.known_ids = tokenizer.vocab_size
    return model, tokenizer
