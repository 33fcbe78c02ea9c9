"""Facial actions: FACS units as shapes of the head model, and prototypes of classes."""

from __future__ import annotations

import numpy as np

Array = np.ndarray

LABELS = ('Happy', 'Sad', 'Neutral', 'Angry', 'Surprise', 'Disgust', 'Fear')
NEUTRAL = LABELS.index('Neutral')

#: Shapes of each unit at full intensity; both sides where there are two. From the table
#: of ICT-FaceKit's README; AU 10, 11, 23, 25 and 26, which have no shape or another
#: one there, are the nearest combinations.
UNITS: dict[str, dict[str, float]] = {
    '1': {'browInnerUp': 1.0},
    '2': {'browOuterUp': 1.0},
    '4': {'browDown': 1.0},
    '5': {'eyeWide': 1.0},
    '6': {'cheekSquint': 0.75, 'cheekRaiser': 0.4, 'eyeSquint': 0.15},
    '7': {'eyeSquint': 1.0},
    '9': {'noseSneer': 0.75},
    '10': {'mouthUpperUp': 0.6, 'noseSneer': 0.15},
    '11': {'mouthUpperUp': 0.3, 'noseSneer': 0.1},
    '12': {'mouthSmile': 1.0, 'mouthStretch': 0.15, 'mouthUpperUp': 0.15},
    '15': {'mouthFrown': 1.0},
    '16': {'mouthLowerDown': 0.7},
    '17': {'mouthShrugLower': 0.8, 'mouthShrugUpper': 0.2},
    '20': {'mouthStretch': 0.9},
    '23': {'mouthPress': 0.4, 'mouthRollUpper': 0.35, 'mouthRollLower': 0.35},
    '24': {'mouthPress': 0.9, 'mouthRollLower': 0.2},
    '25': {'jawOpen': 0.1, 'mouthLowerDown': 0.25, 'mouthUpperUp': 0.15},
    '26': {'jawOpen': 0.35},
    '27': {'jawOpen': 0.75},
    'talk': {'jawOpen': 0.3},
    'round': {'mouthFunnel': 0.6, 'jawOpen': 0.12},
    'pucker': {'mouthPucker': 0.7},
    'teeth': {'mouthUpperUp': 0.25, 'mouthLowerDown': 0.45, 'jawOpen': 0.06},
    'closed': {'mouthRollLower': 0.5, 'mouthRollUpper': 0.4},
    '14': {'mouthDimple': 1.0},
    '45': {'eyeBlink': 1.0},
    'left': {'mouthLeft': 1.0},
    'right': {'mouthRight': 1.0},
    'puff': {'cheekPuff': 0.7},
}
SPEECH = 'talk', 'round', 'pucker', 'teeth', 'closed', '25', '26'
#: Units that move by chance in any class, one at a time and briefly.
TWITCHES = '1', '2', '14', 'left', 'right', 'puff', '7', '23'

#: Units of each class, one variant of which is drawn for each clip, after the
#: prototypes and variants of Ekman, Friesen and Hager (FACS Investigator's Guide),
#: Du, Tao and Martinez (2014) and Lucey et al. (CK+, 2010); not all are listed there.
PROTOTYPES: dict[str, tuple[str, ...]] = {
    'Happy': ('6+12', '12+25', '6+12+25', '6+12+25+26', '12'),
    'Sad': ('1+4+15', '1+4+11+15', '4+15+17', '1+4+15+17', '1+4+6+15'),
    'Neutral': ('',),
    'Angry': ('4+5+7+23', '4+7+24', '4+5+7+10+25+26', '4+7+17+23', '4+5+7+17+24'),
    'Surprise': ('1+2+5+26', '1+2+5+27', '1+2+26', '1+2+5+25+26'),
    'Disgust': ('9+15+16', '10+17', '4+9+10+17', '9+17', '9+10+25', '10+16+25'),
    'Fear': ('1+2+4+5+20+25', '1+2+4+5+7+20+26', '1+2+4+5+25', '1+4+5+20+25+26'),
}
#: Factor of each unit, drawn from this range for each clip, and the probability that a
#: unit beyond the first two is missing.
GAIN, MISSING = (0.7, 1.1), 0.08
#: Standard deviation of the difference between the sides, as a share.
ASYMMETRY = 0.1


class Shapes:
    """Weights of the head model's shapes.

    Args:
        names: Names of the shapes.
        blink: Factor of the blink of each side that closes the eye of this head.
    """

    def __init__(self, names: tuple[str, ...], blink: tuple[float, float]) -> None:
        self.names = names
        self.index = {name: i for i, name in enumerate(names)}
        self.blink = dict(zip(('_L', '_R'), blink, strict=True))
        eyes = [name.startswith(('eyeWide', 'eyeSquint')) for name in names]
        #: 1 for the shapes that open or narrow the eyes, ``(k,)``.
        self.around_eyes = np.array(eyes, float)

    def unit(self, name: str, asymmetry: float = 0.0) -> Array:
        """Return the weights ``(k,)`` of a unit at full intensity."""
        weights = np.zeros(len(self.names), np.float32)
        for shape, strength in UNITS[name].items():
            for side, sign in (('', 0.0), ('_L', 1.0), ('_R', -1.0)):
                i = self.index.get(shape + side)
                if i is not None:
                    weights[i] += strength * (1 + sign * asymmetry)
                    if shape == 'eyeBlink':
                        weights[i] *= self.blink[side]
        return weights

    def combine(self, gains: dict[str, float], asymmetry: float = 0.0) -> Array:
        """Return the weights ``(k,)`` of several units with their intensities."""
        weights = np.zeros(len(self.names), np.float32)
        for name, gain in gains.items():
            weights += gain * self.unit(name, asymmetry)
        return weights

    def named(self, shapes: dict[str, float]) -> Array:
        """Return the weights ``(k,)`` of shapes by their full names."""
        weights = np.zeros(len(self.names), np.float32)
        for name, strength in shapes.items():
            if name in self.index:
                weights[self.index[name]] = strength
        return weights


def draw_expression(
    rng: np.random.Generator, label: int
) -> tuple[str, dict[str, float]]:
    """Draw a variant of a class and the gain of each of its units."""
    variants = PROTOTYPES[LABELS[label]]
    variant = variants[rng.integers(len(variants))]
    gains: dict[str, float] = {}
    for i, unit in enumerate(filter(None, variant.split('+'))):
        gain, kept = float(rng.uniform(*GAIN)), rng.random() >= MISSING
        if i < 2 or kept:
            gains[unit] = gain
    return variant, gains
