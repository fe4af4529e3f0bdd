"""One run is given what another had, and only where it is told to."""

import contextlib
import copy

import pytest
import torch

from minigpt.config import GPTConfig
from minigpt.interpret import activations, patch_effects, patched, residual_stream
from minigpt.interpret import patching as module

CONFIG = GPTConfig(vocab_size=50, block_size=16, n_layer=3, n_head=4, n_embd=32, dropout=0.5)
SUBLAYERS = [(part, layer) for part in ("attn", "mlp") for layer in range(3)]
PLACES = [("stream", layer) for layer in range(4)] + SUBLAYERS


@pytest.fixture
def texts(idx):
    """Two texts of 11 tokens that differ in tokens 4 and 6 alone."""
    clean, corrupt = idx[:1], idx[:1].clone()
    corrupt[0, [4, 6]] = (clean[0, [4, 6]] + 7) % CONFIG.vocab_size
    return clean, corrupt


def hooks_of(model):
    return [
        hook
        for part in model.modules()
        for hook in (*part._forward_hooks.values(), *part._forward_pre_hooks.values())
    ]


@torch.no_grad()
def by_hand(model, ids, put):
    """The slow obvious version: the blocks written out; put(part, layer, x) may change a value."""
    T = len(ids)
    x = model.transformer.wte.weight[ids] + model.transformer.wpe.weight[:T]
    x = put("stream", 0, x[None].clone())
    for layer, block in enumerate(model.transformer.h):
        x = x + put("attn", layer, block.attn(block.ln_1(x)))
        x = x + put("mlp", layer, block.mlp(block.ln_2(x)))
        x = put("stream", layer + 1, x)
    return model.lm_head(model.transformer.ln_f(x))[0]


def run_by_hand(model, ids):
    """All that is put anywhere, by part and layer, and the logits (T, V)."""
    kept = {}

    def keep(part, layer, x):
        kept[part, layer] = x
        return x

    return kept, by_hand(model, ids, keep)


def patched_by_hand(model, ids, values, place, positions):
    def put(part, layer, x):
        if (part, layer) == place:
            for t in positions:
                x[0, t] = values[place][0, t]
        return x

    return by_hand(model, ids, put)


# --- What a run had ---


def test_activations_are_those_of_the_blocks_run_by_hand(model, idx):
    found = activations(model.eval(), idx)
    for row, ids in enumerate(idx):
        kept, _ = run_by_hand(model, ids)
        for part, layer in PLACES:
            value = getattr(found, part)[layer, row]
            torch.testing.assert_close(value, kept[part, layer][0], atol=1e-4, rtol=1e-5)


def test_the_stream_is_the_start_and_all_that_is_added(model, idx):
    stream, attn, mlp = activations(model, idx)
    torch.testing.assert_close(stream[1:], stream[0] + (attn + mlp).cumsum(dim=0))
    assert torch.equal(stream, residual_stream(model, idx))
    assert not stream.requires_grad


# --- One run with what another had ---


@torch.no_grad()
@pytest.mark.parametrize("layer", range(4))
def test_patching_all_of_the_stream_gives_the_other_run(model, texts, layer):
    clean, corrupt = texts
    other = activations(model.eval(), clean)
    with patched(model, other, layer):
        assert torch.equal(model(corrupt), model(clean))
    assert not torch.allclose(model(corrupt), model(clean), atol=0.01)


@torch.no_grad()
@pytest.mark.parametrize(("part", "layer"), PLACES)
def test_patching_nothing_gives_this_run(model, texts, part, layer):
    clean, corrupt = texts
    plain = model.eval()(corrupt)
    with patched(model, activations(model, clean), layer, [], part):
        assert torch.equal(model(corrupt), plain)
    with patched(model, activations(model, corrupt), layer, None, part):
        assert torch.equal(model(corrupt), plain)


@torch.no_grad()
def test_patching_the_start_and_every_sublayer_gives_the_other_run(model, texts):
    clean, corrupt = texts
    other = activations(model.eval(), clean)
    with contextlib.ExitStack() as all_of_it:
        for part, layer in [("stream", 0), *SUBLAYERS]:
            all_of_it.enter_context(patched(model, other, layer, None, part))
        assert torch.equal(model(corrupt), model(clean))


