"""`minigpt generate`: continue a prompt, token by token."""

from __future__ import annotations

import argparse
import codecs
import sys
from collections.abc import Iterable, Iterator
from itertools import chain

import torch

from minigpt.devices import choose_device
from minigpt.model import GPT
from minigpt.pretrained import from_pretrained
from minigpt.sampling import stream
from minigpt.tokenizer import Tokenizer, encode_prompt

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def read_prompt(prompt: str) -> str:
    """Return the prompt; `-` stands for the text on standard input, without its last newline.

    Raises ValueError if that is not UTF-8.
    """
    if prompt != "-":
        return prompt
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"the prompt on standard input is not UTF-8 text: {error}") from None
    return text.replace("\r\n", "\n").removesuffix("\n")


def whole_characters(tokens: Iterable[bytes]) -> Iterator[str]:
    """Yield the text of a stream of tokens; the bytes of an unfinished character wait.

    >>> list(whole_characters([b"a", "é".encode()[:1], "é".encode()[1:] + b"!"]))
    ['a', 'é!']
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    for token in tokens:
        if text := decoder.decode(token):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text


def write_sample(
    model: GPT, tokenizer: Tokenizer, prompt: str, max_new_tokens: int, **settings
) -> None:
    """Print the prompt and its continuation, each token as soon as it is drawn.

    `settings` are those of `sampling.stream`: temperature, generator and so on.
    """
    device = model.device
    idx = torch.tensor([encode_prompt(prompt, tokenizer)], device=device)  # (1, T)
    tokens = stream(model, idx, max_new_tokens, stop_token=tokenizer.end_of_text, **settings)
    ids = (int(token) for token in tokens)
    drawn = (tokenizer.token_bytes(id) for id in ids if id != tokenizer.end_of_text)
    pieces = whole_characters(drawn)
    first = next(pieces, "")  # an argument out of range is refused here, before anything is printed
    for text in chain([prompt + first], pieces):
        print(text, end="", flush=True)
    print()


def run(args: argparse.Namespace) -> int:
    """Print as many samples as were asked for."""
    if args.samples < 1:
        raise ValueError(f"samples is {args.samples}; it must be at least 1")
    prompt = read_prompt(args.prompt)
    device = choose_device(args.device)
    model, tokenizer = from_pretrained(
        args.model,
        dtype=DTYPES[args.dtype],
        quantize=args.quantize,
        device=device,
        verbose=False,
    )
    if tokenizer is None:
        raise ValueError(f"{args.model} has no tokenizer.json beside it, and GPT-2's does not fit")
    generator = torch.Generator(device)
    if args.seed is None:
        generator.seed()  # another text each time
    else:
        generator.manual_seed(args.seed)
    settings = {key: getattr(args, key) for key in ("temperature", "top_k", "top_p", "compile")}
    settings["generator"] = generator
    for number in range(1, args.samples + 1):
        if args.samples > 1:
            print(f"--- {number} of {args.samples} ---")
        write_sample(model, tokenizer, prompt, args.max_new_tokens, **settings)
    return 0
