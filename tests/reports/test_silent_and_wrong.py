"""Troubles that people report of such tools, in which nothing is said and the result is wrong.

Each is tried as it was reported, and with at least one other of its kind.
"""

import json
import math

import pytest
import torch
import transformers
from tokenizers import ByteLevelBPETokenizer
from torch import nn

from minigpt import GPT, GPTConfig, Tokenizer, from_pretrained, generate, load_data, train
from minigpt.commands.generate import write_sample
from minigpt.pretrained import save_pretrained
from minigpt.sampling import next_token_distribution, stream
from minigpt.speed import quantize
from minigpt.tokenizer import END_OF_TEXT, encode_prompt
from minigpt.tokenizer.gpt2_files import read_gpt2_file
from minigpt.viz import AttentionExplorer, SamplingExplorer

SIZES = GPTConfig(vocab_size=300, block_size=16, n_layer=1, n_head=2, n_embd=16)


@pytest.fixture
def model() -> GPT:
    torch.manual_seed(0)
    return GPT(SIZES).eval()


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the fox saw the owl and the owl saw the fox. " * 40, encoding="utf-8")
    return path


def state(model: nn.Module) -> dict:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


# --- Weights that lose what they learn ---


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_weights_too_coarse_to_learn_are_refused_before_anything_changes(model, text, dtype):
    data = load_data(text, vocab_size=300)
    model.to(dtype)
    with pytest.raises(ValueError, match=r"too coarse.*dtype=torch.float32"):
        train(model, data, max_steps=2, warmup_steps=0, progress=False)
    assert all(weight.dtype == dtype and weight.grad is None for weight in model.parameters())


def test_weights_rounded_to_8_bits_are_refused(model, text):
    small = quantize(model)
    before = state(small)
    with pytest.raises(ValueError, match=r"torch.int8, which no gradient reaches.*torch.float32"):
        train(small, load_data(text, vocab_size=300), max_steps=2, warmup_steps=0, progress=False)
    assert all(torch.equal(before[name], tensor) for name, tensor in small.state_dict().items())


def test_a_weight_that_is_no_parameter_for_another_reason_is_refused(model, text):
    c_fc = model.transformer.h[0].mlp.c_fc
    weight = c_fc.weight.detach().clone()
    del c_fc.weight
    c_fc.register_buffer("weight", weight)
    with pytest.raises(ValueError, match=r"mlp.c_fc holds its weight as torch.float32"):
        train(model, load_data(text, vocab_size=300), max_steps=2, warmup_steps=0, progress=False)


def test_nothing_to_train_is_said(model, text):
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="nothing to train"):
        train(model, load_data(text, vocab_size=300), max_steps=2, warmup_steps=0, progress=False)


def test_a_frozen_part_may_be_coarse(model, text):
    """As when a few weights are tuned beside a large model."""
    block = model.transformer.h[0].mlp
    block.to(torch.bfloat16).requires_grad_(False)
    block.register_forward_pre_hook(lambda module, given: (given[0].bfloat16(),))
    block.register_forward_hook(lambda module, given, out: out.float())
    history = train(
        model, load_data(text, vocab_size=300), max_steps=2, warmup_steps=0, progress=False
    )
    assert len(history) == 2


# --- A head that is no longer tied ---


def untied(model: GPT) -> GPT:
    torch.manual_seed(1)
    weights = state(model) | {"lm_head.weight": torch.randn(300, 16)}
    model.load_state_dict(weights, assign=True)
    return model


def test_a_head_that_was_loaded_apart_is_not_dropped_in_silence(model, tmp_path):
    with pytest.raises(ValueError, match=r"no longer transformer.wte.weight.*Tie them again"):
        save_pretrained(untied(model), tmp_path / "model")
    assert not (tmp_path / "model" / "model.safetensors").exists()


def test_a_copy_of_the_table_as_head_is_told_before_it_drifts_away(model, text):
    model.lm_head.weight = nn.Parameter(model.transformer.wte.weight.detach().clone())
    with pytest.raises(ValueError, match="Tie them again"):
        train(model, load_data(text, vocab_size=300), max_steps=2, warmup_steps=0, progress=False)


def test_rounding_to_8_bits_takes_no_other_head_for_the_table(model):
    with pytest.raises(ValueError, match="Tie them again"):
        quantize(untied(model))


def test_tying_them_again_mends_it(model, tmp_path):
    untied(model)
    model.lm_head.weight = model.transformer.wte.weight
    save_pretrained(model, tmp_path)
    loaded, _ = from_pretrained(tmp_path, verbose=False)
    assert torch.equal(loaded.lm_head.weight, model.lm_head.weight)


# --- A tokenizer that is not the model's ---


