"""Settings and prompts out of range are refused with their value and what is accepted."""

import math

import pytest
import torch

from minigpt.sampling import (
    apply_temperature,
    generate,
    next_token_distribution,
    sample_next_token,
    stream,
    top_k_filter,
    top_p_filter,
)
from tests.sampling.slow import some_prompts

BAD_SETTINGS = [
    *(({"temperature": t}, "temperature is {}; it must be finite and at least 0")
      for t in (math.nan, math.inf, -math.inf, -0.1, -1, "1", None, True, False, [1.0])),
    *(({"top_k": k}, "top_k is {}; it must be a whole number of at least 1")
      for k in (0, -1, 1.5, 2.0, True, "5", math.nan)),
    *(({"top_p": p}, "top_p is {}; it must be above 0 and at most 1")
      for p in (0, 0.0, -0.5, 1.1, 2, math.nan, math.inf, True, "0.9")),
    *(({"stop_token": s}, "stop_token is {}; it must be a whole number of at least 0")
      for s in (-1, 1.0, True, "7")),
    ({"stop_token": 19}, "stop_token is {}; the ids of this model end at 18"),
    ({"generator": 42}, "generator is {}; it must be a torch.Generator"),
    ({"max_new_tokens": -1}, "max_new_tokens is {}; it must be a whole number of at least 0"),
    ({"max_new_tokens": 2.0}, "max_new_tokens is {}; it must be a whole number of at least 0"),
    ({"max_new_tokens": True}, "max_new_tokens is {}; it must be a whole number of at least 0"),
    ({"max_new_tokens": None}, "max_new_tokens is {}; it must be a whole number of at least 0"),
]  # fmt: skip


@pytest.mark.parametrize(("bad", "message"), BAD_SETTINGS)
def test_a_bad_setting_is_refused_with_its_value_and_what_is_accepted(model, bad, message):
    (value,) = bad.values()
    before = torch.get_rng_state()
    arguments = {"max_new_tokens": 3, **bad}
    with pytest.raises(ValueError) as error:
        generate(model, some_prompts(1, 3), **arguments)
    assert message.format(repr(value)) in str(error.value)
    with pytest.raises(ValueError):
        list(stream(model, some_prompts(1, 3), **arguments))
    with pytest.raises(ValueError):  # also when nothing would be drawn
        generate(model, some_prompts(1, 3), **{"max_new_tokens": 0, **bad})
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: apply_temperature(x, 0), "temperature is 0; .* above 0"),
        (lambda x: apply_temperature(x, math.nan), "temperature is nan"),
        (lambda x: apply_temperature(x, math.inf), "temperature is inf; .* finite"),
        (lambda x: apply_temperature(x, True), "temperature is True"),
        (lambda x: top_k_filter(x, 0), "top_k is 0"),
        (lambda x: top_k_filter(x, True), "top_k is True"),
        (lambda x: top_p_filter(x, 0), "top_p is 0"),
        (lambda x: top_p_filter(x, 1.01), "top_p is 1.01"),
        (lambda x: next_token_distribution(x, math.nan), "temperature is nan"),
        (lambda x: next_token_distribution(x, -1), "temperature is -1"),
        (lambda x: sample_next_token(x, temperature=-1), "temperature is -1"),
        (lambda x: sample_next_token(x, temperature="0"), "temperature is '0'"),
        (lambda x: sample_next_token(x, top_k=-3), "top_k is -3"),
    ],
)
def test_the_steps_refuse_what_generate_refuses(call, words):
    with pytest.raises(ValueError, match=words):
        call(torch.zeros(1, 5))


@pytest.mark.parametrize(
    ("idx", "words"),
    [
        (torch.zeros(3, dtype=torch.int64), r"\(batch, time\).*not torch.int64 \(3,\)"),
        (torch.zeros(1, 3), "torch.float32"),
        ("fox", "not str"),
        ("Once", "not str"),
        (torch.zeros(1, 0, dtype=torch.int64), "at least one token"),
        (torch.zeros(0, 1, dtype=torch.int64), "empty"),
        (torch.tensor([[19]]), "the id 19; ids of this model are 0 to 18"),
        (torch.tensor([[-1]]), "the id -1"),
        (torch.tensor([[19] + [0] * 20]), "the id 19"),  # also where it would be cropped away
        (
            torch.zeros(1, 3, dtype=torch.int64, device="meta"),
            "idx is on meta and the model on cpu",
        ),
    ],
)
def test_a_bad_prompt_is_refused(model, idx, words):
    with pytest.raises(ValueError, match=words):
        generate(model, idx, 3)


def test_a_generator_of_another_device_is_refused(model, monkeypatch):
    class Elsewhere(torch.Generator):
        device = torch.device("cuda")

    with pytest.raises(ValueError, match=r"generator is on cuda.*model on cpu.*Generator\('cpu'\)"):
        generate(model, some_prompts(1, 3), 3, generator=Elsewhere())
