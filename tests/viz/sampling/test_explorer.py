"""The sampling explorer in Python: what it shows is the model's, what it draws is generate's."""

import base64

import numpy as np
import pytest
import torch

from minigpt.config import GPTConfig
from minigpt.model import GPT
from minigpt.pretrained import from_pretrained
from minigpt.sampling import generate, next_token_distribution
from minigpt.tokenizer import Tokenizer, encode_prompt
from minigpt.viz import SamplingExplorer
from minigpt.viz.sampling.continuations import kept_tokens
from minigpt.viz.sampling.token_tree import TokenTree

PROMPT = "<|endoftext|>Before breakfast was invented there was a tall"
STATE = ("prompt", "text", "note", "nodes", "current", "logits", "labels")
HOSTILE = "<script>alert(1)</script>\u202e\u2066 🙂\n\t\x00\r\n{{x}}" + "a" * 10_000


@pytest.fixture(scope="module")
def storyteller():
    return from_pretrained("storyteller")


@pytest.fixture
def explorer(storyteller):
    return SamplingExplorer(*storyteller, PROMPT, seed=5)


def ids_of(explorer):
    return explorer._texts.tree.tokens()


def seen(explorer):
    return {name: getattr(explorer, name) for name in STATE}


# --- What is shown ---


def test_the_logits_are_the_models_for_the_whole_vocabulary(storyteller, explorer):
    model, _ = storyteller
    logits = torch.from_numpy(np.frombuffer(explorer.logits, "<f4").copy())
    with torch.no_grad():
        expected = model(torch.tensor([ids_of(explorer)]))[0, -1]
    assert len(logits) == 1024
    torch.testing.assert_close(logits, expected)


def test_the_labels_are_those_of_the_likeliest_tokens_in_order(storyteller, explorer):
    model, tokenizer = storyteller
    with torch.no_grad():
        logits = model(torch.tensor([ids_of(explorer)]))[0, -1]
    best = logits.topk(5).indices.tolist()
    assert explorer.labels[:5] == [tokenizer.decode([i]).replace(" ", "·") for i in best]
    assert len(explorer.labels) == 100


def test_the_sentence_tells_kept_set_and_mass(storyteller):
    explorer = SamplingExplorer(*storyteller, PROMPT, temperature=1.5, top_k=30, top_p=0.8)
    logits = torch.from_numpy(np.frombuffer(explorer.logits, "<f4").copy())
    kept = next_token_distribution(logits, 1.5, 30, 0.8) > 0
    mass = next_token_distribution(logits, 1.5)[kept].sum()
    words = explorer.sentence()
    assert f"Kept are {int(kept.sum())} of 1,024 tokens with {float(mass):.1%}" in words
    assert "temperature 1.5, top-k 30, top-p 0.8" in words
    assert explorer.labels[0] in words


def test_tokens_too_rare_for_a_float_are_kept_all_the_same():
    logits = torch.tensor([0.0, -200.0])
    assert kept_tokens(logits, 1.0, None, None).tolist() == [True, True]
    assert kept_tokens(logits, 0, None, None).tolist() == [True, False]
    assert kept_tokens(logits, 1.0, 1, None).tolist() == [True, False]
    assert kept_tokens(logits, 1.0, None, 0.5).tolist() == [True, False]


def test_the_picture_is_a_png_and_follows_the_settings(explorer):
    first = explorer.picture()
    assert first.startswith(b"\x89PNG")
    explorer.top_k = 3
    assert explorer.picture() != first
    data, _ = explorer._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]) == explorer.picture()
    assert data["text/plain"] == explorer.sentence() == repr(explorer)


@pytest.mark.parametrize("settings", [{"temperature": 0.0}, {"top_k": 5000}, {"top_p": 1.0}])
def test_settings_at_their_limits_have_a_picture_and_words(explorer, settings):
    for name, value in settings.items():
        setattr(explorer, name, value)
    assert explorer.picture() and explorer.sentence()


def test_the_script_is_at_most_40_kilobytes():
    assert len(SamplingExplorer._esm.encode()) <= 40_000


# --- What is drawn ---

