"""Random numbers as a function of where training is.

What is drawn for an iteration or a clip depends on the seed, the epoch and the
position alone, not on what was drawn before: a run that is resumed draws what it would
have drawn, with any number of workers, and no generator's state needs saving.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_generators(*key: int, devices: bool = True) -> None:
    """Seed Python's, NumPy's and PyTorch's global generators by a tuple of numbers.

    Args:
        key: Non-negative numbers; each tuple gives streams of its own.
        devices: Whether to seed the generators of the accelerators too. A worker of a
            data loader has no use for them.
    """
    words = np.random.SeedSequence(key).generate_state(4)
    number = int.from_bytes(words.tobytes()[:8], 'little') >> 1
    random.seed(number)
    np.random.seed(words)
    if devices:
        torch.manual_seed(number)
    else:
        torch.default_generator.manual_seed(number)


@contextmanager
def generators_kept() -> Iterator[None]:
    """Leave the CPU's global generators as they were, whatever draws inside."""
    python, arrays = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)
