"""Fit the head model to the landmarks of a photo, and bend it to meet them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .heads import HeadModel
from .landmarks import Anchors

Array = np.ndarray

ITERATIONS = 12
#: Weight of the prior of the identity modes (standard normal) against the landmarks.
PRIOR = 0.02
#: Standard deviation of the angles, in radians: without depth, modes of identity can
#: take the place of a pitch, and portraits are frontal.
POSE = 0.02
#: Widths of the two Gaussian kernels of the bending, and the ridge of each.
KERNELS = ((3.0, 0.15), (0.9, 0.1))


@dataclass(frozen=True)
class Fit:
    """A head that lies over a photo.

    Attributes:
        points: Vertices of the head in the photo's pose, bent, ``(n, 3)`` float32;
            model units, y up.
        smooth: The same before the bending, which leaves small dents.
        rotation: Rotation ``(3, 3)`` from the frontal head to that pose.
        scale: Pixels of the photo per model unit.
        offset: Position of the model's origin in the photo, ``(2,)``, in pixels.
        error: Weighted root mean square distance of the landmarks before the bending,
            in model units (about 1 cm).
        bent: The same after the bending.
    """

    points: Array
    smooth: Array
    rotation: Array
    scale: float
    offset: Array
    error: float
    bent: float

    def project(self, points: Array) -> Array:
        """Return the pixels ``(n, 2)`` of points ``(n, 3)`` in the photo's pose."""
        return points[:, :2] * (self.scale, -self.scale) + self.offset


def rotation_matrix(yaw: float, pitch: float, roll: float) -> Array:
    """Return the rotation ``(3, 3)`` by yaw, then pitch, then roll, in radians."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def fit_head(model: HeadModel, anchors: Anchors) -> Fit:
    """Fit pose, scale and identity modes by Gauss-Newton, then bend the head.

    The camera is orthographic. With anchors that are not complete, the shape is that of
    the mean head, up to the bending.
    """
    target, weights = anchors.targets * (1, -1), anchors.weights
    mean = np.stack([model.mean[one].mean(0) for one in anchors.vertices])
    modes = np.stack([model.identity[:, one].mean(1) for one in anchors.vertices], 1)
    modes = modes.astype(float)
    prior = PRIOR if anchors.complete else 1e3
    count = len(modes)
    chosen, angles = np.zeros(count), np.zeros(3)

    def residual() -> tuple[Array, Array, float, Array]:
        points = mean + np.tensordot(chosen, modes, 1)
        flat = (points @ rotation_matrix(*angles).T)[:, :2]
        middle = np.average(flat, axis=0, weights=weights)
        aim = np.average(target, axis=0, weights=weights)
        around = flat - middle
        scale = float(
            (weights[:, None] * around * (target - aim)).sum()
            / (weights[:, None] * around**2).sum()
        )
        offset = aim - scale * middle
        return points, (target - offset) / scale - flat, scale, offset

    for _ in range(ITERATIONS):
        points, left, _, _ = residual()
        rotation = rotation_matrix(*angles)
        flat = (points @ rotation.T)[:, :2]
        turned = [
            (points @ rotation_matrix(*(angles + step)).T)[:, :2] - flat
            for step in 1e-3 * np.eye(3)
        ]
        # Scale and offset are solved for in `residual`, but change with the others.
        shifts = np.eye(2)[:, None] * np.ones((1, len(flat), 1))
        rigid = np.concatenate([flat[None], shifts])
        columns = [np.stack(turned) / 1e-3, (modes @ rotation.T)[..., :2], rigid]
        jacobian = np.concatenate(columns).reshape(6 + count, -1).T
        each = np.repeat(weights, 2)[:, None]
        ridge = np.concatenate(
            [np.full(3, PRIOR / POSE**2), np.full(count, prior), [1e-6] * 3]
        )
        pull = ridge * np.concatenate([-angles, -chosen, np.zeros(3)])
        step = np.linalg.solve(
            (jacobian * each).T @ jacobian + np.diag(ridge),
            (jacobian * each).T @ left.reshape(-1) + pull,
        )
        angles, chosen = angles + step[:3], chosen + step[3:-3]

    _, left, scale, offset = residual()
    rotation = rotation_matrix(*angles)
    shape = model.mean + np.tensordot(chosen.astype(np.float32), model.identity, 1)
    posed = shape @ rotation.T.astype(np.float32)
    bent, remaining = bend(posed, anchors.vertices, left)

    def rms(distance: Array) -> float:
        squares = weights * (distance**2).sum(1)
        return float(np.sqrt(squares.sum() / weights.sum()))

    return Fit(
        points=bent, smooth=posed, rotation=rotation, scale=scale,
        offset=offset * (1, -1), error=rms(left), bent=rms(remaining),
    )  # fmt: skip


def bend(points: Array, vertices: list[Array], left: Array) -> tuple[Array, Array]:
    """Move a head so that its anchors move by given distances, smoothly in between.

    Args:
        points: Vertices, ``(n, 3)`` float32.
        vertices: Vertices of each anchor.
        left: Distance by which each anchor has to move in x and y, ``(k, 2)``.

    Returns:
        The vertices moved, and the distances that remain.
    """
    moved = points.copy()
    for width, ridge in KERNELS:
        sources = np.stack([points[one].mean(0) for one in vertices])
        apart = np.linalg.norm(sources[:, None] - sources[None], axis=2)
        kernel = np.exp(-((apart / width) ** 2))
        strength = np.linalg.solve(kernel + ridge * np.eye(len(kernel)), left)
        left = left - kernel @ strength
        for begin in range(0, len(points), 4096):
            part = points[begin : begin + 4096]
            squares = ((part[:, None] - sources[None]) ** 2).sum(2)
            moved[begin : begin + 4096, :2] += np.exp(-squares / width**2) @ strength
    return moved, left
