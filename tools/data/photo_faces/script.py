"""What a face does during a clip: expression, speech, blinks, gaze and head motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .actions import (
    LABELS,
    NEUTRAL,
    SPEECH,
    TWITCHES,
    Shapes,
    draw_expression,
    draw_rest,
)
from .variety import draw_closure, draw_further, draw_style

Array = np.ndarray

#: When the expression is shown, and the probability of each: it comes and goes, comes
#: and stays, is there and goes, or lasts for the whole clip.
TIMINGS = {'pulse': 0.4, 'comes': 0.25, 'goes': 0.1, 'whole': 0.25}
#: Clips of fewer frames have no expression that comes and goes.
FEW = 8
#: Smallest intensity of an expression at its apex.
LEAST = 0.4
#: Ranges that are drawn from uniformly. Durations are shares of the clip.
RANGES = {
    'rise': (0.1, 0.35),
    'apex': (0.15, 0.5),
    'fall': (0.1, 0.35),
    'second': (0.1, 0.3),
    'resting': (0.0, 0.12),
}
#: Probabilities: speech, a second and weaker expression, a twitch of another unit.
SPEAKS, BLENDS, TWITCHING = 0.4, 0.15, 0.3
#: Probability that the mouth is ajar, and the units that open it.
AJAR, AJAR_UNITS = 0.15, ('25', 'teeth', 'talk', '25s')
#: Standard deviations over clips, and within a clip, of yaw, pitch and roll, degrees.
POSE, MOTION = (10.0, 5.0, 4.0), (3.5, 2.5, 1.5)


@dataclass(frozen=True)
class Script:
    """What happens in a clip of T frames.

    Attributes:
        weights: Weights of the shapes, ``(T, k)`` float32.
        strength: Intensity of the class's expression, ``(T,)`` in 0..1; 0 for neutral.
        angles: Yaw, pitch and roll, ``(T, 3)``, in radians.
        shift: Movement in the image, ``(T, 2)``, in units of the head model.
        drawn: What was drawn, by name.
    """

    weights: Array
    strength: Array
    angles: Array
    shift: Array
    drawn: dict[str, Any]


def smoothstep(t: Array) -> Array:
    """Rise from 0 to 1 for t in 0..1, flat at both ends."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def wander(rng: np.random.Generator, frames: int, width: float) -> Array:
    """Return a smooth random curve ``(frames,)`` with standard deviation 1."""
    reach = int(3 * width) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    kernel /= np.sqrt((kernel**2).sum())
    return np.convolve(rng.normal(size=frames + 2 * reach), kernel, 'valid')


def draw_envelope(rng: np.random.Generator, frames: int) -> tuple[str, Array]:
    """Draw a timing and the course ``(frames,)`` of an expression, 0..1 of its apex."""
    # A pulse could pass between two of few frames.
    shown = [name for name in TIMINGS if frames >= FEW or name != 'pulse']
    chances = np.array([TIMINGS[name] for name in shown])
    timing = str(rng.choice(shown, p=chances / chances.sum()))
    rise, apex, fall = (rng.uniform(*RANGES[k]) for k in ('rise', 'apex', 'fall'))
    t = np.linspace(0, 1, frames)
    if timing == 'pulse':
        start = rng.uniform(-0.05, max(1.0 - rise - apex - fall, 0) + 0.05)
        end = start + rise + apex + fall
        course = smoothstep((t - start) / rise) * smoothstep((end - t) / fall)
    elif timing == 'comes':
        start = rng.uniform(0.0, 0.9 - rise - 0.15)
        course = smoothstep((t - start) / rise)
    elif timing == 'goes':
        end = rng.uniform(fall + 0.25, 1.0)
        course = smoothstep((end - t) / fall)
    else:
        course = np.ones(frames)
    # Nobody holds an expression still.
    return timing, course * np.clip(1 + 0.07 * wander(rng, frames, 2.5), 0.7, 1)


def _speech(rng: np.random.Generator, shapes: Shapes, frames: int) -> Array:
    """Weights (frames, k) of a mouth that talks for a part of the clip or all of it."""
    length = rng.uniform(0.35, 1.3) * frames
    start = rng.uniform(-0.3 * frames, max(frames - 0.7 * length, 1))
    times = np.arange(start, start + length, rng.uniform(1.3, 2.6))
    loud = rng.uniform(0.5, 1.1)
    mouths = [
        loud * rng.uniform(0.4, 1.0) * shapes.unit(str(rng.choice(SPEECH)))
        if i % 2 == 0
        else 0.15 * loud * shapes.unit(str(rng.choice(SPEECH)))
        for i in range(len(times))
    ]
    table = np.stack([np.zeros_like(mouths[0]), *mouths, np.zeros_like(mouths[0])])
    at = np.concatenate([[times[0] - 1.5], times, [times[-1] + 1.5]])
    moments = np.arange(frames)
    used = np.flatnonzero(table.any(0))
    spoken = np.zeros((frames, table.shape[1]), np.float32)
    for i in used:
        spoken[:, i] = np.interp(moments, at, table[:, i], left=0, right=0)
    return spoken


def _blinks(rng: np.random.Generator, frames: int) -> Array:
    """How far the lids are closed (frames,), up to two blinks."""
    closed = np.zeros(frames)
    moments = np.arange(frames)
    for at in rng.uniform(0, frames, rng.choice(3, p=(0.4, 0.45, 0.15))):
        blink = np.clip(1.5 - np.abs(moments - at) / rng.uniform(0.8, 1.6), 0, 1)
        closed = np.maximum(closed, blink)
    return closed


