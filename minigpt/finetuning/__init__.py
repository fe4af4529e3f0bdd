"""Fine-tuning: a model that tells stories learns a task. Lesson 10 uses it.

Begin with `examples.py`: a prompt, its target, and a loss on the target alone. `tasks.py` makes
examples from the story language (`chinese.py` those of translation), `loop.py` learns them,
`lora.py` with few weights; `classifier.py` gives a model a head of another kind, `room.py` a
longer context.
"""

from minigpt.finetuning.classifier import Classifier, classify, count_trainable, make_classifier
from minigpt.finetuning.examples import Example, Labelled, TaskData, complete, example_batch
from minigpt.finetuning.loop import finetune
from minigpt.finetuning.lora import add_lora, merge_lora
from minigpt.finetuning.room import with_room
from minigpt.finetuning.tasks import TASKS, load_task

__all__ = [
    "TASKS",
    "Classifier",
    "Example",
    "Labelled",
    "TaskData",
    "add_lora",
    "classify",
    "complete",
    "count_trainable",
    "example_batch",
    "finetune",
    "load_task",
    "make_classifier",
    "merge_lora",
    "with_room",
]
