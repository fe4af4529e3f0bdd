"""Train the storyteller, the small model that ships with the course: `make storyteller`.

It takes minutes on two cores. The same seed on the same machine gives the same weights. Nothing is
saved unless the loss on stories it never saw is within 5 % of the exact floor.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import islice
from pathlib import Path

import torch
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from minigpt.config import GPTConfig
from minigpt.data import NO_TARGET, load_data
from minigpt.files import STORYTELLER
from minigpt.model import GPT
from minigpt.pretrained import save_pretrained
from minigpt.stories import Stories
from minigpt.tokenizer import Tokenizer
from minigpt.training import Record, TrainConfig, train

WITHIN = 1.05  # of the floor, or nothing is saved
TEST_SEED, TEST_STORIES = 3, 1000  # neither trained on nor looked at while training
VOCAB_SIZE = 1024  # enough for nearly every word of the stories to be one token
BLOCK_SIZE = 128  # the longest story, with <|endoftext|>, just fits
THREADS = 2  # sums that are split in another way round in another way, and change the bytes

RECIPE = TrainConfig(
    max_steps=1000,
    batch_size=32,
    optimizer="muon",  # with AdamW (max_lr 3e-3) these steps end at 1.12 of the floor
    max_lr=5e-3,
    min_lr=0.0,
    precision="fp32",
    device="cpu",
    eval_interval=50,
    seed=1337,
)


@torch.no_grad()
def nats_per_story(model: GPT, tokenizer: Tokenizer, stories: list[str]) -> float:
    """Return the mean over whole stories of -log p(story and its end | the start)."""
    end, total = tokenizer.end_of_text, 0.0
    for i in range(0, len(stories), 100):
        rows = [torch.tensor([end, *tokenizer.encode(s), end]) for s in stories[i : i + 100]]
        x = pad_sequence([row[:-1] for row in rows], batch_first=True, padding_value=end)
        y = pad_sequence([row[1:] for row in rows], batch_first=True, padding_value=NO_TARGET)
        logits = model(x).flatten(0, 1)
        total += F.cross_entropy(logits, y.flatten(), reduction="sum").item()
    return total / len(stories)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=RECIPE.max_steps)
    parser.add_argument("--out", type=Path, default=STORYTELLER, help="folder to save in")
    args = parser.parse_args()

    torch.set_num_threads(THREADS)
    torch.manual_seed(RECIPE.seed)
    data = load_data("stories", vocab_size=VOCAB_SIZE)
    model = GPT(GPTConfig(data.tokenizer.vocab_size, BLOCK_SIZE, n_layer=4, n_head=4, n_embd=128))
    print(f"{model.num_parameters():,} parameters; floor {data.floor:.4f} nats per token")
    started, cpu = time.perf_counter(), time.process_time()

    def report(record: Record) -> None:
        if record.val_loss is not None:
            print(
                f"step {record.step + 1:5}  held-out loss {record.val_loss:.4f} nats per token, "
                f"{record.val_loss / data.floor:.3f} of the floor, "
                f"after {time.perf_counter() - started:.0f} s"
            )

    train(model, data, RECIPE, max_steps=args.steps, on_step=report, progress=False)
    model.eval()
    stories = list(islice(Stories(TEST_SEED), TEST_STORIES))
    loss, floor = nats_per_story(model, data.tokenizer, stories), Stories.entropy()
    likely = -sum(map(Stories.log_prob, stories)) / len(stories)
    print(
        f"{TEST_STORIES} new stories, nats per story: loss {loss:.2f}, floor {floor:.2f} "
        f"(ratio {loss / floor:.4f}), mean -log_prob {likely:.2f} (ratio {loss / likely:.4f})"
    )
    took = time.perf_counter() - started, time.process_time() - cpu
    print(f"It took {took[0]:.0f} s, {took[1]:.0f} s of processor time")
    if not loss <= WITHIN * min(floor, likely):
        print(f"Not saved: more than {WITHIN} of the floor.", file=sys.stderr)
        return 1
    save_pretrained(model, args.out, data.tokenizer)
    print(f"Saved in {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
