"""Draw faces with bars of their expressions on the frames of a live video."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from .face_painter import DARK, WHITE, FacePainter, text_font
from .style import GRAY, rgb


class LiveAnnotator(FacePainter):
    """Draws box, name and top expression of faces, and a bar for each class beside.

    Args: see :class:`FacePainter`.

    Example:
        >>> from ifdd_mmaction.visualization.live import LiveAnnotator
        >>> annotator = LiveAnnotator(('happy', 'sad'), size=(640, 360))
        >>> frame, box = np.zeros((360, 640, 3), np.uint8), np.array([99, 50, 199, 150])
        >>> annotator(frame, [('face 1', np.array([0.9, 0.1]), box)]).shape
        (360, 640, 3)
    """

    def __init__(
        self, classes: Sequence[str], size: tuple[int, int], abstain_below: float = 0.0
    ) -> None:
        super().__init__(classes, size, abstain_below)
        #: The panel of each face that was drawn last, and its probabilities.
        self._panels: dict[str, tuple[np.ndarray, Image.Image]] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the drawn frames, both even."""
        return self.width // 2 * 2, self.height // 2 * 2

    def __call__(
        self,
        image: np.ndarray,
        faces: Sequence[tuple[str, np.ndarray | None, np.ndarray]],
    ) -> np.ndarray:
        """Return the drawn frame ``(H, W, 3)`` uint8 RGB.

        Args:
            image: The frame.
            faces: Name, probabilities ``(K,)`` or None, and box ``(4,)`` in pixels of
                the frame, of each face.
        """
        if self.scale != 1:
            image = cv2.resize(image, (self.width, self.height))
        picture = Image.fromarray(image[: self.size[1], : self.size[0]])
        draw = ImageDraw.Draw(picture)
        panels = {}
        for name, shares, box in faces:
            self.draw_face(draw, name, shares, box * self.scale)
            if shares is not None:
                # Most frames show the same probabilities as the one before.
                last, panel = self._panels.get(name, (None, None))
                if panel is None or last is not shares:
                    panel = self._draw_panel(shares)
                panels[name] = shares, panel
                picture.paste(panel, self._place(panel, box * self.scale))
        self._panels = panels
        return np.asarray(picture)

    def _place(self, panel: Image.Image, box: np.ndarray) -> tuple[int, int]:
        """Return where a panel goes: to the right of a box, or else to its left."""
        left, top, right, _ = box.tolist()
        x = right + 0.4 * self.unit
        if x + panel.width > self.width:
            x = left - 0.4 * self.unit - panel.width
        x = min(max(x, 0), max(self.width - panel.width, 0))
        y = min(max(top, 0), max(self.height - panel.height, 0))
        return round(x), round(y)

    def _draw_panel(self, shares: np.ndarray) -> Image.Image:
        unit, font = self.unit, text_font(round(0.8 * self.unit))
        names = max(font.getlength(name) for name in self.classes)
        bar, line = 4.0 * unit, 1.15 * unit
        size = names + bar + 3.6 * unit, line * len(shares) + 0.4 * unit
        panel = Image.new('RGB', (round(size[0]), round(size[1])), DARK)
        draw = ImageDraw.Draw(panel)
        best = int(shares.argmax())
        for k, (name, share) in enumerate(zip(self.classes, shares, strict=True)):
            y = 0.2 * unit + k * line
            start = names + 0.9 * unit
            color = self.top(shares)[2] if k == best else self.colors[k]
            draw.text((0.4 * unit, y), name, fill=WHITE, font=font)
            edge = [start, y + 0.2 * unit, start + bar, y + 0.85 * unit]
            draw.rectangle(edge, outline=rgb(GRAY))
            edge[2] = start + bar * float(share)
            draw.rectangle(edge, fill=color)
            text = f'{share:.0%}'
            draw.text((start + bar + 0.4 * unit, y), text, fill=WHITE, font=font)
        return panel
