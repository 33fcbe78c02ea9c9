"""Draw boxes, expressions and a timeline on the frames of a video."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from .emotion_pictures import NOT_SURE, UNSURE, FaceEmotions, longest
from .face_painter import DARK, WHITE, FacePainter, text_font
from .style import rgb

#: Maximum number of timelines, of the faces with the longest duration.
MAX_STRIPS = 4


class FrameAnnotator(FacePainter):
    """Draws boxes and expressions on a frame, above timelines of the whole video.

    Args:
        faces: The expressions of each face.
        classes: ``K`` class names.
        seconds: Duration of the video.
        size: Width and height of the frames, in pixels.
        abstain_below: Where the top expression is less probable, it is "not sure".
    """

    def __init__(
        self,
        faces: Sequence[FaceEmotions],
        classes: Sequence[str],
        seconds: float,
        size: tuple[int, int],
        abstain_below: float = 0.0,
    ) -> None:
        super().__init__(classes, size, abstain_below)
        self.faces, self.seconds = faces, max(seconds, 1e-3)
        self._left = 5 * self.unit
        self._strips = self._draw_strips()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the annotated frames, both even."""
        height = self.height + self._strips.shape[0]
        return self.width // 2 * 2, height // 2 * 2

    def __call__(
        self, image: np.ndarray, seconds: float, boxes: Sequence[np.ndarray | None]
    ) -> np.ndarray:
        """Return the annotated frame ``(H, W, 3)`` uint8 RGB.

        Args:
            image: The frame.
            seconds: Time of the frame.
            boxes: Box of each face, in pixels of the frame; None if not visible.
        """
        frame = cv2.resize(image, (self.width, self.height))
        picture = Image.fromarray(np.concatenate([frame, self._strips]))
        draw = ImageDraw.Draw(picture)
        for face, box in zip(self.faces, boxes, strict=True):
            if box is not None:
                shares = face.at(seconds)
                self.draw_face(draw, face.name, shares, box * self.scale)
        x = self._x(seconds)
        bottom = self.height + self._legend
        draw.line([(x, self.height), (x, bottom)], fill=WHITE, width=2)
        return np.asarray(picture)[: self.size[1], : self.size[0]]

    def _x(self, seconds: float) -> float:
        room = self.width - self._left - self.unit
        return self._left + min(max(seconds / self.seconds, 0.0), 1.0) * room

    def _draw_strips(self) -> np.ndarray:
        unit = self.unit
        shown = longest(self.faces, MAX_STRIPS)
        self._legend = round(0.4 * unit + 1.6 * unit * len(shown))
        height = self._legend + round(1.6 * unit)
        picture = Image.new('RGB', (self.width, height), DARK)
        draw = ImageDraw.Draw(picture)
        font = text_font(round(0.85 * unit))
        for row, face in enumerate(shown):
            y = 0.5 * unit + row * 1.6 * unit
            draw.text((0.4 * unit, y), face.name, fill=WHITE, font=font)
            columns = np.arange(
                int(self._x(face.start)), max(int(self._x(face.end)), 1) + 1
            )
            room = self.width - self._left - unit
            shares = face.at((columns - self._left) / room * self.seconds)
            for x, column in zip(columns.tolist(), shares, strict=True):
                _, share, color = self.top(column)
                # The height of the bar is the probability.
                top = y + 1.2 * unit * (1 - share)
                draw.line([(x, top), (x, y + 1.2 * unit)], fill=color)
        self._draw_legend(draw, self._legend + 0.2 * unit)
        return np.asarray(picture)

    def _draw_legend(self, draw: ImageDraw.ImageDraw, y: float) -> None:
        room = self.width - self.unit
        unit = float(self.unit)
        # Reduce the font size until all classes fit in the line.
        while unit > 6 and self._legend_width(draw, unit) > room:
            unit -= 0.5
        x, font = self.unit / 2, text_font(round(0.8 * unit))
        for name, color in self._entries():
            draw.rectangle([x, y, x + 0.7 * unit, y + 0.9 * unit], fill=color)
            draw.text((x + 0.95 * unit, y - 0.05 * unit), name, fill=WHITE, font=font)
            x += draw.textlength(name, font=font) + 1.9 * unit

    def _legend_width(self, draw: ImageDraw.ImageDraw, unit: float) -> float:
        font = text_font(round(0.8 * unit))
        names = (name for name, _ in self._entries())
        return sum(draw.textlength(n, font=font) + 1.9 * unit for n in names)

    def _entries(self) -> list[tuple[str, tuple[int, int, int]]]:
        """Return names and colors of the legend."""
        entries = list(zip(self.classes, self.colors, strict=True))
        return entries + [(NOT_SURE, rgb(UNSURE))] * (self.abstain_below > 0)
