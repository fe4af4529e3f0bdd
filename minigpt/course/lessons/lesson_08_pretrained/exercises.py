"""The exercises of lesson 08: weights from a file, and the proof that they are used rightly."""

from __future__ import annotations

from torch import Tensor, nn

from minigpt.config import GPTConfig
from minigpt.course.exercise.calls.functions import call_function, call_value
from minigpt.course.exercise.calls.weights import call_comparison, call_loader, call_whole
from minigpt.course.exercise.definition import Exercise, Misconception
from minigpt.course.lessons.lesson_08_pretrained.cases import (
    draw_bytes,
    draw_files,
    draw_names,
    draw_pairs,
    draw_whole,
)
from minigpt.course.lessons.lesson_08_pretrained.wrong_loading import LOAD_WRONG, RENAME_WRONG
from minigpt.course.lessons.lesson_08_pretrained.wrong_proof import (
    COMPARE_WRONG,
    READ_WRONG,
    WHOLE_WRONG,
    comparer,
    reader,
)
from minigpt.model import GPT
from minigpt.pretrained import weights

LESSON = "08_pretrained"


LOAD_WEIGHTS = Exercise(
    name="load_weights",
    lesson=LESSON,
    kind="function",
    title="Load a file's weights",
    points=8,
    difficulty=4,
    importance=5,
    minutes=25,
    hints=(
        "Three things differ between a file and your model: names, some layouts, and what is there "
        "at all. Can you settle them one after the other, and load only then?",
        "h.0.mlp.c_fc.weight (C, 4C) in the file -> transformer.h.0.mlp.c_fc.weight (4C, C) in the "
        "model. h.0.attn.bias -> nothing. wte.weight (V, C) -> transformer.wte.weight (V, C), "
        "which is lm_head.weight, too.",
        "named = for each name and tensor that is no mask: the name with the prefix, and the "
        "transpose if the name ends in one of the four\n"
        "for each parameter of the model, the tied pair once: if its name is not in named, or the "
        "shapes differ, raise an error\n"
        "without recording gradients: copy each tensor into its parameter",
    ),
    draw=draw_files,
    call=call_loader,
    reference=weights.load_weights,
    misconceptions=LOAD_WRONG,
    keep=True,
)


OUR_NAMES = Exercise(
    name="our_names",
    lesson=LESSON,
    kind="bug",
    title="Mend the name map",
    points=4,
    difficulty=2,
    importance=3,
    minutes=10,
    hints=(
        "Which names go in, and which come out? Print both for one block, and look for what is "
        "missing, what is new, and what should not be there.",
        "transformer.h.0.attn.c_attn.bias -> the same. h.0.attn.bias -> nothing. "
        "h.0.attn.masked_bias -> nothing. lm_head.weight -> lm_head.weight.",
        "for each name: if it ends in .attn.bias (with the dot) or .attn.masked_bias, pass over\n"
        "if it begins with the prefix or is lm_head.weight, keep it; else put the prefix before it",
    ),
    draw=draw_names,
    call=call_function,
    reference=weights.our_names,
    misconceptions=RENAME_WRONG,
)


READ_TENSOR = Exercise(
    name="read_tensor",
    lesson=LESSON,
    kind="function",
    title="Read a file without a library",
    points=5,
    difficulty=3,
    importance=3,
    minutes=15,
    hints=(
        "Three pieces follow one another in the file. Where does each begin, and what tells you?",
        "64 bytes of header: bytes 0 to 7 hold the number 64, bytes 8 to 71 the header, and the "
        "numbers begin at byte 72. data_offsets [8, 32] then means bytes 80 to 103: 6 numbers, "
        "shape [2, 3].",
        "length = the whole number in the first 8 bytes, lowest byte first\n"
        "header = the JSON of the next `length` bytes; entry = header at the name\n"
        "start = 8 + length; cut from start + begin to start + end\n"
        "read them as 32-bit floating-point numbers, and give them the entry's shape",
    ),
    draw=draw_bytes,
    call=call_function,
    reference=reader(),
    misconceptions=READ_WRONG,
)


