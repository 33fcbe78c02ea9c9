"""What ``--variety`` adds: further variants, crying among them, styles, closed eyes."""

from __future__ import annotations

import numpy as np

from .actions import LABELS, Shapes, draw_gains

Array = np.ndarray

#: Further variants of the classes. Sources, beside E and D of ``actions.PROTOTYPES``:
#: W: Darwin, The Expression of the Emotions in Man and Animals (1872), chapters VI and
#: VII, in units of FACS: who weeps closes the eyes (43), contracts the muscles around
#: them (6, 7), draws the brows together (4), and the mouth is squared or its corners
#: are drawn down (10, 15, 20); chapter VIII: laughter narrows and closes the eyes. O:
#: our own, lips that are drawn sideways (12w) more than up.
FURTHER: dict[str, tuple[str, ...]] = {
    'Happy': (
        '12w', '6+12w', '12w+25s', '6+12w+25s',  # O
        '6+7+12+25s+26s+43', '6+12+25s+27s',  # W
    ),
    'Sad': (
        '6+15', '11+17', '1+4+11', '11+15B',  # E
        '4+6+7+15+17', '1+4+6+15+17+20B+43', '1+4+6+7+17+20+43',  # W
        '1+4+6+10+20+25+26+43', '4+6+7+10+15+25', '1+4+6+7+15+20+25+26',  # W
    ),
    'Angry': (
        '4+5+7+10+25+26', '4+7+10+23+25+26', '4+5+7+25+27',  # E, some units missing
    ),
    'Surprise': ('1+2+27', '5B+26', '5B+27'),  # E
    'Disgust': (
        '9+10+25+26', '9+16+25', '10+25', '4+9', '4+9+17', '4+7+10+17',  # E and D
    ),
    'Fear': (
        '5+20', '5+20+25', '5+20+26', '5+20+27', '1+2+4+5+20+27',  # E
    ),
}  # fmt: skip
#: Standard deviation of the logarithm of the strength of each shape in a clip: no two
#: people smile with the same muscles. Largest weight of a neighboring shape.
SPREAD, NEIGHBOR = 0.3, 0.15
#: Parts of the face whose shapes are neighbors.
PARTS = ('brow', 'eye', 'cheek'), ('mouth', 'jaw', 'nose')
#: Not neighbors: what looks elsewhere, closes the eyes or opens the mouth.
APART = 'eyeLook', 'eyeBlink', 'jawOpen', 'jawForward', 'mouthFunnel', 'mouthPucker'
#: Probability that the eyes are closed for a while, and for how long, share of a clip.
CLOSED, WHILE = 0.12, (0.2, 1.0)


def draw_further(
    rng: np.random.Generator, label: int
) -> tuple[str, dict[str, float]] | None:
    """Draw a further variant of a class and the gains of its units, if it has any."""
    variants = FURTHER.get(LABELS[label])
    if variants is None:
        return None
    variant = variants[rng.integers(len(variants))]
    return variant, draw_gains(rng, variant)


def draw_style(rng: np.random.Generator, shapes: Shapes, weights: Array) -> Array:
    """Return an expression ``(k,)`` as one person shows it.

    Args:
        rng: Random numbers.
        shapes: Weights of the head model's shapes.
        weights: The expression ``(k,)`` as all show it.
    """
    pairs = sorted({name.rsplit('_', 1)[0] for name in shapes.names})
    factors = dict(zip(pairs, np.exp(rng.normal(0, SPREAD, len(pairs))), strict=True))
    added = dict(zip(pairs, rng.uniform(0, 1, len(pairs)), strict=True))
    chosen = set(rng.choice(pairs, 4, replace=False))
    styled = weights.copy()
    for name, i in shapes.index.items():
        pair = name.rsplit('_', 1)[0]
        styled[i] *= factors[pair]
        part = next((p for p in PARTS if pair.startswith(p)), None)
        if part is None or pair not in chosen or pair.startswith(APART):
            continue
        near = [j for other, j in shapes.index.items() if other.startswith(part)]
        styled[i] += NEIGHBOR * added[pair] * np.abs(weights[near]).max()
    return styled


def draw_closure(rng: np.random.Generator, frames: int) -> Array:
    """Return how far the eyes are closed ``(frames,)``, 0..1, apart from blinks."""
    closed = np.zeros(frames)
    if rng.random() < CLOSED:
        length = rng.uniform(*WHILE) * frames
        start = rng.uniform(-0.3 * length, frames - 0.5 * length)
        edge = np.minimum(np.arange(frames) - start, start + length - np.arange(frames))
        closed = np.clip(edge / 1.5, 0, 1) * rng.uniform(0.7, 1.0)
    return closed
