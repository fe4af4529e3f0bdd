"""Say in words which known mistakes an answer makes: how many, and each in its teacher's words."""

from __future__ import annotations

from minigpt.course.checking.recognising import Recognised

ALMOST = "This looks like a known mistake: {} of the {} cases that went wrong come out just so{}."
SPARED = ", but in {} more it would be wrong and yours is right"
SAME = "{} known mistakes give just these results, so yours is one of them."
NUMBERS = ("no", "one", "two", "three", "four", "five")


def explained(known: Recognised, cases: list[dict], problems: list) -> str | None:
    """Say in words which mistakes were recognised, or nothing."""
    if not known.mistakes:
        return None
    told = [
        "Either: " * (len(either) > 1) + " Or: ".join(mistake.message for mistake in either)
        for either in known.mistakes
    ]
    if len(told) > 1:
        numbered = [f"{place}. {text}" for place, text in enumerate(told, 1)]
        head = f"{_number(len(told))} mistakes at once, each seen where no other shows:"
        return "\n".join([head, *numbered])
    if not known.certain:
        spared = SPARED.format(known.spared) if known.spared else ""
        alike = known.failed - len(known.unexplained)
        told.insert(0, ALMOST.format(alike, known.failed, spared))
        if known.unexplained:
            place = known.unexplained[0]
            told.append(f"There is more to it: {cases[place].get('title')}: {problems[place]}")
        return " ".join(told)
    if (count := len(known.mistakes[0])) > 1:
        return f"{SAME.format(_number(count))} {told[0]}"
    return told[0]


def _number(count: int) -> str:
    return NUMBERS[count].capitalize() if count < len(NUMBERS) else str(count)
