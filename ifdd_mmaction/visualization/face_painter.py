"""Draw boxes and labels of faces."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import ImageDraw, ImageFont

from .emotion_pictures import NOT_SURE, UNSURE
from .style import emotion_colors, rgb

WHITE, BLACK, DARK = (255, 255, 255), (0, 0, 0), (34, 34, 34)
#: Minimum width in pixels; narrower frames are enlarged, so that text is legible.
MIN_WIDTH = 480


class FacePainter:
    """Draws boxes and labels of faces on frames.

    Args:
        classes: ``K`` class names.
        size: Width and height of the frames, in pixels.
        abstain_below: Where the top expression is less probable, it is "not sure".

    Attributes:
        scale: Size of the drawn frames over that of the given ones.
        unit: Height of text, in pixels.
    """

    def __init__(
        self,
        classes: Sequence[str],
        size: tuple[int, int],
        abstain_below: float = 0.0,
    ) -> None:
        self.classes = classes
        self.colors = [rgb(color) for color in emotion_colors(classes)]
        self.abstain_below = abstain_below
        self.scale = max(1.0, MIN_WIDTH / size[0])
        self.width, self.height = (round(self.scale * side) for side in size)
        self.unit = max(12, round(min(self.width, self.height * 1.6) / 42))

    def top(self, shares: np.ndarray) -> tuple[str, float, tuple[int, int, int]]:
        """Return name, probability and color of the top one of ``(K,)``."""
        best = int(shares.argmax())
        share = float(shares[best])
        if share < self.abstain_below:
            return NOT_SURE, share, rgb(UNSURE)
        return self.classes[best], share, self.colors[best]

    def draw_face(
        self,
        draw: ImageDraw.ImageDraw,
        name: str,
        shares: np.ndarray | None,
        box: np.ndarray,
    ) -> None:
        """Draw box, name and top expression of a face.

        Args:
            draw: Where to draw.
            name: Name of the face.
            shares: Probabilities, ``(K,)``; None if they are not known yet.
            box: Left, top, right, bottom in pixels of the drawn frame, ``(4,)``.
        """
        expression, share, color = '', 0.0, WHITE
        if shares is not None:
            expression, share, color = self.top(shares)
        unit = self.unit
        left, top, right, bottom = box.tolist()
        draw.rectangle([left, top, right, bottom], outline=color, width=unit // 5)
        # The bar below shows how probable the class is that is not named.
        text = f'{name}  {expression}'
        text += '' if expression in ('', NOT_SURE) else f' {share:.0%}'
        font = text_font(unit)
        width = draw.textlength(text, font=font) + unit
        height = 1.5 * unit
        # Above the box, or inside it if there is no space; never outside the frame.
        x = min(max(left, 0), max(self.width - width, 0))
        y = top - height - unit * 0.4
        y = y if y >= 0 else max(top, 0)
        draw.rectangle([x, y, x + width, y + height], fill=DARK)
        draw.text((x + unit / 2, y + unit * 0.15), text, fill=WHITE, font=font)
        base = y + height
        draw.rectangle([x, base, x + width, base + unit * 0.4], fill=DARK)
        full = width * share
        draw.rectangle([x, base, x + full, base + unit * 0.4], fill=color)


@lru_cache(maxsize=32)
def text_font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font of a size in pixels."""
    # Part of Matplotlib: the same font on every machine, with many alphabets.
    path = Path(matplotlib.get_data_path()) / 'fonts' / 'ttf' / 'DejaVuSans.ttf'
    return ImageFont.truetype(str(path), max(size, 6))
