"""Short sentences in English and in Chinese: a grammar whose two sides always say the same."""

from __future__ import annotations

import random
from collections.abc import Iterator

from minigpt.finetuning.examples import Example
from minigpt.stories import GRAMMAR

COLOURS = dict(
    black="黑色", blue="蓝色", brown="棕色", golden="金色", green="绿色", grey="灰色", pink="粉色",
    purple="紫色", red="红色", silver="银色", white="白色", yellow="黄色",
)  # fmt: skip

# With each thing the word that Chinese counts it by: one *sheet* of blanket, one *cap* of hat.
THINGS = dict(
    ball=("个", "球"), basket=("个", "篮子"), bell=("个", "铃铛"), blanket=("条", "毯子"),
    bucket=("个", "水桶"), clock=("个", "时钟"), drum=("面", "鼓"), hat=("顶", "帽子"),
    kite=("只", "风筝"), lantern=("盏", "灯笼"), pillow=("个", "枕头"), scarf=("条", "围巾"),
    spoon=("把", "勺子"), trumpet=("支", "小号"), umbrella=("把", "雨伞"), wagon=("辆", "马车"),
)  # fmt: skip

# "under the stairs" is 楼梯下面, "the stairs' underside": the place first, then which side of it.
PLACES = {
    "at the bakery": "面包店里",
    "behind the clouds": "云后面",
    "between two cushions": "两个靠垫中间",
    "in the bath": "浴缸里",
    "in the cellar": "地窖里",
    "in the oven": "烤箱里",
    "on the roof": "屋顶上",
    "under a cabbage": "卷心菜下面",
    "under the bed": "床下面",
    "under the stairs": "楼梯下面",
    "up the chimney": "烟囱里",
    "up the tower": "塔上",
}

# Two ways to say where something is. In the first both languages begin with the thing; in the
# second English does too, but Chinese begins with the place, and counts.
FORMS = {
    "the": ("The {colour} {thing} is {place}.", "{colour}的{thing}在{place}。"),
    "a": ("A {colour} {thing} is {place}.", "{place}有一{measure}{colour}的{thing}。"),
}
HELD_OUT = 6  # one in so many pairs of a colour and a thing


def is_held_out(colour: str, thing: str) -> bool:
    """Say whether this pair is kept for judging: each colour and each thing has others to learn.

    >>> [thing for thing in THINGS if is_held_out("grey", thing)]
    ['ball', 'drum', 'spoon']
    """
    at = GRAMMAR["colour"].index(colour) + GRAMMAR["thing"].index(thing)
    return at % HELD_OUT == HELD_OUT - 1


def translate(form: str, colour: str, thing: str, place: str) -> tuple[str, str]:
    """Return one sentence in English and in Chinese.

    >>> translate("a", "grey", "wagon", "under the stairs")
    ('A grey wagon is under the stairs.', '楼梯下面有一辆灰色的马车。')
    """
    english, chinese = FORMS[form]
    measure, noun = THINGS[thing]
    return (
        english.format(colour=colour, thing=thing, place=place),
        chinese.format(colour=COLOURS[colour], thing=noun, place=PLACES[place], measure=measure),
    )


def translations(seed: int, held_out: bool = False) -> Iterator[Example]:
    """Yield sentences to translate, for ever; `held_out` chooses the pairs never learned from.

    >>> next(translations(seed=1))
    Example(prompt='The white spoon is in the bath. =', target=' 白色的勺子在浴缸里。')
    """
    draw = random.Random(seed).random  # the one method that stays the same in all versions
    lists = [list(FORMS), list(COLOURS), list(THINGS), list(PLACES)]
    while True:
        form, colour, thing, place = (options[int(draw() * len(options))] for options in lists)
        if is_held_out(colour, thing) == held_out:
            english, chinese = translate(form, colour, thing, place)
            yield Example(f"{english} =", f" {chinese}")
