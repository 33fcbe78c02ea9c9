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
    '1': {'browInnerUp': 1.1},
    '2': {'browOuterUp': 0.8},
    '4': {'browDown': 0.9, 'browKnit': 0.8, 'browLower': 0.8},
    # AU 4 beside AU 1: brows are drawn together, and hardly lowered.
    '4i': {'browDown': 0.35, 'browKnit': 0.9},
    '5': {'eyeWide': 1.0},
    '6': {'cheekSquint': 0.75, 'cheekRaiser': 0.4, 'eyeSquint': 0.15},
    '7': {'eyeSquint': 1.0},
    '9': {'noseSneer': 0.75},
    '10': {'mouthUpperUp': 0.6, 'noseSneer': 0.15},
    '11': {'mouthUpperUp': 0.3, 'noseSneer': 0.1},
    '12': {
        'mouthSmile': 1.0,
        'mouthStretch': 0.1,
        'mouthRollUpper': 0.2,
        'mouthRollLower': 0.25,
    },
    '15': {'mouthFrown': 0.75},
    '16': {'mouthLowerDown': 0.7},
    '17': {'mouthShrugLower': 0.8, 'mouthShrugUpper': 0.2},
    '20': {'mouthStretch': 0.9},
    '22': {'mouthFunnel': 0.55},
    '23': {'mouthPress': 0.4, 'mouthRollUpper': 0.35, 'mouthRollLower': 0.35},
    '24': {'mouthPress': 0.9, 'mouthRollLower': 0.2},
    '25': {'jawOpen': 0.1, 'mouthLowerDown': 0.25, 'mouthUpperUp': 0.15},
    '26': {'jawOpen': 0.35},
    # AU 25 and 26 of a smile: the upper lip is raised, the upper teeth are seen.
    '25s': {
        'mouthUpperUp': 0.8,
        'mouthLowerDown': 0.12,
        'mouthStretch': 0.2,
        'jawOpen': 0.06,
    },
    '26s': {'jawOpen': 0.13, 'mouthStretch': 0.15},
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
#: Units of the further variants (``variety.py``): lip corners drawn sideways more than
#: up, a jaw that a laugh opens wide, closed eyes.
FURTHER_UNITS: dict[str, dict[str, float]] = {
    '12w': {
        'mouthSmile': 0.6,
        'mouthStretch': 0.45,
        'mouthDimple': 0.3,
        'mouthRollLower': 0.2,
    },
    '27s': {'jawOpen': 0.4, 'mouthStretch': 0.15},
    '43': {'eyeBlink': 1.0},
}
SPEECH = 'talk', 'round', 'pucker', 'teeth', 'closed', '25', '26'
#: Units that move by chance in any class, one at a time and briefly.
TWITCHES = '1', '2', '14', 'left', 'right', 'puff', '7', '23'

#: Units of each class, one variant of which is drawn for each clip. ``B`` is FACS's
#: second of five grades, half the intensity. Sources: E: Ekman, Friesen and Hager, FACS
#: Investigator's Guide (2002), prototypes and major variants; D: Du, Tao and Martinez,
#: PNAS 111(15), 2014, Table 1, with units that only a part of the people showed; C:
#: Lucey et al., CK+ (2010), what a combination has to have.
PROTOTYPES: dict[str, tuple[str, ...]] = {
    'Happy': (
        '12', '6+12',  # E
        '12+25s', '6+12+25s',  # D
        '6+12+25s+26s', '6+12+25s+25+26s',  # C, jaw opened as in a laugh
    ),
    'Sad': (
        '1+4+15', '1+4+11+15B', '1+4+15B+17',  # E
        '1+4+15+25',  # E, which allows for AU 25 or 26 in all combinations
        '4+15+17', '1+4+6+15',  # D
    ),
    'Neutral': ('',),
    'Angry': (
        '4+5+7+23', '4+5+7+24', '4+5+7+17+23', '4+5+7+17+24',  # E
        '4+5+7+10+23+25', '4+5+7+10+22+23+25', '4+5+7+10+23+25+26',  # E
        '4+7+24', '4+7+17+24',  # D
    ),
    'Surprise': (
        '1+2+5B+26', '1+2+5B+27', '1+2+5B', '1+2+26',  # E
        '1+2+25+26', '1+2+5+25+26',  # D
    ),
    'Disgust': (
        '9', '9+17', '9+15+16+26', '10', '10+17', '10+16+25',  # E
        '9+10+17', '4+9+10+17',  # D
        '9+10+25',  # C
    ),
    'Fear': (
        '1+2+4+5+20+25', '1+2+4+5+20+26', '1+2+4+5+25', '1+2+4+5+26', '1+2+4+5',  # E
        '1+4+20+25', '1+4+5+20+25+26',  # D
    ),
}  # fmt: skip
#: Factor of each unit, drawn from this range for each clip, and the probability that a
#: unit beyond the first two is missing.
GAIN, MISSING = (0.7, 1.1), 0.08
#: Standard deviations of the weights of shapes in a face at rest.
REST = {
    'browInnerUp': 0.12, 'browOuterUp': 0.10, 'browDown': 0.12, 'browKnit': 0.12,
    'browLower': 0.12, 'eyeWide': 0.12, 'eyeSquint': 0.15, 'cheekSquint': 0.08,
    'mouthSmile': 0.07, 'mouthFrown': 0.10, 'mouthDimple': 0.10, 'mouthStretch': 0.08,
    'mouthPress': 0.10, 'mouthPucker': 0.08, 'mouthUpperUp': 0.04,
    'mouthLowerDown': 0.06, 'mouthRollLower': 0.08, 'mouthShrugLower': 0.08,
    'cheekPuff': 0.10, 'jawForward': 0.15, 'noseSneer': 0.04,
}  # fmt: skip
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
        for shape, strength in (UNITS | FURTHER_UNITS)[name].items():
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


def units_of(variant: str) -> dict[str, float]:
    """Return the units, keys of UNITS, and intensities of a variant: ``'1+4+15B'``."""
    units = [unit for unit in variant.split('+') if unit]
    keys = {unit.removesuffix('B'): 0.5 if 'B' in unit else 1.0 for unit in units}
    together = '4' in keys and '1' in keys
    return {'4i' if k == '4' and together else k: grade for k, grade in keys.items()}


def draw_rest(rng: np.random.Generator, shapes: Shapes) -> Array:
    """Draw the weights ``(k,)`` of a face at rest: faces differ in both directions."""
    weights = np.zeros(len(shapes.names), np.float32)
    for shape, spread in REST.items():
        both = rng.normal(0, spread)
        for side in ('', '_L', '_R'):
            i = shapes.index.get(shape + side)
            if i is not None:
                weights[i] = np.clip(both + rng.normal(0, 0.25 * spread), -0.3, 0.3)
    return weights


def draw_gains(rng: np.random.Generator, variant: str) -> dict[str, float]:
    """Draw the gain of each unit of a variant; some of its last units are missing."""
    gains: dict[str, float] = {}
    for i, (unit, grade) in enumerate(units_of(variant).items()):
        gain, kept = float(rng.uniform(*GAIN)), rng.random() >= MISSING
        if i < 2 or kept:
            gains[unit] = gain * grade
    return gains


def draw_expression(
    rng: np.random.Generator, label: int
) -> tuple[str, dict[str, float]]:
    """Draw a variant of a class and the gain of each of its units."""
    variants = PROTOTYPES[LABELS[label]]
    variant = variants[rng.integers(len(variants))]
    return variant, draw_gains(rng, variant)
