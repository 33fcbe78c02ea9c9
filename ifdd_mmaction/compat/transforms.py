"""Corrections of MMAction2's transforms."""

from collections.abc import Callable

import cv2
import numpy as np


def shift_hue_below_zero() -> None:
    """Let ColorJitter shift the hue down under NumPy 2; no issue names it.

    It adds a negative number to unsigned bytes. NumPy 1 computes with wider integers
    there, NumPy 2 raises OverflowError; the numbers here are those of NumPy 1.
    """
    from mmaction.datasets.transforms import ColorJitter

    upstream: Callable[..., np.ndarray] = ColorJitter.adjust_hue
    if upstream.__module__ == __name__:
        return

    def adjust_hue(img: np.ndarray, factor: float) -> np.ndarray:
        offset = int(factor * 255)
        if offset >= 0:
            return upstream(img, factor)
        hsv = cv2.cvtColor(np.clip(img, 0, 255).astype(np.uint8), cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(np.int16) + offset) % 180
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)

    ColorJitter.adjust_hue = staticmethod(adjust_hue)
