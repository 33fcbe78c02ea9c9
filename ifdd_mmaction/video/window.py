"""A window on the screen, where there is one."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np

from ..errors import InputError

#: Opens a window in a process of its own: without a display, Qt ends its process.
TRIAL = 'import cv2; cv2.namedWindow("trial"); cv2.waitKey(1)'


def has_display() -> bool:
    """Tell whether OpenCV is built with windows, and there is a display.

    Example:
        >>> from ifdd_mmaction.video.window import has_display
        >>> has_display() in (True, False)
        True
    """
    variables = ('DISPLAY', 'WAYLAND_DISPLAY')
    if sys.platform.startswith('linux') and not any(map(os.environ.get, variables)):
        return False
    try:
        trial = subprocess.run(
            [sys.executable, '-c', TRIAL], capture_output=True, timeout=20
        )
    except subprocess.TimeoutExpired:
        return False
    return trial.returncode == 0


class Window:
    """Shows frames in a window, until the user closes it or presses Q or Escape.

    Args:
        title: Its title.

    Raises:
        InputError: If no window can be opened.
    """

    def __init__(self, title: str) -> None:
        if not has_display():
            raise InputError(
                f'{title}: OpenCV cannot open a window here: draw into a video '
                '(--draw video)'
            )
        self.title = title
        # Without the buttons that Qt would put above it.
        flags = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
        cv2.namedWindow(title, flags)
        self._sized = False

    def show(self, image: np.ndarray) -> None:
        """Show a frame ``(H, W, 3)`` uint8 RGB."""
        if not self._sized:
            cv2.resizeWindow(self.title, image.shape[1], image.shape[0])
            self._sized = True
        cv2.imshow(self.title, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def is_closed(self) -> bool:
        """Handle keys and mouse; tell whether the user has closed the window."""
        key = cv2.waitKey(1) & 0xFF
        visible = cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE)
        return key in (ord('q'), ord('Q'), 27) or visible < 1

    def close(self) -> None:
        """Close the window."""
        cv2.destroyWindow(self.title)