def hub_file(folder, **settings) -> ByteLevelBPETokenizer:
    """Write the tokenizer.json that another library makes of GPT-2's two files."""
    (folder / "vocab.json").write_bytes(read_gpt2_file("encoder.json"))
    (folder / "merges.txt").write_bytes(read_gpt2_file("vocab.bpe"))
    names = [str(folder / name) for name in ("vocab.json", "merges.txt")]
    tokenizer = ByteLevelBPETokenizer(*names, **settings)
    for name in ("vocab.json", "merges.txt"):
        (folder / name).unlink()
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def write_model(folder, vocab_size=50257) -> None:
    folder.mkdir(exist_ok=True)
    save_pretrained(GPT(GPTConfig(vocab_size, 8, 1, 1, 8)), folder)


def test_the_hubs_own_tokenizer_file_is_read(tmp_path):
    write_model(tmp_path)
    hub_file(tmp_path)
    assert from_pretrained(tmp_path, verbose=False)[1] == Tokenizer.gpt2()


def test_the_hubs_two_older_files_are_read(tmp_path):
    write_model(tmp_path)
    hub_file(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "vocab.json").write_bytes(b"\xef\xbb\xbf" + read_gpt2_file("encoder.json"))
    (tmp_path / "merges.txt").write_bytes(read_gpt2_file("vocab.bpe"))
    assert from_pretrained(tmp_path, verbose=False)[1] == Tokenizer.gpt2()


def test_as_many_tokens_of_another_language_are_not_taken_for_gpt2s(tmp_path):
    write_model(tmp_path)
    hub_file(tmp_path)
    file = tmp_path / "tokenizer.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    merges, vocab = content["model"]["merges"], content["model"]["vocab"]
    first, second = "".join(merges[2]), "".join(merges[3])
    merges[2], merges[3] = merges[3], merges[2]
    vocab[first], vocab[second] = vocab[second], vocab[first]
    file.write_text(json.dumps(content), encoding="utf-8")
    tokenizer = from_pretrained(tmp_path, verbose=False)[1]
    assert tokenizer.vocab_size == 50257 and tokenizer != Tokenizer.gpt2()
    assert tokenizer.encode(" the")[0] == vocab["Ġthe"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pre_tokenizer": {"type": "Metaspace"}}, "cuts texts in another way"),
        ({"normalizer": {"type": "Lowercase"}}, "cuts texts in another way"),
        ({"model": {"type": "WordPiece", "vocab": {}}}, "WordPiece"),
        ({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}, "'!' is number None"),
    ],
)
def test_a_tokenizer_of_another_kind_is_told_and_none_is_given(tmp_path, change, words):
    write_model(tmp_path)
    hub_file(tmp_path)
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | change), encoding="utf-8")
    with pytest.warns(UserWarning, match=f"does not read.*{words}"):
        assert from_pretrained(tmp_path, verbose=False)[1] is None


def test_a_small_vocabulary_of_another_library_is_read(tmp_path):
    write_model(tmp_path, 300)
    theirs = ByteLevelBPETokenizer()
    theirs.train_from_iterator(["low lower lowest " * 50], vocab_size=270, min_frequency=1)
    theirs.add_special_tokens([END_OF_TEXT])
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = from_pretrained(tmp_path, verbose=False)[1]
    for sentence in ("lowest slow", "été\n 12"):
        assert ours.encode(sentence) == theirs.encode(sentence).ids
    assert ours.end_of_text == theirs.token_to_id(END_OF_TEXT)


# --- Ids that no token has ---


@pytest.mark.parametrize("vocab_size", [50258, 50304])
def test_a_row_without_a_token_is_never_drawn(tmp_path, vocab_size, capsys):
    write_model(tmp_path, vocab_size)
    model, tokenizer = from_pretrained(tmp_path)
    assert "the others are never drawn" in capsys.readouterr().out
    assert tokenizer == Tokenizer.gpt2()
    with torch.no_grad():  # all that the model wants to say has no token
        model.transformer.ln_f.weight.zero_()
        model.transformer.ln_f.bias.fill_(1.0)
        model.lm_head.weight[50257:] = 9.0
    prompt = torch.tensor([[1, 2]])
    for settings in ({"temperature": 0}, {"temperature": 3.0}, {"top_k": 5}, {"use_cache": False}):
        ids = generate(model, prompt, 20, **settings)
        assert ids.max() < 50257
        tokenizer.decode(ids[0])


def test_an_own_tokenizer_smaller_than_the_table_decides_as_well(tmp_path):
    tokenizer = Tokenizer.train("the fox and the other fox, " * 20, 280)
    model = GPT(SIZES)
    with torch.no_grad():
        model.transformer.ln_f.bias.fill_(1.0)
        model.lm_head.weight[280:] = 9.0
    save_pretrained(model, tmp_path, tokenizer)
    loaded, _ = from_pretrained(tmp_path, verbose=False)
    assert generate(loaded, torch.tensor([[1]]), 15, temperature=0).max() < 280