@torch.no_grad()
@pytest.mark.parametrize("positions", [4, -1, [4, 6, 9], None])
@pytest.mark.parametrize(("part", "layer"), PLACES)
def test_a_patch_equals_the_blocks_run_by_hand(model, texts, part, layer, positions):
    clean, corrupt = texts
    kept, _ = run_by_hand(model.eval(), clean[0])
    places = range(11) if positions is None else [positions] if positions in (4, -1) else positions
    expected = patched_by_hand(model, corrupt[0], kept, (part, layer), places)
    with patched(model, activations(model, clean), layer, positions, part):
        torch.testing.assert_close(model(corrupt)[0], expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_mask_patches_each_run_of_a_batch_at_its_own_positions(model, texts):
    clean, corrupt = texts
    other = activations(model.eval(), clean)
    mask = torch.zeros(2, 11, dtype=torch.bool)
    mask[0, 4] = mask[1, 6] = True
    with patched(model, other.stream[1], 1, mask):  # a tensor, too
        both = model(corrupt.expand(2, -1))
    for row, position in enumerate((4, 6)):
        with patched(model, other, 1, position):
            torch.testing.assert_close(both[row], model(corrupt)[0], atol=1e-5, rtol=0)


# --- The map ---


def rival(logits):
    return logits[:, 3] - logits[:, 8]


@pytest.mark.parametrize("part", module.PARTS)
def test_effects_equal_a_loop_over_the_blocks_run_by_hand(model, texts, part, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 3 * 11)  # several batches a layer
    clean, corrupt = texts
    effects = patch_effects(model.train(), clean, corrupt, rival, part)
    kept, _ = run_by_hand(model.eval(), clean[0])
    layers = 4 if part == "stream" else 3
    assert effects.shape == (layers, 11)
    for layer in range(layers):
        for t in range(11):
            logits = patched_by_hand(model, corrupt[0], kept, (part, layer), [t])
            expected = float(rival(logits[-1:]))
            assert float(effects[layer, t]) == pytest.approx(expected, abs=2e-5), (layer, t)


def test_the_last_position_after_the_last_block_is_the_whole_answer(model, texts):
    clean, corrupt = texts
    effects = patch_effects(model, clean, corrupt, rival)
    model.eval()
    here, there = (float(rival(model(ids).detach()[:, -1])) for ids in (corrupt, clean))
    assert abs(here - there) > 0.1
    assert float(effects[-1, -1]) == pytest.approx(there, abs=1e-5)
    before = effects[:, :4].flatten().tolist()  # nothing differs yet
    assert before == pytest.approx([here] * 16, abs=1e-5)


def test_a_measure_may_keep_all_logits(model, texts):
    clean, corrupt = texts
    kept = patch_effects(model, clean, corrupt, lambda logits: logits, "mlp")
    assert kept.shape == (3, 11, 50)
    effects = patch_effects(model, clean, corrupt, rival, "mlp")
    torch.testing.assert_close(kept[..., 3] - kept[..., 8], effects)


def test_two_equal_texts_have_no_effects(model, texts):
    clean, _ = texts
    effects = patch_effects(model, clean, clean, rival)
    assert torch.equal(effects, effects[0, 0].expand(4, 11))


# --- The model stays, mistakes are named ---


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was_also_after_an_exception(model, texts, training):
    clean, corrupt = texts
    model.train(training)
    weights = copy.deepcopy(model.state_dict())
    other = activations(model, clean)
    patch_effects(model, clean, corrupt, rival)
    for part, layer in PLACES:
        with pytest.raises(RuntimeError, match="here"), patched(model, other, layer, 1, part):
            assert len(hooks_of(model)) == 1
            raise RuntimeError("here")

    def fail(_):
        raise RuntimeError("in the measure")

    with pytest.raises(RuntimeError, match="in the measure"):
        patch_effects(model, clean, corrupt, fail)
    with pytest.raises(ValueError, match="17 positions"):
        activations(model, torch.zeros(1, 17, dtype=torch.int64))
    assert not hooks_of(model)
    assert all(part.training is training for part in model.modules())
    assert all(torch.equal(weights[name], w) for name, w in model.state_dict().items())


def test_texts_of_unequal_length_are_refused(model, texts):
    clean, corrupt = texts
    with pytest.raises(ValueError, match="clean has 11 tokens and corrupt 10; .* equally long"):
        patch_effects(model, clean, corrupt[:, 1:], rival)
    other = activations(model, clean)
    for part in module.PARTS:
        refused = pytest.raises(ValueError, match="run has 10 positions .* put in 11")
        with refused, patched(model, other, 0, 2, part):
            model(corrupt[:, 1:])
    assert not hooks_of(model)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"part": "heads"}, "part is 'heads'; it can be 'stream', 'attn' or 'mlp'"),
        ({"layer": 4}, "layer is 4; of the stream after 3 blocks layers there are 0 to 3"),
        ({"layer": 3, "part": "mlp"}, "layer is 3; of mlp of 3 layers there are 0 to 2"),
        ({"positions": 11}, "position is 11; the run has positions 0 to 10"),
        ({"positions": torch.ones(4, dtype=torch.bool)}, "a mask over 4; the run has 11"),
    ],
)
def test_a_place_that_is_not_there_is_refused(model, texts, change, words):
    other = activations(model, texts[0])
    with pytest.raises(ValueError, match=words), patched(model, other, **{"layer": 0, **change}):
        pass
    assert not hooks_of(model)


def test_texts_and_measures_of_another_shape_are_refused(model, texts):
    clean, corrupt = texts
    with pytest.raises(ValueError, match=r"corrupt is \(11,\); give one text of ids, \(1, T\)"):
        patch_effects(model, clean, corrupt[0], rival)
    with pytest.raises(ValueError, match=r"measure gave \(\) for logits \(1, 50\)"):
        patch_effects(model, clean, corrupt, lambda logits: logits[0, 3])
    with pytest.raises(ValueError, match="measure gave float"):
        patch_effects(model, clean, corrupt, lambda logits: float(logits[0, 3]))
