"""Mix the skin of two photographed people, so that a set has more faces than photos."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from .portrait import Portrait
from .raster import draw_triangles

Array = np.ndarray

#: Width of the border of the face, in shares of the width of the texture, over which
#: the other person's skin fades out.
BORDER = 0.07
#: Limits of the change of color: gloss on dark skin would be spots on pale skin.
GAINS = 0.5, 1.8


def mix_skin(portrait: Portrait, other: Portrait, share: float) -> Portrait:
    """Return a person with a part of another one's brows, lips and skin.

    The other face is drawn where this one lies in its photo: both heads were bent to
    the landmarks of their photos, so that each vertex is the same place of both faces.
    Its colors are made as bright and as red, green and blue as those of this face on
    average, and fade out toward the border of the face: hair, ears and neck remain.

    Args:
        portrait: The person.
        other: The other one.
        share: Share of the other one's skin, 0..1.
    """
    own = portrait.solid[0][..., :3]
    edge = own.shape[0]
    place = np.concatenate([portrait.uv * edge, portrait.points[:, 2:]], 1)
    face = portrait.triangles[0]
    drawn = own.copy()
    depth = np.full((edge, edge), -1e3, np.float32)
    white = np.ones((len(other.uv), 3), np.float32)
    draw_triangles(
        drawn, depth, place.astype(np.float32), face, other.solid[0],
        other.uv * np.float32(other.solid[0].shape[0]), white,
    )  # fmt: skip
    inside = (depth > -1e3).astype(np.uint8)
    away = cv2.distanceTransform(inside, cv2.DIST_L2, 3) / (BORDER * edge)
    fade = np.clip(away, 0, 1)[..., None]
    fade = fade * fade * (3 - 2 * fade)
    middle = fade[..., 0] > 0.99
    if middle.any():
        gain = own[middle].mean(0) / np.maximum(drawn[middle].mean(0), 0.02)
        drawn *= np.clip(gain, *GAINS)
    mixed = np.clip(own + share * fade * (drawn - own), 0, 1).astype(np.float32)
    solid, textures = [], []
    for old in portrait.textures:
        size = old.shape[0]
        small = cv2.resize(mixed, (size, size), interpolation=cv2.INTER_AREA)
        textures.append(np.dstack([small, old[..., 3]]))
        solid.append(np.dstack([small, np.ones(old.shape[:2], np.float32)]))
    return replace(portrait, textures=tuple(textures), solid=tuple(solid))
