"""BLEU and ROUGE by the libraries; without them, a word on how to get them."""

import sys

import pytest

from minigpt.evaluation.overlap import bleu, rouge

RIGHT = ["Leo lost the grey wagon; it was under the stairs."]
OTHER = ["Leo lost the grey wagon; it was up the chimney."]


@pytest.mark.parametrize(("name", "score"), [("sacrebleu", bleu), ("rouge_score", rouge)])
def test_without_the_extra_it_says_how_to_get_it(monkeypatch, name, score):
    for module in [m for m in sys.modules if m.partition(".")[0] == name] + [name]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=r"minigpt\[evaluation\]"):
        score(RIGHT, RIGHT)


def test_equal_texts_score_highest_and_a_false_place_still_scores_high():
    pytest.importorskip("sacrebleu")
    pytest.importorskip("rouge_score")
    assert bleu(RIGHT, RIGHT) == {"bleu": pytest.approx(100)}
    assert rouge(RIGHT, RIGHT) == pytest.approx(dict(rouge1=100, rouge2=100, rougeL=100))
    assert 50 < bleu(OTHER, RIGHT)["bleu"] < 100
    # Ten words in both, and eight of them in one order: leo lost the grey wagon it was ... the.
    assert rouge(OTHER, RIGHT)["rougeL"] == pytest.approx(80)
    assert rouge(["kite"], RIGHT)["rouge1"] == 0
    fox = ["小狐狸在河边找到了红色的风筝。"]
    kite = [
        "小狐狸在河边找到了蓝色的风筝。"
    ]  # one sign of fifteen: to English rules, one other word
    assert bleu(kite, fox, tokenize="zh")["bleu"] > 60 > bleu(kite, fox)["bleu"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bleu([], []), "0 texts and 0 references"),
        (lambda: rouge(RIGHT, RIGHT * 2), "1 texts and 2 references"),
        (lambda: bleu("Leo", "Leo"), "put one text into a list"),
    ],
)
def test_what_cannot_be_compared_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
