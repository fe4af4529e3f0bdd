"""The paper's data sets: whole or not at all, and read as they are published."""

import hashlib
import io
import json
import tarfile

import pytest

from minigpt.evaluation import data_sets
from minigpt.evaluation.data_sets import DATA_SETS, download_data_set, read_data_set
from minigpt.evaluation.published import book_items, lambada_items, read_text_set
from tests.servers import Handler, running_server

NEWS = b" it 's $ N \n and is n't more \n"
BOOK = "".join(f"{i} Leo had a kite .\n" for i in range(1, 21))
BOOK += "21 `` Is it a XXXXX ? '' said Leo .\tkite\t\tball|bell|drum|hat|kite|lantern\n"


class Server(Handler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIGPT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    with running_server(Server, content=NEWS) as server:
        monkeypatch.setenv("MINIGPT_MIRROR", server.address)
        yield server


def test_a_hash_that_nobody_knows_is_written_down_and_said(server):
    said = []
    path = download_data_set("ptb", said.append)
    assert hashlib.sha256(NEWS).hexdigest() in said[0] and len(said) == 1
    download_data_set("ptb", said.append)
    assert len(said) == 1
    path.write_bytes(NEWS + b"more")
    with pytest.raises(ValueError, match="not the expected file.*Delete it"):
        download_data_set("ptb", said.append)


def test_a_file_with_another_hash_is_refused_and_leaves_nothing(server, tmp_path):
    with pytest.raises(ConnectionError, match=r"sha256(.|\n)*By hand: get https://openaipublic"):
        download_data_set("lambada")
    assert not list((tmp_path / "cache").glob("*"))


def test_a_file_in_an_archive_is_read(server, monkeypatch):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo(DATA_SETS["cbt-cn"].member)
        entry.size = len(BOOK.encode())
        archive.addfile(entry, io.BytesIO(BOOK.encode()))
    server.content = packed.getvalue()
    known = DATA_SETS["cbt-cn"]._replace(sha256=hashlib.sha256(server.content).hexdigest())
    monkeypatch.setitem(DATA_SETS, "cbt-cn", known)
    assert read_data_set("cbt-cn") == BOOK
    monkeypatch.setitem(DATA_SETS, "cbt-cn", known._replace(member="other"))
    with pytest.raises(ValueError, match="has no other"):
        read_data_set("cbt-cn")


def test_books_become_choices_whose_gap_and_rest_are_scored():
    [item] = book_items(BOOK)
    assert item.context.endswith('Leo had a kite. "Is it a') and item.right == 4
    assert item.candidates[4] == ' kite?" said Leo.' and len(item.candidates) == 6


def test_passages_become_last_words():
    line = json.dumps({"text": "“ yes , ” he said to leo"})
    [item] = lambada_items(line)
    assert (item.context, item.answer) == ('\n" yes , " he said to', " leo")


def test_texts_are_divided_by_the_words_that_were_published():
    text, words = read_text_set("ptb", NEWS.decode())
    assert "it's $N" in text and words == len(NEWS.split()) + 2


def test_an_unknown_set_is_refused():
    with pytest.raises(ValueError, match="no data set 'imagenet'; there are lambada"):
        download_data_set("imagenet")


def test_every_known_hash_is_a_sha256():
    assert all(len(s.sha256) == 64 for s in DATA_SETS.values() if s.sha256)
    assert [s.name for s in data_sets.DATA_SETS.values() if s.sha256 is None] == ["ptb"]
