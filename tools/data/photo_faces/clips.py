"""Draw the clips of one person."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from .actions import Shapes
from .degrade import Camera
from .framing import Framing
from .hand import Hand
from .portrait import Portrait, change_shape
from .render import View, draw_background, draw_person
from .script import LEAST, wander, write_script

Array = np.ndarray

#: Height of the detector's box, and what is drawn, in units of the head model.
BOX, SEEN = 18.0, 38.0
#: Pixels of the drawn face for each pixel of the crop.
OVERSAMPLING = 1.6
#: Standard deviations of the logarithm of the brightness and of RGB of the skin; depth
#: of the lines of the skin.
TONE, HUE, LINES = 0.12, 0.035, (0.05, 1.0)
#: Probability that the photo's own background is kept.
OWN_BACKGROUND = 0.25


def draw_clip(
    portrait: Portrait,
    shapes: Shapes,
    framing: Framing,
    rng: np.random.Generator,
    label: int,
    frames: int,
    size: int,
    change: float = 0.0,
    intensity: float = LEAST,
    variety: float = 0.0,
    hands: float = 0.0,
    further: np.random.Generator | None = None,
) -> tuple[list[Array], Array, dict[str, Any]]:
    """Draw a clip of a class.

    Args:
        portrait: The person.
        shapes: Weights of the head model's shapes.
        framing: Crops to the face.
        rng: Random numbers.
        label: Index of the class.
        frames: Number of frames, T.
        size: Width and height of a frame, in pixels.
        change: How much the shape of the face differs from that of the person; see
            :func:`change_shape`.
        intensity: Smallest intensity of the expression at its apex.
        variety: Probability of a further variant of the class (``variety.py``).
        hands: Probability of a hand in front of the face.
        further: Random numbers of variety and hands.

    Returns:
        The frames, ``(size, size, 3)`` uint8 RGB each; the intensity ``(T,)`` of the
        expression; and what was drawn, by name.
    """
    if change:
        portrait = change_shape(portrait, shapes.names, rng, change)
        shapes = Shapes(shapes.names, portrait.blink)
    script = write_script(
        rng, shapes, label, frames, intensity, variety, further if variety else None
    )
    hand = None
    if hands and further is not None:
        script.drawn['hand'] = bool(further.random() < hands)
        hand = Hand(further, frames) if script.drawn['hand'] else None
    # Whose skin it is must not be told by its color, nor by a mole on the left.
    tint = np.exp(rng.normal(0, TONE) + rng.normal(0, HUE, 3))
    mirrored = bool(rng.random() < 0.5)
    lines = float(rng.uniform(*LINES))
    scale = OVERSAMPLING * size / (1.2 * BOX)
    edge = round(SEEN * scale)
    camera = Camera(rng, edge, portrait.brightness * float(tint.mean()))
    room = draw_background(rng, edge)
    if rng.random() < OWN_BACKGROUND:
        room = np.broadcast_to(portrait.background, room.shape).astype(np.float32)
    zoom = 1 + 0.03 * wander(rng, frames, 6.0) * rng.random()
    turn, height = rng.uniform(-1.4, 1.4), rng.uniform(-0.2, 1.0)
    turns = turn + 0.15 * wander(rng, frames, 6.0)
    share = float(rng.uniform(0, 0.6)) * (rng.random() < 0.8)
    distance = rng.uniform(45, 120)
    flicker = 1 + 0.015 * wander(rng, frames, 3.0)
    place = rng.uniform(-0.8, 0.8, 2) + (0, 1.0)

    shown, middles = [], []
    for i in range(frames):
        light = np.array(
            [
                np.sin(turns[i]) * np.cos(height),
                np.sin(height),
                np.cos(turns[i]) * np.cos(height),
            ]
        )
        view = View(
            tuple(script.angles[i]), tuple(place + script.shift[i]), scale * zoom[i],
            distance, light, share, flicker[i] * tint, lines,
        )  # fmt: skip
        image, face = draw_person(portrait, script.weights[i], view, room)
        if hand is not None:
            image = hand.cover(image, face, view.scale, i)
        shown.append(image)
        middles.append(face.mean(0))
    if mirrored:
        shown = [np.ascontiguousarray(image[:, ::-1]) for image in shown]
        middles = [np.array([edge - x, y]) for x, y in middles]
        for name in ('yaw', 'roll'):
            script.drawn[name] = -script.drawn[name]
    speeds = np.gradient(np.stack(middles), axis=0)
    taken = [camera.take(*pair) for pair in zip(shown, speeds, strict=True)]
    taken = camera.record(taken)
    boxes, found = framing.boxes(taken)
    if boxes is None:
        # The box that the detector has on average, around the face.
        ratio = camera.size / edge
        center = np.stack(middles) * ratio
        half = BOX / 2 * scale * ratio
        boxes = np.concatenate([center - half, center + half], 1)
    drawn = {
        **script.drawn, **camera.drawn, 'light': share, 'lines': lines,
        'tone': float(tint.mean()), 'mirrored': mirrored, 'detected': found,
    }  # fmt: skip
    return framing.crop(taken, boxes, size), script.strength, drawn


def encode(frame: Array, quality: int = 95) -> bytes:
    """Return a frame ``(H, W, 3)`` uint8 RGB as JPEG."""
    return cv2.imencode('.jpg', frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[
        1
    ].tobytes()
