"""Separate the person of a portrait from the background."""

from __future__ import annotations

import cv2
import numpy as np

Array = np.ndarray

#: Longer side at which GrabCut runs, in pixels, and its number of iterations.
EDGE, ITERATIONS = 192, 3


def person_matte(image: Array, outline: Array, inside: Array) -> Array:
    """Return the coverage ``(S, S)`` float32 in 0..1 of the person.

    GrabCut (Rother et al. 2004) with the face as known foreground, and the left and
    right edges beside and above the head as known background.

    Args:
        image: ``(S, S, 3)`` uint8, RGB.
        outline: Points around the face, ``(m, 2)``, in pixels.
        inside: Pixels that belong to the photo, ``(S, S)`` bool.
    """
    edge = image.shape[0]
    scale = EDGE / edge
    small = cv2.resize(image, (EDGE, EDGE), interpolation=cv2.INTER_AREA)
    known = cv2.resize(inside.astype(np.uint8), (EDGE, EDGE)) > 0
    face = np.zeros((EDGE, EDGE), np.uint8)
    hull = cv2.convexHull(np.rint(outline * scale).astype(np.int32))
    cv2.fillConvexPoly(face, hull, 1)
    left, top = outline.min(0) * scale
    right, bottom = outline.max(0) * scale
    width = right - left
    mask = np.full((EDGE, EDGE), cv2.GC_PR_BGD, np.uint8)
    ys, xs = np.mgrid[:EDGE, :EDGE]
    near = (abs(xs - (left + right) / 2) < 0.85 * width) & (ys > top - 0.5 * width)
    mask[near] = cv2.GC_PR_FGD
    # Shoulders: white clothes look like the background.
    middle = abs(xs - (left + right) / 2)
    body = middle < 0.3 * width + 1.6 * (ys - bottom - 0.25 * width)
    mask[(ys > bottom + 0.25 * width) & body] = cv2.GC_FGD
    far = (abs(xs - (left + right) / 2) > 1.25 * width) & (ys < bottom)
    columns = np.flatnonzero(known.any(0))
    rows = np.flatnonzero(known.any(1))
    rim = (
        (xs < columns[0] + 3) | (xs > columns[-1] - 3) | (ys < rows[0] + 2)
    ) & (ys < bottom)  # fmt: skip
    mask[far | rim | ~known] = cv2.GC_BGD
    neck = (abs(xs - (left + right) / 2) < 0.3 * width) & (ys > bottom - 2)
    mask[(face > 0) | (neck & known)] = cv2.GC_FGD
    cv2.setRNGSeed(0)
    cv2.grabCut(
        cv2.cvtColor(small, cv2.COLOR_RGB2BGR), mask, None, np.zeros((1, 65)),
        np.zeros((1, 65)), ITERATIONS, cv2.GC_INIT_WITH_MASK,
    )  # fmt: skip
    person = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    person = cv2.morphologyEx(person, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    # Only what is connected with the face.
    _, parts = cv2.connectedComponents(person)
    row, column = np.rint(outline.mean(0) * scale).astype(int)[::-1]
    person = (parts == parts[row, column]).astype(np.float32)
    person = cv2.resize(person, (edge, edge), interpolation=cv2.INTER_CUBIC)
    person = cv2.GaussianBlur(person, (0, 0), edge / 300)
    # Half a pixel less of the outline: it is mixed with the old background.
    return np.clip((person - 0.35) / 0.55, 0, 1).astype(np.float32) * inside