def write_script(
    rng: np.random.Generator,
    shapes: Shapes,
    label: int,
    frames: int,
    least: float = LEAST,
    variety: float = 0.0,
    further: np.random.Generator | None = None,
) -> Script:
    """Draw what happens in a clip.

    Args:
        rng: Random numbers.
        shapes: Weights of the head model's shapes.
        label: Index of the class.
        frames: Number of frames, T.
        least: Smallest intensity of the expression at its apex.
        variety: Probability of a further variant of the class (``variety.py``).
        further: Random numbers of what the variety adds, so that the rest of the clip
            is the same without it; None for no variety.
    """
    variant, gains = draw_expression(rng, label)
    if further is not None and further.random() < variety:
        variant, gains = draw_further(further, label) or (variant, gains)
    lids = gains.pop('43', 0.0)
    timing, course = draw_envelope(rng, frames)
    intensity = least + (1 - least) * rng.random() ** 0.5  # rather strong than weak
    lean = rng.normal(0, 0.1)
    strength = intensity * course * (label != NEUTRAL)
    shown = shapes.combine(gains, lean)
    if further is not None:
        shown = draw_style(further, shapes, shown)
    weights = strength[:, None] * shown
    drawn: dict[str, Any] = {
        'variant': variant or '-', 'timing': timing if label != NEUTRAL else '-',
        'intensity': intensity if label != NEUTRAL else 0.0, 'second': '-',
        'talks': False, 'ajar': False,
    }  # fmt: skip

    # A face at rest is not that of the photo: traces of any class.
    for one in rng.choice(len(LABELS), 2, replace=False):
        trace = draw_expression(rng, int(one))[1]
        weights = weights + rng.uniform(*RANGES['resting']) * shapes.combine(trace)
    if label != NEUTRAL and rng.random() < BLENDS:
        others = [i for i in range(len(LABELS)) if i not in (label, NEUTRAL)]
        other = int(rng.choice(others))
        weak = rng.uniform(*RANGES['second']) * draw_envelope(rng, frames)[1]
        blended = shapes.combine(draw_expression(rng, other)[1])
        weights = weights + (intensity * weak)[:, None] * blended
        drawn['second'] = LABELS[other]
    if rng.random() < SPEAKS:
        drawn['talks'] = True
        spoken = _speech(rng, shapes, frames)
        weights = weights + spoken * (1 - 0.6 * strength[:, None])
    if rng.random() < AJAR:
        mouth = shapes.unit(str(rng.choice(AJAR_UNITS)))
        weights = weights + rng.uniform(0.1, 0.6) * mouth
        drawn['ajar'] = True
    if rng.random() < TWITCHING:
        at, width = rng.uniform(0, frames), rng.uniform(0.8, 2.0)
        bump = np.exp(-0.5 * ((np.arange(frames) - at) / width) ** 2)
        unit = shapes.unit(str(rng.choice(TWITCHES)), rng.normal(0, 0.3))
        weights = weights + rng.uniform(0.15, 0.45) * bump[:, None] * unit
    weights = np.clip(weights, 0, 1.15) + draw_rest(rng, shapes)
    blinks = np.maximum(_blinks(rng, frames), np.clip(1.6 * lids * strength, 0, 1))
    if further is not None:
        blinks = np.maximum(blinks, draw_closure(further, frames))
    blinks = blinks[:, None]
    blink = shapes.unit('45')
    # A lid that closes leaves no wide or narrow eye.
    weights = weights * (1 - blinks * shapes.around_eyes) + blinks * blink
    weights = weights + _gaze(rng, shapes, frames)

    pose = np.radians(POSE) * rng.normal(size=3)
    moves = np.stack([wander(rng, frames, 4.0) for _ in range(3)], 1)
    calm = rng.uniform(0.2, 1.3)
    limits = np.radians((28.0, 16.0, 14.0))
    angles = np.clip(pose + calm * np.radians(MOTION) * moves, -limits, limits)
    shift = calm * 0.25 * np.stack([wander(rng, frames, 3.0) for _ in range(2)], 1)
    drawn.update(zip(('yaw', 'pitch', 'roll'), np.degrees(pose), strict=True))
    return Script(
        weights.astype(np.float32), strength.astype(np.float32), angles, shift, drawn
    )


def _gaze(rng: np.random.Generator, shapes: Shapes, frames: int) -> Array:
    """Weights (frames, k) of eyes that look around."""
    side = 0.25 * rng.normal() + 0.15 * wander(rng, frames, 2.0)
    high = 0.12 * rng.normal() + 0.08 * wander(rng, frames, 2.0)
    looks = np.zeros((frames, len(shapes.names)))
    for curve, there, back in (
        (side, ('eyeLookOut_L', 'eyeLookIn_R'), ('eyeLookIn_L', 'eyeLookOut_R')),
        (high, ('eyeLookUp_L', 'eyeLookUp_R'), ('eyeLookDown_L', 'eyeLookDown_R')),
    ):
        for sign, names in ((1, there), (-1, back)):
            share = np.clip(sign * curve, 0, 0.6)[:, None]
            looks += share * shapes.named(dict.fromkeys(names, 1.0))
    return looks
