"""Shakespeare is downloaded once, and whole, or not at all."""

import hashlib
import time

import pytest

from minigpt import files
from minigpt.data import corpora, load_data
from tests.servers import Handler, running_server

pytestmark = pytest.mark.thorough

PLAY = ("To be, or not to be, that is the question.\n" * 3000).encode()


class Mirror(Handler):
    """What serves PLAY, as well as `server.how` says."""

    def do_GET(self):
        how = self.server.how
        if how == "missing" or self.path != "/texts/shakespeare.txt":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(PLAY)))
        self.end_headers()
        if how == "slow":
            time.sleep(1.5)
        body = {"changed": PLAY[:-1] + b"?", "truncated": PLAY[:5000]}.get(how, PLAY)
        self.wfile.write(body)


@pytest.fixture
def server(monkeypatch):
    with running_server(Mirror, how="well") as server:
        monkeypatch.setenv("MINIGPT_MIRROR", f"{server.address}texts/")
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setattr(corpora, "SHAKESPEARE_SHA256", hashlib.sha256(PLAY).hexdigest())
        monkeypatch.setattr(files, "TIMEOUT", 0.5)
        yield server


def test_shakespeare_is_downloaded_once(server, own_cache, capfd):
    assert corpora.shakespeare() == PLAY.decode()
    assert "shakespeare.txt: 100%" in capfd.readouterr().err
    server.how = "missing"
    assert corpora.shakespeare() == PLAY.decode()
    assert [path.name for path in own_cache.iterdir()] == ["shakespeare.txt"]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("missing", "404"),
        ("changed", "its sha256 is"),
        ("truncated", "broke off after 5,000 of 129,000 bytes|IncompleteRead"),
        ("slow", "timed out"),
    ],
)
def test_a_download_that_fails_says_why_and_leaves_nothing(server, own_cache, how, why):
    server.how = how
    with pytest.raises(ConnectionError, match=why) as failure:
        load_data("shakespeare")
    for words in ("MINIGPT_MIRROR", corpora.SHAKESPEARE_URL, str(own_cache / "shakespeare.txt")):
        assert words in str(failure.value)
    assert not own_cache.exists() or not list(own_cache.iterdir())


@pytest.mark.parametrize("mirror", ["http://127.0.0.1:9", "no address at all", "http://"])
def test_a_server_that_is_not_there_is_a_clear_failure(own_cache, monkeypatch, mirror):
    monkeypatch.setenv("MINIGPT_MIRROR", mirror)
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(ConnectionError, match="By hand: get https://raw"):
        load_data("shakespeare")
    assert not own_cache.exists() or not list(own_cache.iterdir())


def test_shakespeare_put_there_by_hand_is_used_if_it_is_the_right_text(own_cache, monkeypatch):
    own_cache.mkdir()
    (own_cache / "shakespeare.txt").write_bytes(PLAY)
    with pytest.raises(ValueError, match="not the expected text.*Delete it"):
        corpora.shakespeare()
    monkeypatch.setattr(corpora, "SHAKESPEARE_SHA256", hashlib.sha256(PLAY).hexdigest())
    assert load_data("shakespeare", vocab_size=300).name == "shakespeare"