# --- A model that diverged, a temperature near 0 ---


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("temperature", [0, 1.0])
def test_a_model_that_diverged_is_told_and_writes_nothing(model, bad, temperature):
    with torch.no_grad():
        model.transformer.h[0].mlp.c_proj.weight[0, 0] = bad
    with pytest.raises(ValueError, match=r"not all numbers.*diverged"):
        generate(model, torch.tensor([[1, 2]]), 5, temperature=temperature)


@pytest.mark.parametrize("temperature", [1e-45, 1e-38, 1e-4])
def test_a_temperature_near_0_is_nearly_greedy(model, temperature):
    prompt = torch.tensor([[1, 2], [3, 4]])
    greedy = generate(model, prompt, 8, temperature=0)
    assert torch.equal(generate(model, prompt, 8, temperature=temperature), greedy)


def test_logits_that_are_large_and_alike_still_differ():
    chances = next_token_distribution(torch.tensor([1e30, 1e30, -1e30]), temperature=1e-30)
    assert chances.tolist() == [0.5, 0.5, 0.0]


# --- Prompts of different length ---


def test_each_of_several_prompts_goes_on_as_if_it_were_alone(model):
    prompts = [torch.tensor([5, 1, 4]), [7], torch.arange(20)]
    together = generate(model, prompts, 6, temperature=0)
    for prompt, row in zip(prompts, together):
        alone = generate(model, torch.as_tensor(prompt)[None], 6, temperature=0)
        assert torch.equal(row, alone[0])


def test_an_empty_prompt_among_several_is_refused(model):
    with pytest.raises(ValueError, match="idx"):
        generate(model, [[1, 2], []], 3)


def test_a_stream_takes_one_shape_only(model):
    with pytest.raises(ValueError, match="not list"):
        next(stream(model, [[1, 2], [3]], 3))


# --- Dropout that was switched off ---


def test_a_look_at_a_model_gives_every_part_its_own_mode_back(model):
    from minigpt.interpret import attention_patterns

    model.train()
    model.transformer.h[0].mlp.dropout.eval()  # as one does to freeze a part
    attention_patterns(model, torch.tensor([[1, 2]]))
    assert model.training and not model.transformer.h[0].mlp.dropout.training


# --- The mark typed in a prompt ---


def test_a_prompt_begins_with_the_mark_where_models_have_seen_it_and_typed_marks_are_tokens():
    small, gpt2 = Tokenizer.train("low lower lowest", 260), Tokenizer.gpt2()
    end = small.end_of_text
    assert encode_prompt("", small) == [end]
    assert encode_prompt("low", small) == [end, *small.encode("low")]
    assert encode_prompt(f"{END_OF_TEXT}low", small) == encode_prompt("low", small)
    assert encode_prompt(f"low{END_OF_TEXT}", small) == [end, *small.encode("low"), end]
    assert encode_prompt("", gpt2) == [50256]
    assert encode_prompt("Hello, world", gpt2) == [15496, 11, 995]
    assert encode_prompt(f"{END_OF_TEXT}Hello", gpt2) == [50256, 15496]
    bare = Tokenizer([], special_tokens=())
    assert encode_prompt("low", bare) == bare.encode("low")
    with pytest.raises(ValueError, match="the text is empty"):
        encode_prompt("", bare)


# --- What is no model of ours ---


@pytest.mark.parametrize("what", ["transformers", "linear", "none", "pair"])
@pytest.mark.parametrize("rows", [torch.tensor([[1]]), [torch.tensor([1])]])
def test_another_librarys_model_is_told_the_way_here(model, what, rows):
    sizes = transformers.GPT2Config(n_layer=1, n_head=1, n_embd=8, vocab_size=20)
    other = {
        "transformers": lambda: transformers.GPT2LMHeadModel(sizes),
        "linear": lambda: nn.Linear(2, 2),
        "none": lambda: None,
        "pair": lambda: (model, None),  # what from_pretrained returns, taken for the model
    }[what]()
    with pytest.raises(ValueError, match=r"model is a .*from_pretrained"):
        generate(other, rows, 3)


@pytest.mark.parametrize("prompt", ["Once upon", f"{END_OF_TEXT}Once upon", ""])
def test_explorers_read_a_prompt_as_generate_does(prompt, capsys):
    model, tokenizer = from_pretrained("storyteller", verbose=False)
    ids = encode_prompt(prompt, tokenizer)
    assert AttentionExplorer(model, tokenizer, prompt)._reading.ids == ids
    assert SamplingExplorer(model, tokenizer, prompt)._texts.tree.prompt == ids
    write_sample(model, tokenizer, prompt, 8, temperature=0)
    told = generate(model, torch.tensor([ids]), 8, temperature=0)[0, len(ids) :]
    assert capsys.readouterr().out == prompt + tokenizer.decode(told) + "\n"
