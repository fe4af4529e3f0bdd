"""Who sees what, what a batch costs, and that every design gives the surprise it says it gives."""

import math
from dataclasses import replace
from itertools import islice

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from minigpt.config import GPTConfig
from minigpt.data import NO_TARGET
from minigpt.evaluation.designs import (
    LSTM,
    Bigram,
    Decoder,
    EncoderDecoder,
    Masked,
    nats_from,
    tokens_back,
    train_at,
    training_flops,
    use_tables,
)
from minigpt.model import GPT
from minigpt.stories import Stories

CONFIG = GPTConfig(vocab_size=20, block_size=12, n_layer=2, n_head=2, n_embd=16)
CUT = 19  # stands once in every row below
CAUSAL = {
    "bigram": lambda: Bigram(torch.arange(1000) * 7 % 19, 20),
    "LSTM": lambda: LSTM(CONFIG),
    "decoder": lambda: Decoder(CONFIG),
}
ALL = {
    **CAUSAL,
    "masked": lambda: Masked(CONFIG),
    "encoder-decoder": lambda: EncoderDecoder(CONFIG, CUT),
}


@pytest.fixture
def batch():
    ids = torch.randint(18, (3, 13), generator=torch.Generator().manual_seed(1))
    ids[0, 4] = ids[1, 6] = ids[2, 5] = CUT
    x, y = ids[:, :-1].clone(), ids[:, 1:].clone()
    x[1, 10:], y[1, 9:] = 0, NO_TARGET  # the second text is over early
    return x, y


def made(name):
    torch.manual_seed(0)
    design = ALL[name]().eval()
    for weight in design.parameters():
        nn.init.normal_(weight, std=0.3)  # so that every input matters
    return design


@pytest.mark.parametrize("name", list(CAUSAL))
def test_a_later_token_changes_no_earlier_output(name, batch):
    x, _ = batch
    design, changed = made(name), x.clone()
    changed[:, 7] = (changed[:, 7] + 1) % 18
    before, after = design(x), design(changed)
    assert torch.equal(before[:, :7], after[:, :7])
    assert not torch.allclose(before[:, 7], after[:, 7])


def test_the_masked_model_sees_the_right_and_the_left(batch):
    x, _ = batch
    design, changed = made("masked"), x.clone()
    changed[:, 7] = (changed[:, 7] + 1) % 18
    differs = (design(x) - design(changed)).abs().amax(dim=-1) > 1e-4
    assert differs.all()


def test_the_encoder_sees_all_of_the_first_part_and_the_decoder_nothing_to_come(batch):
    x, y = batch
    design = made("encoder-decoder")
    before = design.nats(x, y)
    assert before[0].isnan().tolist() == [True] * 4 + [False] * 8
    first, later = x.clone(), x.clone()
    first[0, 1] = (first[0, 1] + 1) % 18
    assert ((design.nats(first, y) - before)[0, 4:].abs() > 1e-5).all()
    later[0, 9] = (later[0, 9] + 1) % 18
    difference = (design.nats(later, y) - before)[0]
    assert torch.allclose(difference[4:9], torch.zeros(5), atol=1e-5)
    assert (difference[9:].abs() > 1e-5).all()


def test_the_encoder_decoder_reads_each_row_as_if_it_were_alone(batch):
    x, y = batch
    design = made("encoder-decoder")
    together = design.nats(x, y)
    for b in range(3):
        alone = design.nats(x[b : b + 1], y[b : b + 1])
        assert torch.allclose(together[b : b + 1], alone, atol=1e-5, equal_nan=True)


def test_the_encoders_own_words_come_both_ways():
    """Inside the first part an early token sees a late one; a decoder's never does."""
    source = torch.tensor([[1, 2, 3, 4]])
    design, target = made("encoder-decoder"), torch.tensor([[CUT, 5]])
    changed = torch.tensor([[1, 2, 3, 9]])
    encoded = [design.layers.encoder(design.embed(s)) for s in (source, changed)]
    assert ((encoded[0] - encoded[1]).abs().amax(dim=-1) > 1e-5).all()
    assert not torch.allclose(design(source, target), design(changed, target))


