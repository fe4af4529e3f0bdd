"""The exercises of lesson 01: byte-pair encoding, on one pre-token, bytes under their own ids."""

from __future__ import annotations

from minigpt.course.exercise.kinds import Worth, bug, function, number, written
from minigpt.course.lessons.lesson_01_tokenizer import cases
from minigpt.course.lessons.lesson_01_tokenizer import misconceptions as wrong
from minigpt.course.lessons.lesson_01_tokenizer.written import WHY_BYTES

EXERCISES = (
    function(
        "count_pairs",
        "Count the pairs",
        Worth(points=2, difficulty=1, importance=4, minutes=8),
        (
            "Which two ids make the first pair, which two the second? Do they share an id?",
            "[97, 97, 97] has the pairs at places 0-1 and 1-2. N ids have N - 1 pairs, and "
            "none if N is 0 or 1.",
            "Start with an empty dict. For each place from the first to the last but one: take "
            "the id here and the next one as a tuple, and add 1 to its count (0 if it is new).",
        ),
        draw=cases.draw_count_pairs,
        reference=cases.count_pairs,
        wrong=wrong.COUNT_PAIRS,
    ),
    function(
        "merge",
        "Merge one pair",
        Worth(points=3, difficulty=2, importance=4, minutes=10),
        (
            "After a merge, which id do you look at next: the following one, or the one after it?",
            "[1, 2, 3, 1, 2] with (1, 2): at place 0 write 256 and go on at place 2. There stands "
            "3: write it, go on at place 3. Write 256, go on at place 5: the end.",
            "Keep a place i and a new list. While i is inside the list: if this id and the next "
            "are the pair, append the new id and move i on by two; otherwise append this id and "
            "move i on by one. Mind that the last id has no next one.",
        ),
        draw=cases.draw_merge,
        reference=cases.merge,
        wrong=wrong.MERGE,
    ),
    function(
        "train_bpe",
        "Train a vocabulary",
        Worth(points=5, difficulty=3, importance=5, minutes=15),
        (
            "What changes in the ids after each merge, and what must be counted again?",
            "'abab' with room for 2 merges: the ids 97 98 97 98 become 256 256, and then 257. The "
            "list grows by one pair each time: (97, 98), then (256, 256).",
            "Turn the text into its bytes. While 256 plus the merges so far is less than "
            "vocab_size: count the pairs; stop if there are none; choose the one with the highest "
            "count, of equals the smallest tuple; replace it by 256 plus the merges so far; "
            "remember it.",
        ),
        draw=cases.draw_train_bpe,
        reference=cases.train_bpe,
        wrong=wrong.TRAIN_BPE,
    ),
    number(
        "longest_token",
        "How long can a token get?",
        Worth(points=2, difficulty=2, importance=2, minutes=5),
        (
            "What may the two halves of a merge be: only bytes, or also tokens made before?",
            "Write down the longest token that 1 merge can give, then 2, then 3.",
            "Let longest be 1. Ten times: the new token is the longest one, twice over.",
        ),
        answer=1024,
        wrong=wrong.LONGEST_TOKEN,
        case="10 merges",
    ),
    function(
        "decode",
        "Ids back to text",
        Worth(points=3, difficulty=2, importance=5, minutes=10),
        (
            "What does the id 256 say, in bytes? And an id whose left half is 256?",
            "[256, 144, 33] with the merge (231, 139): 256 is the bytes 231 139. All bytes "
            "together, 231 139 144 33, are the text 狐!.",
            "Make a list of 256 tokens, one byte each. For each merge append the bytes of its left "
            "half followed by those of its right. Look up all ids, join their bytes, and only then "
            "read the whole as UTF-8, replacing what is no text.",
        ),
        draw=cases.draw_decode,
        reference=cases.decode,
        wrong=wrong.DECODE,
    ),
    number(
        "ids_of_seven",
        "Predict the ids",
        Worth(points=2, difficulty=2, importance=3, minutes=5),
        (
            "Which merge has the lowest rank of those that fit, and at how many places does it?",
            "After the first merge four ids are left. One of them is still 97.",
            "Apply the first merge wherever it fits, from left to right. Then the second to what "
            "is left, then the third. Stop when none fits.",
        ),
        answer=[257, 258],
        wrong=wrong.IDS_OF_SEVEN,
        case="seven letters, three merges",
    ),
    function(
        "encode",
        "Text to ids",
        Worth(points=5, difficulty=3, importance=5, minutes=15),
        (
            "Several merges fit at once: which goes first, the one on the left or the one that "
            "training found first?",
            "'abc' with the merges (98, 99), (97, 98): both fit at the start. Rank 0 is (98, 99), "
            "so 97 98 99 becomes 97 256. Now nothing fits.",
            "Turn the text into its bytes. Repeat: among all neighbours find the pair of the "
            "lowest rank; if none is in the merges, stop; replace it everywhere by 256 plus its "
            "rank.",
        ),
        draw=cases.draw_encode,
        reference=cases.encode,
        wrong=wrong.ENCODE,
    ),
    bug(
        "encode_with_mark",
        "Find the bug: the mark between documents",
        Worth(points=4, difficulty=3, importance=4, minutes=12),
        (
            "Print the ids of 'ab.<|end|>c', token by token. Where did the mark's first sign go?",
            "Text: 'ab.' + mark + 'c'. You want the ids of 'ab.', then mark_id, then the ids of "
            "'c'. No merge may see two of these three at once.",
            "Cut the text at every mark before anything is encoded. Encode each part by itself, "
            "and put mark_id between one part and the next.",
        ),
        draw=cases.draw_encode_with_mark,
        reference=cases.encode_with_mark,
        wrong=wrong.ENCODE_WITH_MARK,
    ),
    written(
        "why_bytes",
        "Why bytes?",
        Worth(points=3, difficulty=2, importance=3, minutes=10),
        WHY_BYTES,
    ),
)