FIRST_DIFFERENCE = Exercise(
    name="first_difference",
    lesson=LESSON,
    kind="function",
    title="Find the first layer that differs",
    points=7,
    difficulty=4,
    importance=4,
    minutes=25,
    hints=(
        "A dictionary remembers the order in which you put things in. Who could put in each "
        "layer's output at the moment when it is computed?",
        "outputs of either model: {'transformer.wte': (2, 6, 8), 'transformer.wpe': ..., "
        "'transformer.h.0.ln_1': (2, 6, 8), 'transformer.h.0.attn.c_attn': (2, 6, 24), ...}. Two "
        "of those dictionaries -> one number for each name -> the first name above the tolerance.",
        "outputs of a model: put a forward hook that notes (name, output) on every module with a "
        "weight; run without gradients; take the hooks out\n"
        "for each name that the reference noted, in order: gap = largest absolute difference / "
        "largest absolute value of the reference; if gap > tolerance, return the name\n"
        "return None",
    ),
    draw=draw_pairs,
    call=call_comparison,
    reference=comparer(),
    misconceptions=COMPARE_WRONG,
)


# --- Numbers and words ---

TRANSPOSED = Exercise(
    name="transposed_tensors",
    lesson=LESSON,
    kind="number",
    title="How many lie on their side?",
    points=2,
    difficulty=2,
    importance=3,
    minutes=4,
    hints=(
        "Which layers did OpenAI write with Conv1D? Are the embeddings among them?",
        "In block 0: attn.c_attn (768, 2304), attn.c_proj (768, 768), mlp.c_fc (768, 3072), "
        "mlp.c_proj (3072, 768).",
        "matrices from Conv1D in one block, times the number of blocks",
    ),
    draw=lambda seed: [{"title": "OpenAI's file of gpt2"}],
    call=call_value,
    reference=48,
    misconceptions=(
        Misconception("one-block", "That is one block. gpt2 has twelve of them.", 4),
        Misconception(
            "square-forgotten",
            "You leave out attn.c_proj, because its shape fits either way. It lies on its side "
            "like the others, and has to be turned.",
            36,
        ),
        Misconception(
            "only-the-square",
            "You count one matrix a block. Every linear layer of a block comes from Conv1D.",
            12,
        ),
        Misconception(
            "half-a-block",
            "You count two matrices a block. Attention has two, and the MLP has two.",
            24,
        ),
        Misconception(
            "tables-too",
            "You count the two embeddings as well. They are tables: one row for each id or place, "
            "in the file as in the model.",
            50,
        ),
        Misconception(
            "biases-too",
            "You count the biases of those layers as well. A bias has one dimension: there is "
            "nothing to turn.",
            96,
        ),
        Misconception(
            "every-tensor",
            "That is every weight of the file. Only matrices that come from Conv1D lie on their "
            "side.",
            148,
        ),
    ),
)

WHY_NO_PROOF = Exercise(
    name="why_no_proof",
    lesson=LESSON,
    kind="written",
    title="Why is fluent text no proof?",
    points=4,
    difficulty=3,
    importance=4,
    minutes=10,
)


# --- The last one ---


def reference_whole(config: GPTConfig, tensors: dict[str, Tensor]) -> nn.Module:
    """Build the package's GPT-2 from a file's tensors."""
    model = GPT(config)
    weights.load_weights(model, tensors)
    return model.eval()


MY_GPT2 = Exercise(
    name="my_gpt2",
    lesson=LESSON,
    kind="function",
    title="Your own GPT-2",
    points=8,
    difficulty=2,
    importance=5,
    minutes=15,
    hints=(
        "You have written every piece of this. Which of them builds, which of them fills, and what "
        "remains to be said before a model is used?",
        "config -> a model with 148 tensors of its own -> the same model, holding the file's -> "
        "the same model, dropout silent -> logits (1, T, V).",
        "model = your GPT of the config; load the tensors into it; put it into evaluation mode; "
        "return the model itself",
    ),
    draw=draw_whole,
    call=call_whole,
    reference=reference_whole,
    misconceptions=WHOLE_WRONG,
    keep=True,
)

EXERCISES = (
    READ_TENSOR,
    OUR_NAMES,
    TRANSPOSED,
    LOAD_WEIGHTS,
    FIRST_DIFFERENCE,
    WHY_NO_PROOF,
    MY_GPT2,
)
