"""Orders in which the frames of a clip are shown to a recognizer."""

from __future__ import annotations

import hashlib

import numpy as np

IN_ORDER = 'in order'
#: Shifts as shares of the clip; earlier is negative.
SHIFTS = {'1/4 earlier': -1 / 4, '1/8 earlier': -1 / 8, '1/8 later': 1 / 8,
          '1/4 later': 1 / 4}  # fmt: skip
#: Names of the orders of :func:`frame_orders`.
ORDERS = (IN_ORDER, 'shuffled', 'reversed', 'half the time', *SHIFTS)


def clip_generator(seed: int, clip: str, *purpose: int) -> np.random.Generator:
    """Return a generator whose numbers depend on the clip, not on those before it.

    Args:
        seed: Of the report.
        clip: Name of the clip.
        purpose: Numbers that keep uses apart.

    Example:
        >>> from ifdd_mmaction.analysis import clip_generator
        >>> clip_generator(0, 'anna').random() == clip_generator(0, 'anna').random()
        True
    """
    digest = hashlib.sha256(clip.encode()).digest()[:16]
    words = np.frombuffer(digest, '<u4').tolist()
    return np.random.default_rng([seed, *words, *purpose, len(purpose)])


def frame_orders(num_frames: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the frames of a clip in each of the orders, ``(T,)`` each.

    - *shuffled*: a random permutation, never the clip itself;
    - *half the time*: every second frame, then the last of them until the end, as
      ``SampleClip`` pads short videos;
    - *earlier*, *later*: shifted by a quarter or an eighth of the clip, at least by one
      frame; the frame at the edge is repeated.

    Args:
        num_frames: Frames T of the clip, at least two.
        rng: For the permutation.

    Raises:
        ValueError: If the clip has one frame.

    Example:
        >>> from ifdd_mmaction.analysis import frame_orders
        >>> orders = frame_orders(8, np.random.default_rng(0))
        >>> orders['half the time'], orders['1/4 later']
        (array([0, 2, 4, 6, 6, 6, 6, 6]), array([0, 0, 0, 1, 2, 3, 4, 5]))
    """
    if num_frames < 2:
        raise ValueError(f'num_frames={num_frames}: one frame has no order')
    regular = np.arange(num_frames)
    shuffled = rng.permutation(num_frames)
    while (shuffled == regular).all():
        shuffled = rng.permutation(num_frames)
    last = num_frames - 1
    found = {
        IN_ORDER: regular,
        'shuffled': shuffled,
        'reversed': regular[::-1].copy(),
        'half the time': (2 * regular).clip(max=last - last % 2),
    }
    for name, share in SHIFTS.items():
        frames = max(1, round(abs(share) * num_frames))
        moved = regular + frames if share < 0 else regular - frames
        found[name] = moved.clip(0, last)
    return found