def test_the_lstm_step_by_step_is_the_lstm_at_once(batch):
    x, _ = batch
    design, state, steps = made("LSTM"), None, []
    for t in range(x.size(1)):
        logits, state = design.step(x[:, t : t + 1], state)
        steps.append(logits)
    assert torch.allclose(torch.cat(steps, dim=1), design(x), atol=1e-5)


def test_the_bigram_counts_pairs():
    stream = [3, 1, 3, 1, 3, 0]
    p = Bigram(stream, vocab_size=4)(torch.tensor([[3, 1, 2]])).exp()[0]
    assert p[0].tolist() == pytest.approx([1.01 / 3.04, 2.01 / 3.04, 0.01 / 3.04, 0.01 / 3.04])
    assert p[1, 3] == pytest.approx(2.01 / 2.04)
    assert p[2].tolist() == pytest.approx([0.25] * 4)  # never seen


@pytest.mark.parametrize("name", list(CAUSAL))
def test_nats_are_minus_the_logarithm_of_the_targets_probability(name, batch):
    x, y = batch
    design = made(name)
    nats, p = design.nats(x, y), design(x).softmax(dim=-1)
    for b in range(3):
        for t in range(12):
            if y[b, t] < 0:
                assert nats[b, t].isnan()
            else:
                assert nats[b, t].item() == pytest.approx(-p[b, t, y[b, t]].log().item(), abs=1e-4)
    assert design.loss(x, y).item() == pytest.approx(nats.nanmean().item(), abs=1e-5)


def test_a_masked_models_nats_hide_one_token_at_a_time(batch):
    x, y = batch
    design = made("masked")
    nats = design.nats(x, y)
    for b, t in [(0, 0), (0, 11), (1, 3), (2, 7)]:
        holed = torch.where(y[b] >= 0, y[b], x[b, 0])[None].clone()
        holed[0, t] = design.hole
        expected = -design(holed)[0, t].log_softmax(dim=-1)[y[b, t]]
        assert nats[b, t].item() == pytest.approx(expected.item(), abs=1e-4)
    where = torch.zeros(y.shape, dtype=torch.bool)
    where[2, 7] = True
    only = design.nats(x, y, where)
    assert only[2, 7].item() == pytest.approx(nats[2, 7].item(), abs=1e-5)
    assert (~only.isnan()).sum() == 1


def test_a_masked_models_training_asks_for_what_is_hidden_alone(batch):
    """Of the tokens that stay, none has a part in the loss: its target may be anything."""
    x, y = batch
    x, y = x.repeat(20, 1), y.repeat(20, 1)
    design = made("masked")
    seen = []
    design.encoder.register_forward_pre_hook(lambda module, args: seen.append(args[0].detach()))
    loss = design.loss(x, y, torch.Generator().manual_seed(3))
    hole = design.embed.wte.weight[design.hole] + design.embed.wpe.weight
    hidden = (seen[0] - hole).abs().amax(dim=-1) < 1e-6  # (B, T): where the hole went in
    assert 0.08 < hidden[y >= 0].float().mean() < 0.22 and not hidden[y < 0].any()
    logits = design(torch.where(y >= 0, y, x[:, :1]).masked_fill(hidden, design.hole))
    expected = nn.functional.cross_entropy(logits[hidden], y[hidden])
    assert loss.item() == pytest.approx(expected.item(), abs=1e-4)


class CellByCell(nn.Module):
    """An LSTM of nn.LSTMCell, whose matrix products PyTorch's counter sees."""

    def __init__(self, design):
        super().__init__()
        C = design.config.n_embd
        self.design = design
        self.ln_f = design.ln_f
        self.cells = nn.ModuleList(nn.LSTMCell(C, C) for _ in range(design.config.n_layer))

    def loss(self, x, y):
        h, out = self.design.wte(x), []
        for cell in self.cells:
            state, out = None, []
            for t in range(h.size(1)):
                state = cell(h[:, t], state)
                out.append(state[0])
            h = torch.stack(out, dim=1)
        logits = (self.ln_f(h).flatten(0, 1) @ self.design.wte.weight.T).view(*y.shape, -1)
        return nn.functional.cross_entropy(logits.transpose(1, 2), y)


