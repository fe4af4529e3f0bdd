"""The exercises of lesson 08: weights from a file, and the proof that they are used rightly."""

from __future__ import annotations

from minigpt.course.exercise.calls.weights import call_comparison, call_loader, call_whole
from minigpt.course.exercise.kinds import Worth, bug, function, number, written
from minigpt.course.lessons.lesson_08_pretrained import cases
from minigpt.course.lessons.lesson_08_pretrained import misconceptions_loading as wrong_loading
from minigpt.course.lessons.lesson_08_pretrained import misconceptions_proof as wrong_proof
from minigpt.course.lessons.lesson_08_pretrained.written import WHY_NO_PROOF
from minigpt.pretrained import weights

EXERCISES = (
    function(
        "read_tensor",
        "Read a file without a library",
        Worth(points=5, difficulty=3, importance=3, minutes=15),
        (
            "Three pieces follow one another in the file. Where does each begin, and what tells "
            "you?",
            "64 bytes of header: bytes 0 to 7 hold the number 64, bytes 8 to 71 the header, and "
            "the numbers begin at byte 72. data_offsets [8, 32] then means bytes 80 to 103: 6 "
            "numbers, shape [2, 3].",
            "length = the whole number in the first 8 bytes, lowest byte first\n"
            "header = the JSON of the next `length` bytes; entry = header at the name\n"
            "start = 8 + length; cut from start + begin to start + end\n"
            "read them as 32-bit floating-point numbers, and give them the entry's shape",
        ),
        draw=cases.draw_bytes,
        reference=wrong_proof.reader(),
        wrong=wrong_proof.READ_WRONG,
        keep=False,
    ),
    bug(
        "our_names",
        "Mend the name map",
        Worth(points=4, difficulty=2, importance=3, minutes=10),
        (
            "Which names go in, and which come out? Print both for one block, and look for what is "
            "missing, what is new, and what should not be there.",
            "transformer.h.0.attn.c_attn.bias -> the same. h.0.attn.bias -> nothing. "
            "h.0.attn.masked_bias -> nothing. lm_head.weight -> lm_head.weight.",
            "for each name: if it ends in .attn.bias (with the dot) or .attn.masked_bias, pass "
            "over\n"
            "if it begins with the prefix or is lm_head.weight, keep it; else put the prefix "
            "before it",
        ),
        draw=cases.draw_names,
        reference=weights.our_names,
        wrong=wrong_loading.RENAME_WRONG,
    ),
    number(
        "transposed_tensors",
        "How many lie on their side?",
        Worth(points=2, difficulty=2, importance=3, minutes=4),
        (
            "Which layers did OpenAI write with Conv1D? Are the embeddings among them?",
            "In block 0: attn.c_attn (768, 2304), attn.c_proj (768, 768), mlp.c_fc (768, 3072), "
            "mlp.c_proj (3072, 768).",
            "matrices from Conv1D in one block, times the number of blocks",
        ),
        answer=48,
        wrong=wrong_loading.TRANSPOSED_TENSORS,
        case="OpenAI's file of gpt2",
    ),
    function(
        "load_weights",
        "Load a file's weights",
        Worth(points=8, difficulty=4, importance=5, minutes=25),
        (
            "Three things differ between a file and your model: names, some layouts, and what is "
            "there at all. Can you settle them one after the other, and load only then?",
            "h.0.mlp.c_fc.weight (C, 4C) in the file -> transformer.h.0.mlp.c_fc.weight (4C, C) in "
            "the model. h.0.attn.bias -> nothing. wte.weight (V, C) -> transformer.wte.weight (V, "
            "C), which is lm_head.weight, too.",
            "named = for each name and tensor that is no mask: the name with the prefix, and the "
            "transpose if the name ends in one of the four\n"
            "for each parameter of the model, the tied pair once: if its name is not in named, or "
            "the shapes differ, raise an error\n"
            "without recording gradients: copy each tensor into its parameter",
        ),
        draw=cases.draw_files,
        call=call_loader,
        reference=weights.load_weights,
        wrong=wrong_loading.LOAD_WRONG,
    ),
    function(
        "first_difference",
        "Find the first layer that differs",
        Worth(points=7, difficulty=4, importance=4, minutes=25),
        (
            "A dictionary remembers the order in which you put things in. Who could put in each "
            "layer's output at the moment when it is computed?",
            "outputs of either model: {'transformer.wte': (2, 6, 8), 'transformer.wpe': ..., "
            "'transformer.h.0.ln_1': (2, 6, 8), 'transformer.h.0.attn.c_attn': (2, 6, 24), ...}. "
            "Two of those dictionaries -> one number for each name -> the first name above the "
            "tolerance.",
            "outputs of a model: put a forward hook that notes (name, output) on every module with "
            "a weight; run without gradients; take the hooks out\n"
            "for each name that the reference noted, in order: gap = largest absolute difference / "
            "largest absolute value of the reference; if gap > tolerance, return the name\n"
            "return None",
        ),
        draw=cases.draw_pairs,
        call=call_comparison,
        reference=wrong_proof.comparer(),
        wrong=wrong_proof.COMPARE_WRONG,
        keep=False,
    ),
    written(
        "why_no_proof",
        "Why is fluent text no proof?",
        Worth(points=4, difficulty=3, importance=4, minutes=10),
        WHY_NO_PROOF,
    ),
    function(
        "my_gpt2",
        "Your own GPT-2",
        Worth(points=8, difficulty=2, importance=5, minutes=15),
        (
            "You have written every piece of this. Which of them builds, which of them fills, and "
            "what remains to be said before a model is used?",
            "config -> a model with 148 tensors of its own -> the same model, holding the file's "
            "-> the same model, dropout silent -> logits (1, T, V).",
            "model = your GPT of the config; load the tensors into it; put it into evaluation "
            "mode; return the model itself",
        ),
        draw=cases.draw_whole,
        call=call_whole,
        reference=wrong_proof.with_loader(weights.load_weights),
        wrong=wrong_proof.WHOLE_WRONG,
    ),
)
