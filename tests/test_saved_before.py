"""What the version before saved goes on working: parts, progress, runs, caches, models."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from minigpt import GPT, GPTConfig, Tokenizer, from_pretrained, load_data, train
from minigpt.course import part
from minigpt.course.learner import old_names
from minigpt.course.learner.old_names import MOVED, OldModule, run_renewed
from minigpt.course.learner.progress import standings
from minigpt.data.cache import open_ids
from minigpt.training import TrainConfig

SAVED = Path(__file__).parent / "saved_before"
ROOT = SAVED.parents[1]
NAMES = [line.split(": ") for line in (SAVED / "names.txt").read_text("utf-8").splitlines()]
GONE = {  # taken apart when the modules moved; nobody's part could have used them
    "sampling.check_generate_arguments", "files.current_umask", "viz.explorer.joined",
    "course.checking.ALMOST", "course.checking.resembles", "heads.silencer",
}  # fmt: skip


@pytest.fixture
def learner(tmp_path, monkeypatch):
    """A copy of the learner's folder."""
    shutil.copytree(SAVED / "learner", tmp_path / "mygpt")
    monkeypatch.setenv("MINIGPT_MYGPT", str(tmp_path / "mygpt"))
    return tmp_path / "mygpt"


def test_every_part_is_still_the_learners(learner):
    before = {path.name: path.read_bytes() for path in learner.glob("*.py")}
    names = [name.removesuffix(".py") for name in before if name != "__init__.py"]
    assert len(names) == 5
    for name in names:
        assert part(name).__module__ == f"mygpt.{name}"
    assert {path.name: path.read_bytes() for path in learner.glob("*.py")} == before


OLD_PARTS = {
    "from": "from minigpt.memory import (\n    memory_needed as size,\n    memory_available,\n)\n",
    "from the package": "from minigpt import memory, weights as w, GPTConfig\n",
    "as": "import minigpt.heads as h\nimport minigpt.viz.tables as t\n",
    "dotted": "import minigpt\nimport minigpt.weights\n",
    "inside": "def late():\n    from minigpt.fast import batched_attention as b\n    return b\n",
}
USES = {
    "from": "size(__import__('minigpt').GPTConfig()) == 497759232 and memory_available() > 0",
    "from the package": "memory.memory_needed(GPTConfig()) and w.CONV1D and w.GPT2_ONLY",
    "as": "h.CLEAR == 0.4 and t.table([[1]], ['a'])",
    "dotted": "minigpt.weights.our_names({}) == {} and minigpt.GPTConfig().n_layer == 12",
    "inside": "late().__name__ == 'batched_attention'",
}


@pytest.mark.parametrize("how", OLD_PARTS)
def test_a_part_may_name_an_old_module_in_any_way(how):
    names = {}
    run_renewed(f"{OLD_PARTS[how]}# minigpt.memory\nseen = bool({USES[how]})\n", "part.py", names)
    assert names["seen"]


def test_what_is_no_old_name_is_left_alone():
    names = {}
    run_renewed(
        "import math\nfrom minigpt.sampling import top_k_filter as f\nfrom os import path, sep\n"
        "import minigpt.model as m\ntext = 'from minigpt.memory import x'\n",
        "part.py",
        names,
    )
    assert names["text"] == "from minigpt.memory import x" and names["math"].pi > 3
    assert names["f"].__name__ == "top_k_filter" and names["m"].GPT is GPT and names["sep"]


def test_an_error_points_into_the_file_as_it_is():
    with pytest.raises(ZeroDivisionError) as caught:
        run_renewed("from minigpt.memory import (\n    memory_needed,\n)\n\n1 / 0\n", "part.py", {})
    assert caught.traceback[-1].lineno + 1 == 5


def test_annotations_are_what_they_were():
    names = {}
    run_renewed("def f(x: int): pass\n", "part.py", names)
    assert names["f"].__annotations__ == {"x": int}


def test_an_editors_byte_order_mark_is_no_obstacle(learner):
    path = learner / "merge_heads.py"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert part("merge_heads").__module__ == "mygpt.merge_heads"


def test_a_name_that_is_gone_is_told():
    with pytest.raises(ImportError, match=r"minigpt\.memory had a nonesuch"):
        run_renewed("from minigpt.memory import nonesuch\n", "part.py", {})


