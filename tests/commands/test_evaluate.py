"""`minigpt evaluate`: figures beside those of the paper, for any model, and clear refusals."""

import hashlib
import json
import re

import pytest

from minigpt import cli
from minigpt.commands import evaluate
from minigpt.config import GPTConfig
from minigpt.evaluation.tasks import TASKS, Figure
from minigpt.model import GPT
from minigpt.pretrained import save_pretrained
from tests.commands.running import minigpt, refused
from tests.models import lively
from tests.servers import Handler, running_server

LINES = [{"text": "he said it was a kite"}, {"text": "and nobody knew why it sang"}]
PASSAGES = "\n".join(map(json.dumps, LINES)).encode()


def figures(out: str) -> dict[str, float]:
    return {m[1].strip(): float(m[2]) for m in re.finditer(r"^([^\d\n]+?) {2,}([\d.]+)", out, re.M)}


def test_perplexity_of_stories_stands_beside_the_best_possible(capsys):
    assert cli.main(["evaluate", "storyteller", "perplexity", "--limit", "5"]) == 0
    out = capsys.readouterr().out
    loss, floor = map(float, re.search(r"token +([\d.]+).*possible: ([\d.]+)", out).groups())
    assert floor < loss < 1.1 * floor
    assert "Measured on the first 5 only" in out and "It took" in out


@pytest.mark.parametrize("task", ["last-word", "choice"])
def test_the_storyteller_knows_the_quiz_and_an_untrained_model_not(task, capsys, tmp_path):
    assert cli.main(["evaluate", "storyteller", task, "--limit", "5"]) == 0
    assert figures(capsys.readouterr().out)["accuracy (%)"] > 70
    from minigpt.pretrained import from_pretrained

    model, tokenizer = from_pretrained("storyteller", verbose=False)
    save_pretrained(lively(GPT(model.config), 0.1), tmp_path / "untrained", tokenizer)
    assert cli.main(["evaluate", str(tmp_path / "untrained"), task, "--limit", "5"]) == 0
    assert figures(capsys.readouterr().out)["accuracy (%)"] < 70


def test_your_own_gpt_is_measured_with_the_storytellers_weights(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("MINIGPT_MYGPT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    seen = []
    for name in ("mygpt", "storyteller"):
        assert cli.main(["evaluate", name, "perplexity", "--limit", "3"]) == 0
        seen.append(figures(capsys.readouterr().out)["perplexity per token"])
    assert seen[0] == pytest.approx(seen[1], abs=0.011)


class Passages(Handler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(PASSAGES)))
        self.end_headers()
        self.wfile.write(PASSAGES)


def test_a_set_of_the_paper_is_downloaded_and_its_figures_stand_beside(capsys, monkeypatch):
    from minigpt.evaluation import data_sets

    monkeypatch.setenv("no_proxy", "*")
    known = data_sets.DATA_SETS["lambada"]
    hashed = known._replace(sha256=hashlib.sha256(PASSAGES).hexdigest())
    monkeypatch.setitem(data_sets.DATA_SETS, "lambada", hashed)
    with running_server(Passages) as server:
        monkeypatch.setenv("MINIGPT_MIRROR", server.address)
        assert cli.main(["evaluate", "storyteller", "lambada"]) == 0
    assert {"perplexity", "accuracy (%)"} <= set(figures(capsys.readouterr().out))
    words = evaluate.line("lambada", Figure("accuracy (%)", 40.0), "gpt2")
    assert words.endswith("the paper: 45.99")
    both = evaluate.line("wikitext-2", Figure("perplexity per word", 30.0), "gpt2-xl")
    assert "the paper: 18.34" in both and "for wikitext-103: 17.48" in both
    assert "paper" not in evaluate.line("lambada", Figure("accuracy (%)", 40.0), None)


def test_summaries_of_a_model_that_never_learned_any_are_wrong(capsys):
    assert cli.main(["evaluate", "storyteller", "summary", "--limit", "3"]) == 0
    assert figures(capsys.readouterr().out)["exactly right (%)"] == 0


def test_what_cannot_be_done_is_said(capsys, tmp_path):
    told = refused(capsys, "evaluate", "storyteller", "chess")
    assert "there is no task 'chess'" in told and all(task in told for task in TASKS)
    assert "limit" in refused(capsys, "evaluate", "storyteller", "perplexity", "--limit", "0")
    assert "no model 'gpt5'" in refused(capsys, "evaluate", "gpt5", "perplexity")
    config = GPTConfig(vocab_size=300, block_size=8, n_layer=1, n_head=1, n_embd=8)
    save_pretrained(GPT(config), tmp_path)
    assert "no tokenizer.json" in refused(capsys, "evaluate", str(tmp_path), "perplexity")


@pytest.mark.thorough
def test_it_runs_as_a_process_of_its_own():
    done = minigpt("evaluate", "storyteller", "last-word", "--limit", "2")
    assert b"accuracy (%)" in done.stdout and b"stories" in done.stderr
