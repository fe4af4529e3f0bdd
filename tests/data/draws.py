"""What tests of data share."""

import torch


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


TEXT = "Früh am Morgen ging ein Fuchs durch den Wald. 🦊\n" * 30
