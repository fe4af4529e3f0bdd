# cross_entropy, version 1: passed its check on 2026-11-26.
import minigpt.training as package


def cross_entropy(logits, targets):
    assert package.draw_batches and package.measured_step and package.find_history
    return package.cross_entropy(logits, targets)