@pytest.mark.parametrize(("module", "names"), NAMES, ids=[module for module, _ in NAMES])
def test_every_public_name_of_a_module_that_moved_is_found(module, names):
    lost = []
    for name in names.split():
        if f"{module}.{name}" not in GONE:
            try:
                getattr(OldModule(module), name)
            except ImportError:
                lost.append(name)
    assert not lost, f"{module}: {lost}"


def test_the_log_tells_the_same(learner):
    seen = {s.exercise.name: (s.state, s.tries, s.hints) for s in standings() if s.tries or s.hints}
    assert seen == {
        "causal_mask": ("passed", 1, 0),
        "attention_weights": ("tried", 1, 2),
        "split_heads": ("passed", 1, 0),
        "merge_heads": ("passed", 1, 0),
        "gelu": ("passed", 2, 0),
        "cross_entropy": ("passed", 1, 0),
    }


@pytest.fixture
def cache(tmp_path, monkeypatch):
    shutil.copytree(SAVED / "cache", tmp_path / "cache")
    monkeypatch.setenv("MINIGPT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_text_is_prepared_anew_to_the_same_tokens_and_the_old_ones_are_left_alone(cache):
    """They were named by the whole text, which now need not fit into memory."""
    before = {path: path.read_bytes() for path in cache.iterdir()}
    data = load_data(SAVED / "text.txt", vocab_size=270)
    assert data.tokenizer == Tokenizer.load(next(cache.glob("tokenizer-*")))
    old = sorted((open_ids(path) for path in before if path.suffix == ".npy"), key=len)
    assert [ids.tolist() for ids in old] == [data.val.tolist(), data.train.tolist()]
    assert before == {path: path.read_bytes() for path in before}


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_run_that_was_stopped_goes_on_to_the_weights_it_would_have_had(
    cache, tmp_path, optimizer
):
    data = load_data(SAVED / "text.txt", vocab_size=270)
    config = TrainConfig(
        max_steps=8, warmup_steps=2, batch_size=4, checkpoint_interval=4, eval_interval=4,
        eval_batches=1, precision="fp32", device="cpu", optimizer=optimizer, max_lr=0.01,
    )  # fmt: skip

    def fresh() -> GPT:
        torch.manual_seed(0)
        return GPT(GPTConfig(270, 16, 1, 2, 8))

    checkpoint = tmp_path / "run.safetensors"
    shutil.copy(SAVED / f"run_{optimizer}.safetensors", checkpoint)
    resumed, whole = fresh(), fresh()
    history = train(resumed, data, config, checkpoint=checkpoint, resume=True, progress=False)
    train(whole, data, config, progress=False)
    assert [record.step for record in history] == [*range(8)]
    for one, other in zip(resumed.parameters(), whole.parameters()):
        # Another processor rounds otherwise; one that forgot its optimizer is off by 0.02.
        torch.testing.assert_close(one, other, rtol=0, atol=1e-3)


def test_a_saved_tokenizer_and_a_saved_model_are_read():
    tokenizer = Tokenizer.load(SAVED / "tokenizer.json")
    model, read = from_pretrained(SAVED / "model", verbose=False)
    assert read == tokenizer and model.config == GPTConfig(270, 16, 1, 2, 8)


def test_no_old_path_stands_anywhere_but_in_the_table():
    """In what git tracks: code, pages, sources of notebooks, and the notebooks themselves."""
    rooms = {"course.checking", "data", "files", "interpret", "model", "pretrained", "sampling",
             "tokenizer", "training", "verification", "viz.figures", "viz.stream",
             "viz.windows"}  # fmt: skip
    gone = sorted(set(MOVED) - rooms)
    assert len(gone) > 20
    pattern = r"minigpt[./](" + "|".join(path.replace(".", "[./]") for path in gone) + r")\b"
    command = ["git", "grep", "-nE", pattern, "--", ":!tests/saved_before"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    ours = (Path(old_names.__file__).name, Path(__file__).name)
    lines = [line for line in found.stdout.splitlines() if not any(o in line for o in ours)]
    assert not lines, "\n".join(lines)


def test_the_table_names_only_what_was_there():
    assert set(MOVED) >= {module for module, _ in NAMES}
    assert json.dumps(MOVED)  # plain data, one place
