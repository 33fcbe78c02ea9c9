"""Test clips of real photographs: still neutral, and neutral faded to a smile."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from ifdd_mmaction.errors import InputError
from ifdd_mmaction.faces.crop import similarity

from .actions import LABELS, NEUTRAL
from .framing import Framing
from .people import Person, read_photo
from .script import wander

Array = np.ndarray

HAPPY = LABELS.index('Happy')
#: Edge of the frames that are searched and cropped, in pixels; width of the detected
#: face in them, as a share.
EDGE, SHARE = 320, 0.38
#: Ranges of the start and the duration of the fade, as shares of the clip.
START, FADE = (0.06, 0.38), (0.06, 0.2)


def photo_clips(
    person: Person,
    photo: Array,
    framing: Framing,
    rng: np.random.Generator,
    label: int,
    frames: int,
    size: int,
) -> tuple[list[Array], Array, dict[str, Any]]:
    """Return a clip of a person's photos; see ``clips.draw_clip``.

    Both photos are moved to the same place, scale and roll by their five landmarks; the
    frames drift by about a pixel, as a face does that is held still. What is drawn has
    the strength of the smile: by how much the mouth gets wider, in distances of the
    eyes.

    Raises:
        InputError: If no face is found in a photo.
    """
    first, place, width = _still(person.photo, photo, framing, None)
    second, smile_width = first, width
    if label == HAPPY:
        if person.smile is None:
            raise InputError(f'{person.photo} has no photo of a smile beside it')
        smile = read_photo(person.smile)
        second, _, smile_width = _still(person.smile, smile, framing, place)
    begin, fade = rng.uniform(*START), rng.uniform(*FADE)
    course = np.clip((np.linspace(0, 1, frames) - begin) / fade, 0, 1)
    course = course * (label != NEUTRAL)
    drift = np.stack([wander(rng, frames, 3.0) for _ in range(2)], 1)
    shown = []
    for share, (x, y) in zip(course, drift, strict=True):
        image = (1 - share) * first + share * second
        shift = np.array([[1, 0, x], [0, 1, y]])
        moved = cv2.warpAffine(
            image, shift, (EDGE, EDGE), borderMode=cv2.BORDER_REPLICATE
        )
        shown.append(np.clip(np.rint(moved), 0, 255).astype(np.uint8))
    boxes, found = framing.boxes(shown)
    if boxes is None:
        raise InputError(f'{person.photo}: no face was found in the clip')
    drawn = {'start': begin, 'fade': fade, 'detected': found}
    drawn['smile'] = smile_width - width
    return framing.crop(shown, boxes, size), course, drawn


def _still(
    path, photo: Array, framing: Framing, place: Array | None
) -> tuple[Array, Array, float]:
    """A photo (EDGE, EDGE, 3), the place (5, 2) of its landmarks, width of the mouth.

    The width is that between its corners, in distances of the eyes.
    """
    points = framing.landmarks(photo)
    if points is None:
        raise InputError(f'{path}: the detector found no face in it')
    if place is None:
        # Upright, the face in the middle.
        across = points[1] - points[0]
        down = points[3:].mean(0) - points[:2].mean(0)
        scale = SHARE * EDGE / (1.3 * np.hypot(*across) + 0.9 * np.hypot(*down))
        angle = np.arctan2(across[1], across[0])
        turn = scale * np.array(
            [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
        )
        middle = points[:2].mean(0) + 0.45 * down
        place = (points - middle) @ turn.T + EDGE / 2
    matrix = similarity(points, place)
    scale = float(np.hypot(*matrix[:, 0]))
    photo = cv2.GaussianBlur(photo, (0, 0), max(0.45 / scale, 0.3))
    still = cv2.warpAffine(
        photo, matrix, (EDGE, EDGE), flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    eyes, mouth = (np.hypot(*(points[i + 1] - points[i])) for i in (0, 3))
    return still.astype(np.float32), place, float(mouth / eyes)