SETTINGS = [
    {},
    {"temperature": 1.4, "top_k": 20},
    {"temperature": 0.8, "top_p": 0.95},
    {"temperature": 2.0, "top_k": 200, "top_p": 0.9},
    {"temperature": 0.0},
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("seed", [0, 7])
def test_sampling_draws_the_tokens_of_generate(storyteller, settings, seed):
    model, _ = storyteller
    explorer = SamplingExplorer(*storyteller, PROMPT, seed=seed, **settings)
    prompt = torch.tensor([ids_of(explorer)])
    generator = torch.Generator().manual_seed(seed)
    expected = generate(model, prompt, 12, generator=generator, **settings)[0].tolist()

    explorer.answer_sample(5)
    for _ in range(3):  # step by step, too
        explorer.answer_sample(1)
    explorer.answer_sample(4)
    assert ids_of(explorer) == expected
    assert [node["how"] for node in explorer.nodes] == ["prompt"] + 12 * ["sampled"]


def test_the_same_seed_at_the_same_place_draws_what_is_there_already(explorer):
    explorer.answer_sample(6)
    end = explorer.current
    explorer.answer_go(2)
    explorer.answer_sample(4)
    assert explorer.current == end and len(explorer.nodes) == 7


def test_another_seed_makes_another_branch(storyteller):
    explorer = SamplingExplorer(*storyteller, PROMPT, temperature=2.0)
    for seed in range(5):
        explorer.seed = seed
        explorer.answer_go(0)
        explorer.answer_sample(4)
    beginnings = [node for node in explorer.nodes if node["parent"] == 0]
    assert len(beginnings) > 1


def test_sampling_stops_at_the_end_of_the_text(storyteller):
    explorer = SamplingExplorer(*storyteller, PROMPT, temperature=0.0)
    explorer.answer_sample(100)
    explorer.answer_sample(100)
    assert explorer.nodes[-1]["label"] == "<|endoftext|>"
    assert [node["label"] for node in explorer.nodes].count("<|endoftext|>") == 1
    assert len(explorer.nodes) < 200


def test_a_node_says_how_likely_the_model_alone_found_it(storyteller):
    model, _ = storyteller
    explorer = SamplingExplorer(*storyteller, PROMPT, temperature=3.0, top_k=2, seed=1)
    prompt = ids_of(explorer)
    explorer.answer_sample(3)
    with torch.no_grad():
        shares = model(torch.tensor([ids_of(explorer)]))[0].softmax(-1)
    for place, node in enumerate(explorer.nodes[1:]):
        token = ids_of(explorer)[len(prompt) + place]
        expected = float(shares[len(prompt) - 1 + place, token])
        assert node["share"] == pytest.approx(expected, rel=1e-4)


# --- Choosing, going back ---


def test_a_token_can_be_picked_behind_any_node(storyteller, explorer):
    _, tokenizer = storyteller
    explorer.answer_sample(3)
    dog = tokenizer.encode(" golden")[0]
    explorer.answer_pick(1, dog)
    assert explorer.nodes[-1] == {
        "parent": 1,
        "label": explorer._texts.labels([dog])[0],
        "share": explorer.nodes[-1]["share"],
        "how": "picked",
    }
    assert explorer.current == 4 and ids_of(explorer)[-1] == dog
    explorer.answer_pick(1, dog)  # once more is no new node
    assert len(explorer.nodes) == 5


def test_a_text_is_written_on_token_by_token(storyteller, explorer):
    _, tokenizer = storyteller
    before = ids_of(explorer)
    explorer.answer_write(" fox 🦊")
    assert ids_of(explorer) == before + tokenizer.encode(" fox 🦊")
    assert explorer.text == " fox 🦊"  # broken up into bytes, and put together again


def test_undo_takes_back_every_kind_of_change(storyteller, explorer):
    states = [seen(explorer)]
    for change in (
        lambda: explorer.answer_sample(3),
        lambda: explorer.answer_pick(1, 40),
        lambda: explorer.answer_go(2),
        lambda: explorer.answer_write(" red fox"),
        lambda: explorer.answer_prompt("Once"),
        lambda: explorer.answer_sample(2),
    ):
        change()
        assert seen(explorer) != states[-1]
        states.append(seen(explorer))
    assert explorer.undoes == "sample"
    for state in states[-2::-1]:
        explorer.answer_undo()
        assert seen(explorer) == state
    assert explorer.undoes == ""
    explorer.answer_undo()  # nothing left: nothing happens
    assert seen(explorer) == states[0]


def test_a_prompt_typed_letter_by_letter_is_one_change(explorer):
    explorer.answer_sample(3)
    before = seen(explorer)
    for end in range(1, 5):
        explorer.answer_prompt("Once"[:end])
    assert explorer.prompt == "Once" and len(explorer.nodes) == 1
    explorer.answer_undo()
    assert seen(explorer) == before


# --- What can go wrong ---


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"top_k": 0}, "top_k is 0"),
        ({"top_p": 1.5}, "top_p is 1.5"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_settings_out_of_range_are_refused_at_once_and_later(storyteller, setting, message):
    with pytest.raises(ValueError, match=message):
        SamplingExplorer(*storyteller, PROMPT, **setting)
    explorer = SamplingExplorer(*storyteller, PROMPT)
    ((name, value),) = setting.items()
    before = getattr(explorer, name)
    with pytest.raises(ValueError, match=message):
        setattr(explorer, name, value)
    assert getattr(explorer, name) == before


def test_an_error_changes_nothing(storyteller, explorer):
    with pytest.raises(ValueError, match="half a surrogate pair"):
        SamplingExplorer(*storyteller, "\ud800")
    explorer.answer_sample(2)
    before = seen(explorer)
    for wrong, message in [
        (lambda: explorer.answer_prompt("a\ud800"), "half a surrogate pair"),
        (lambda: explorer.answer_pick(0, 1024), "ids end at 1023"),
        (lambda: explorer.answer_pick(9, 1), "there is no node 9"),
        (lambda: explorer.answer_go(-1), "there is no node -1"),
        (lambda: explorer.answer_sample(101), "at most 100"),
    ]:
        with pytest.raises(ValueError, match=message):
            wrong()
        assert seen(explorer) == before


def test_a_text_too_long_to_write_on_is_refused_before_the_model_runs(explorer):
    with pytest.raises(ValueError, match="at most 100 at a time"):
        explorer.answer_write("red kite " * 200)
    assert len(explorer.nodes) == 1


def test_a_seed_that_no_script_can_hold_is_refused(explorer):
    explorer.seed = 2**53 - 1
    with pytest.raises(ValueError, match="seed is 9007199254740992"):
        explorer.seed = 2**53


def test_a_tree_has_an_end(explorer, monkeypatch):
    monkeypatch.setattr("minigpt.viz.sampling.continuations.MOST_NODES", 5)
    explorer.answer_sample(4)
    with pytest.raises(ValueError, match="the tree is full"):
        explorer.answer_sample(1)


def test_a_text_longer_than_the_context_goes_on_and_says_so(storyteller):
    model, tokenizer = storyteller
    explorer = SamplingExplorer(*storyteller, HOSTILE)
    ids = encode_prompt(HOSTILE, tokenizer)
    assert explorer.note == f"The model sees the last 128 of {len(ids)} tokens."
    explorer.answer_sample(2)
    with torch.no_grad():
        expected = model(torch.tensor([ids_of(explorer)[-128:]]))[0, -1]
    torch.testing.assert_close(
        torch.from_numpy(np.frombuffer(explorer.logits, "<f4").copy()), expected
    )
    assert explorer.prompt == HOSTILE and explorer.picture()


def test_the_model_is_left_as_it_was(storyteller):
    model, tokenizer = storyteller
    model.train()
    try:
        SamplingExplorer(model, tokenizer, PROMPT).answer_sample(2)
        assert model.training
    finally:
        model.eval()


def test_a_model_may_know_more_ids_than_the_tokenizer():
    tokenizer = Tokenizer.train("low lower lowest", vocab_size=260)
    torch.manual_seed(0)
    config = GPTConfig(
        vocab_size=tokenizer.vocab_size + 9, block_size=8, n_layer=1, n_head=1, n_embd=8
    )
    explorer = SamplingExplorer(GPT(config), tokenizer, "low")
    unknown = tokenizer.vocab_size + 3
    explorer.answer_pick(0, unknown)
    assert explorer.nodes[-1]["label"] == f"(no token {unknown})" and explorer.text == ""


def test_a_model_that_has_gone_wrong_is_named(storyteller):
    _, tokenizer = storyteller
    model = GPT(GPTConfig(vocab_size=1024, block_size=8, n_layer=1, n_head=1, n_embd=8))
    model.transformer.ln_f.weight.data.fill_(float("nan"))
    with pytest.raises(ValueError, match="not all finite"):
        SamplingExplorer(model, tokenizer, "low")


def test_a_model_that_goes_wrong_later_leaves_what_is_seen():
    tokenizer = Tokenizer.train("low lower lowest", vocab_size=260)
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=260, block_size=8, n_layer=1, n_head=1, n_embd=8))
    explorer = SamplingExplorer(model, tokenizer, "low")
    before = seen(explorer)
    model.transformer.ln_f.weight.data.fill_(float("nan"))
    for change in (
        lambda: explorer.answer_pick(0, 3),
        lambda: explorer.answer_write(" er"),
        lambda: explorer.answer_prompt("lower"),
    ):
        with pytest.raises(ValueError, match="not all finite"):
            change()
        assert seen(explorer) == before and ids_of(explorer) == encode_prompt("low", tokenizer)
    explorer.answer_undo()
    assert explorer.undoes == "" and seen(explorer) == before


# --- The tree ---


def test_a_tree_grows_branches_and_finds_its_way():
    root = TokenTree("x", (1, 2))
    tree = root.grown(5, 0.5, "sampled").grown(6, 0.5, "sampled").at(1).grown(7, 0.1, "picked")
    assert tree.tokens() == [1, 2, 5, 7]
    assert tree.at(2).tokens() == [1, 2, 5, 6]
    assert tree.at(0).tokens() == [1, 2]
    assert [node.parent for node in tree.nodes] == [-1, 0, 1, 1]
    assert root.nodes == root.nodes[:1]  # the first one has not changed
    with pytest.raises(ValueError, match="no node 4; this tree has 0 to 3"):
        tree.at(4)
