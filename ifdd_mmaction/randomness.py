"""Random numbers as a function of the position in training.

The random numbers of an iteration or a clip depend only on the seed, the epoch and the
position, not on those drawn before: a resumed run draws the same numbers as an
uninterrupted one, with any number of workers, and no generator state has to be saved.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_generators(*key: int, devices: bool = True) -> None:
    """Seed the global generators of Python, NumPy and PyTorch with a tuple of numbers.

    Args:
        key: Non-negative numbers; each tuple gives different random numbers.
        devices: Whether to seed the generators of accelerators too. Workers of a data
            loader do not use them.
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
