"""When the clips of the sample set show their expression, and which classes they have.

Times are shares of the clip, 0 its first frame and 1 its last.
"""

from itertools import count
from math import gcd

import numpy as np
from sample_faces import Array

#: Expressions, label 1 first.
LABELS = ('Happy', 'Sad', 'Neutral', 'Angry', 'Surprise', 'Disgust', 'Fear')
NEUTRAL = LABELS.index('Neutral')

#: Ranges that are drawn from uniformly, by timing. ``narrow``: start, apex and end of
#: the expression each have a range, so it peaks near the middle of each clip. ``wide``:
#: durations have ranges, and the start may be almost anywhere.
TIMINGS = {
    'narrow': {
        'intensity': [0.75, 1.0],
        'onset': [0.0, 0.14],
        'apex': [0.28, 0.46],
        'plateau': [0.12, 0.28],
        'offset': [0.86, 1.0],
    },
    'wide': {
        'intensity': [0.75, 1.0],
        'onset': [-0.05, 0.65],
        'rise': [0.08, 0.15],
        'plateau': [0.08, 0.2],
        'fall': [0.08, 0.15],
    },
}

#: Classes by task. Both classes of ``order`` and of ``speed`` have the same frames: the
#: second clip of a pair is the first in the order of :func:`second_order`.
TASKS = {
    'expressions': LABELS,
    'order': ('appears', 'disappears'),
    'speed': ('slow', 'fast'),
}


def stream(*key: int) -> np.random.Generator:
    """Random numbers that depend on a key alone, not on who draws what first."""
    # The length keeps short keys apart from long ones that end in zeros.
    return np.random.default_rng([*key, len(key)])


def smooth(t: Array) -> Array:
    """Rise from 0 to 1 for t in 0..1, flat at both ends."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def envelope(rng: np.random.Generator, frames: int, task: str, timing: str) -> Array:
    """Intensity (frames,) in 0..1 of the expression in a clip of a task's first class.

    ``expressions``: one onset-apex-offset. ``order``: its onset, then the apex up to
    the end. ``speed``: one period of a cosine, from a random phase; it has no timing.
    """
    ranges = TIMINGS[timing]

    def pick(name: str) -> float:
        return float(rng.uniform(*ranges[name]))

    if task == 'speed':
        phase = rng.random() + np.arange(frames) / frames
        return pick('intensity') * (1 - np.cos(2 * np.pi * phase)) / 2
    if timing == 'narrow':
        start, apex, plateau = pick('onset'), pick('apex'), pick('plateau')
        fall, end = apex + plateau, pick('offset')
    else:
        start = pick('onset')
        apex = start + pick('rise')
        fall = apex + pick('plateau')
        end = fall + pick('fall')
    peak = pick('intensity')
    t = np.linspace(0, 1, frames)
    rising = smooth((t - start) / (apex - start))
    if task == 'order':
        return peak * rising
    return peak * rising * smooth((end - t) / (end - fall))


def nuisance_order(rng: np.random.Generator, frames: int, task: str) -> Array:
    """Order (frames,) of all that is not the expression: pose, speech, blinks, light.

    In a pair only the expression may tell the classes apart. What else moves is played
    backwards in half of the clips of ``order``, and is in random order in those of
    ``speed``: then its order has the same distribution in both classes.
    """
    order = np.arange(frames)
    if task == 'order' and rng.random() < 0.5:
        return order[::-1]
    return rng.permutation(frames) if task == 'speed' else order


def second_order(task: str, frames: int) -> Array:
    """Order (frames,) in which the second class of a pair has the first's frames.

    ``order``: the last frame first. ``speed``: every k-th frame, from the first again
    after the last, with the smallest k from 3 that has no divisor in common with the
    number of frames, so that each occurs once.
    """
    if task == 'order':
        return np.arange(frames)[::-1]
    k = next(k for k in count(3) if gcd(k, frames) == 1)
    return k * np.arange(frames) % frames
