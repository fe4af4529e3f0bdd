"""Released weights come once and whole from a hub or a mirror, which learns nothing of whom."""

import hashlib

import pytest
import torch

from minigpt.config import PRESETS, GPTConfig
from minigpt.model import GPT
from minigpt.pretrained import from_pretrained
from tests.models import lively, some_ids
from tests.pretrained.files import SMALL, hub_tensors, write
from tests.servers import Handler, running_server

pytestmark = pytest.mark.thorough


class Hub(Handler):
    """What huggingface_hub asks of a hub, and a connection that breaks when told to."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        hub = self.server
        hub.seen.append((self.command, self.path, dict(self.headers)))
        content = hub.files.get(self.path)
        if content is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = int((self.headers.get("Range") or "bytes=0-").split("=")[1].split("-")[0])
        self.send_response(206 if start else 200)
        if start:
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send_header("Content-Range", span)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "0123456789" * 4)
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if not body:
            return
        if hub.cuts:
            hub.cuts -= 1
            self.wfile.write(content[start : start + len(content) // 3])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(content[start:])


TINY = {"n_layer": 2, "n_head": 2, "n_embd": 64, "vocab_size": 50257, "block_size": 64}
FILE = "/openai-community/gpt2/resolve/main/model.safetensors"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that has a small `gpt2`, and an empty cache; the variable is set after the import."""
    from huggingface_hub import constants

    content = write(tmp_path / "hub", hub_tensors(GPTConfig(**TINY))[0]).read_bytes()
    monkeypatch.setitem(PRESETS, "gpt2", TINY)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1 << 16)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    with running_server(Hub, files={FILE: content}, seen=[], cuts=0) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        yield server


def test_a_released_model_is_downloaded_once_from_the_mirror(hub, tmp_path):
    model, tokenizer = from_pretrained("gpt2", verbose=False)
    expected = lively(GPT(GPTConfig(**TINY)), 0.1, 0.2)
    assert torch.equal(model(some_ids(SMALL)), expected(some_ids(SMALL)))
    assert tokenizer.vocab_size == 50257
    assert {path for _, path, _ in hub.seen} == {FILE}
    assert [command for command, *_ in hub.seen].count("GET") == 1
    assert not any("authorization" in map(str.lower, headers) for *_, headers in hub.seen)
    hub.seen.clear()
    hub.shutdown()
    hub.server_close()  # from here on nobody answers
    again, _ = from_pretrained("gpt2", verbose=False)
    assert torch.equal(again(some_ids(SMALL)), model(some_ids(SMALL)))
    assert hub.seen == []


def test_a_download_goes_on_where_the_connection_broke(hub):
    hub.cuts = 2
    model, _ = from_pretrained("gpt2", verbose=False)
    expected = lively(GPT(GPTConfig(**TINY)), 0.1, 0.2)
    assert torch.equal(model(some_ids(SMALL)), expected(some_ids(SMALL)))
    ranges = [headers.get("Range") for command, _, headers in hub.seen if command == "GET"]
    starts = [int(text.removeprefix("bytes=").removesuffix("-")) for text in ranges[1:]]
    assert ranges[0] is None and len(starts) == 2 and 0 < starts[0] < starts[1]


def test_a_wrong_file_from_a_mirror_is_refused(hub, tmp_path):
    tensors, _ = hub_tensors(GPTConfig(**(TINY | {"n_embd": 128})))
    path = write(tmp_path / "other", tensors)
    hub.files[FILE] = path.read_bytes()
    with pytest.raises(ValueError, match=r"wte\.weight has shape \(50257, 128\), expected"):
        from_pretrained("gpt2", verbose=False)


def test_no_network_is_said_at_once_with_the_ways_around_it(hub):
    hub.shutdown()
    hub.server_close()
    words = (
        r"(?s)gpt2 could not be downloaded from http://127[0-9.:]* \(.*HF_ENDPOINT"
        r".*gpt2/resolve/main/model\.safetensors.*from_pretrained"
    )
    with pytest.raises(ConnectionError, match=words):
        from_pretrained("gpt2", verbose=False)


def test_a_mirror_without_the_file_is_said(hub):
    hub.files.clear()
    with pytest.raises(ConnectionError, match="404"):
        from_pretrained("gpt2", verbose=False)