def counted(loss_of):
    """FLOPs of a forward and backward pass, as PyTorch's own counter sees them."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        loss_of().backward()
    return counter.get_total_flops()


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("name", ["LSTM", "decoder", "masked", "encoder-decoder"])
def test_the_cost_of_a_batch_is_what_pytorch_counts(name, frozen):
    x = torch.randint(18, (2, 12), generator=torch.Generator().manual_seed(1))
    y = torch.roll(x, -1, 1)
    x[:, 3] = CUT
    design = made(name)
    if frozen:
        use_tables(design, GPT(CONFIG))
    asked = CellByCell(design) if name == "LSTM" else design
    expected = counted(lambda: asked.loss(x, y))
    if (
        frozen and name == "LSTM"
    ):  # nobody asks for its input's gradient; it is counted all the same
        expected += 2 * x.numel() * 4 * 16 * 16
    # The first state of an LSTM is empty; a masked model's head gives one id less than its table.
    assert training_flops(design, x) == pytest.approx(
        expected, rel=0.001 if "decoder" in name else 0.06
    )


class Rows:
    """Texts to train on: the same short one again and again."""

    def batch(self, split, block_size, batch_size, generator):
        ids = torch.arange(13).repeat(batch_size, 1)
        ids[:, 4] = CUT
        return ids[:, :-1].clone(), ids[:, 1:].clone()


@pytest.mark.parametrize("name", ["LSTM", "decoder", "masked", "encoder-decoder"])
def test_every_design_learns_and_spends_what_it_was_given(name):
    torch.manual_seed(0)
    design, data = ALL[name](), Rows()
    cost = training_flops(design, data.batch("train", 12, 4, None)[0])
    losses = train_at(design, data, 120.4 * cost, batch_size=4, max_lr=3e-2)
    assert len(losses) == 120
    assert losses[0] == pytest.approx(math.log(20), abs=0.8) and losses[-1] < 0.5


@pytest.mark.parametrize("name", ["LSTM", "decoder", "masked", "encoder-decoder"])
def test_a_given_table_stays_as_it_is_and_all_else_learns(name):
    torch.manual_seed(0)
    design, teacher = ALL[name](), GPT(CONFIG)
    use_tables(design, teacher)
    before = {n: w.clone() for n, w in design.named_parameters()}
    train_at(design, Rows(), 3 * training_flops(design, Rows().batch("train", 12, 8, None)[0]))
    kept = [n for n, w in design.named_parameters() if torch.equal(w, before[n])]
    assert len(kept) == 1 and torch.equal(before[kept[0]][:20], teacher.lm_head.weight)
    with pytest.raises(ValueError, match=r"wte.weight is \(20, 32\)"):
        use_tables(design, GPT(replace(CONFIG, n_embd=32)))


def test_too_few_flops_and_a_row_without_its_cut_are_refused():
    with pytest.raises(ValueError, match="one step costs"):
        train_at(Decoder(CONFIG), Rows(), 10.0)
    with pytest.raises(ValueError, match="row 1 has no token 19"):
        made("encoder-decoder").nats(torch.tensor([[1, CUT], [1, 2]]), torch.tensor([[2, 3]] * 2))


def test_how_far_back_a_word_stood_is_what_a_search_finds(batch):
    x, y = batch
    back = tokens_back(x, y)
    for b in range(3):
        for t in range(12):
            places = [s for s in range(t + 1) if x[b, s] == y[b, t]]
            assert back[b, t] == (t + 1 - places[-1] if places else 0)


def test_the_floors_of_two_parts_add_up_and_are_those_of_the_choices():
    for story in islice(Stories(seed=3), 20):
        opening = math.log(4)
        assert nats_from(story, story[:4]) == pytest.approx(-Stories.log_prob(story) - opening)
        last = nats_from(story, "And w")  # the quiz's own choice is made before its words
        assert last == 0.0
        assert 0 < nats_from(story, "One ") < nats_from(story, "who lived")
    with pytest.raises(ValueError, match="cannot tell"):
        nats_from("Once upon a time there was a war.", "Once")
