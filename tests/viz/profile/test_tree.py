"""What is shown of a profile: every second of it, once."""

import math

import pytest

from minigpt.speed.profiling import Part
from minigpt.viz.profile.tree import NO_PART, TINY, at, merged
from tests.viz.profile.profiles import leaf, step, whole


def nodes(tree):
    yield tree
    for part in tree["parts"]:
        yield from nodes(part)


def names(node):
    return [part["name"] for part in node["parts"]]


def test_every_part_keeps_its_time_its_flops_and_its_place():
    tree = merged([step()])
    assert names(tree) == ["forward", "backward", "optimizer"]
    assert [part["seconds"][0] for part in tree["parts"]] == pytest.approx([0.035, 0.05, 0.015])
    attention = at(tree, ["forward", "block 0", "attention"])
    assert attention["seconds"] == [0.02] and attention["flops"] == [10**9]
    assert names(attention) == ["c_attn", "scores"]


def test_the_parts_of_every_bar_take_as_long_as_their_whole():
    for node in nodes(merged([step(), step(5.0)])):
        for i, seconds in enumerate(node["seconds"]):
            if node["parts"]:
                assert math.fsum(part["seconds"][i] for part in node["parts"]) == pytest.approx(
                    seconds
                )
                assert sum(part["flops"][i] for part in node["parts"]) == node["flops"][i]


def test_what_is_in_no_part_is_a_part_of_its_own():
    tree = merged([Part("step", 1.0, (Part("forward", 0.7),))])
    assert names(tree) == ["forward", NO_PART]
    assert tree["parts"][1]["seconds"] == pytest.approx([0.3])
    assert names(merged([Part("step", 0.7, (Part("forward", 0.7 * (1 + 1e-9)),))])) == ["forward"]


def some(**ms):
    return whole("step", *(leaf(name, each) for name, each in ms.items()))


def test_tiny_parts_are_gathered_and_none_is_lost():
    tree = merged([some(a=1, big=197, b=2, c=60, d=60, e=60)])
    assert names(tree) == ["big", "c", "d", "e", "other"]
    other = at(tree, ["other"])
    assert other["seconds"] == pytest.approx([0.003]) and names(other) == ["a", "b"]
    parts = [leaf("a", 1, 10), leaf("b", 2, 5), *(leaf(name, 60, 1) for name in "cdef")]
    assert at(merged([whole("step", *parts)]), ["other"])["flops"] == [15]


def test_few_parts_or_one_tiny_part_or_only_tiny_parts_stay():
    assert names(merged([some(a=1, big=197, b=2, c=60, d=60)])) == ["a", "big", "b", "c", "d"]
    assert names(merged([some(a=1, b=60, c=60, d=60, e=60, f=60)])) == list("abcdef")
    equal = merged([some(**{f"p{i}": 1 for i in range(100)})])
    assert len(names(equal)) == 100 and TINY > 1 / 100  # or "other" would hold all, for ever
    nothing = merged([whole("step", leaf("x", 5), whole("none", leaf("a", 0), leaf("b", 0)))])
    assert names(at(nothing, ["none"])) == []


def test_a_part_called_other_stays_apart_from_those_gathered():
    tree = merged([some(other=90, a=1, b=1, c=90, d=90, e=90)])
    assert names(tree) == ["other", "c", "d", "e", "other parts"]
    assert names(at(tree, ["other parts"])) == ["a", "b"]


def test_parts_with_one_name_are_told_apart():
    tree = merged([whole("step", leaf("c_proj", 3), leaf("c_proj", 4), leaf("c_proj", 5))])
    assert names(tree) == ["c_proj", "c_proj (2)", "c_proj (3)"]
    assert [part["seconds"][0] for part in tree["parts"]] == pytest.approx([0.003, 0.004, 0.005])


def test_two_profiles_stand_together_by_name():
    slow = whole("step", leaf("forward", 30), leaf("old", 10))
    fast = whole("fast step", leaf("new", 5), leaf("forward", 12, 10**6))
    tree = merged([slow, fast])
    assert tree["name"] == "step" and tree["seconds"] == pytest.approx([0.04, 0.017])
    assert names(tree) == ["forward", "old", "new"]
    assert [part["seconds"] for part in tree["parts"]] == [
        [0.03, 0.012],
        [0.01, None],
        [None, 0.005],
    ]
    assert tree["parts"][0]["flops"] == [0, 10**6]


def test_what_is_tiny_in_one_profile_only_is_not_gathered():
    first = some(a=1, b=1, c=1, big=200, d=50, e=50)
    second = some(a=50, b=1, c=1, big=100, d=50, e=50)
    tree = merged([first, second])
    assert names(tree) == ["a", "big", "d", "e", "other"]
    assert names(at(tree, ["other"])) == ["b", "c"]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (None, "the profile is a NoneType; give a Part"),
        (Part("step", 0.0), "'step' takes 0 seconds"),
        (Part("step", -1.0), "step takes -1.0 seconds; give a number of at least 0"),
        (Part("step", math.nan), "step takes nan seconds"),
        (Part("step", math.inf), "step takes inf seconds"),
        (Part("step", "1"), "step takes '1' seconds"),
        (Part("step", 1.0, (Part("a", 0.5, (), 1.5),)), "step › a has 1.5 flops"),
        (Part("step", 1.0, (Part("a", 0.5, (), -1),)), "step › a has -1 flops"),
        (Part("step", 1.0, (3,)), r"step › \? holds 3"),
        (Part("", 1.0), "a profile consists of Parts with names"),
        (
            Part("step", 1.0, (Part("a", 0.5, (Part("b", 0.6),)),)),
            "the parts of step › a take 600 ms, more than its own 500 ms",
        ),
    ],
)
def test_what_is_no_profile_is_refused(part, words):
    with pytest.raises(ValueError, match=words):
        merged([part])


def test_a_part_that_is_not_there_is_named_with_those_that_are():
    tree = merged([step()])
    with pytest.raises(ValueError, match="the whole has no part 'forwards'; it has 'forward', "):
        at(tree, ["forwards"])
    with pytest.raises(ValueError, match="backward has no part 'x'; it opens into nothing"):
        at(tree, ["backward", "x"])
