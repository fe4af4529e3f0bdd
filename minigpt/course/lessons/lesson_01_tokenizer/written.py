"""How the answers in words of lesson 01 are marked."""

from minigpt.course.exercise import Marking

WHY_BYTES = Marking(
    checklist=(
        (
            0.5,
            "Words: a word that was not in the training text has no id, so what it said is lost. "
            '(Only "there are too many words" is not enough: say what happens to a new one.)',
        ),
        (
            0.5,
            "Characters: there are far too many (over a million code points), so the table is "
            "huge, and most of its rows are never trained. Half for the size alone; nothing for "
            "length (bytes are longer still).",
        ),
        (
            1,
            "Bytes: UTF-8 writes every character of every language as 1 to 4 bytes, and a byte "
            'has 256 values. So no text is unknown. Half for "256 are enough" without UTF-8.',
        ),
        (
            1,
            "The price is length; merges bring it down by making one token of bytes that often "
            "stand together; and they do so only for texts like those of the training. Half if "
            "the last part is missing.",
        ),
    ),
    weak=(
        "GPT-2 starts with the 256 bytes because a computer stores everything as bytes, so the "
        "model can read any file. With words the vocabulary would be much too large. Characters "
        "would be possible, but texts would get too long. Then the merges make the text shorter."
    ),
    weak_points=1,
    lacks=(
        'Half for bytes: "any file" comes near, but nothing says that UTF-8 turns every '
        "character into bytes. Half for the last point: merges shorten, but that bytes alone make "
        "a text long is not said, nor for which texts merges fail. Nothing for words: the trouble "
        "is not the size of the list but the word that is not in it. Nothing for characters: "
        "length speaks for them, as bytes make a text longer still."
    ),
    good=(
        "With one id for each word, a word that was not in the training text has no id, and what "
        "it said is lost, however long the list is. With one id for each character, the vocabulary "
        "needs room for more than a million code points, most of which are never trained. UTF-8 "
        "writes every character as one to four bytes, and a byte has only 256 values, so with 256 "
        "ids nothing is ever unknown.\n\n"
        "The price is length: an English text of 47 characters is 47 ids instead of 12 tokens, "
        "and Chinese has three ids for most characters. Merges make tokens of bytes that often "
        "stand together, so frequent words are one token again. This works for texts like those "
        "of the training; other languages keep more of their bytes."
    ),
)
