"""A colour for each emotion, the same in every picture."""

from __future__ import annotations

from collections.abc import Sequence

from .style import BLUE, GREEN, GREY, ORANGE, RED

SKY, PINK, YELLOW, BROWN, PURPLE = '#56B4E9', '#CC79A7', '#CDBB1F', '#8C564B', '#6A3D9A'

#: By how the names that the datasets use begin.
BY_NAME = {
    'hap': ORANGE,
    'sad': BLUE,
    'neu': GREY,
    'ang': RED,
    'sur': SKY,
    'disg': GREEN,
    'fea': PINK,
    'cont': BROWN,
    'anx': PURPLE,
    'help': '#17807E',
    'disa': YELLOW,
}


def emotion_colours(classes: Sequence[str]) -> list[str]:
    """Return a colour, ``#rrggbb``, for each class.

    Emotions have theirs whatever their order; other names take what is left, in turn.
    """
    known = [_known(name) for name in classes]
    left = [c for c in BY_NAME.values() if c not in known] or list(BY_NAME.values())
    colours = []
    for colour in known:
        if colour is None:
            colour = left[0]
            left = left[1:] + left[:1]
        colours.append(colour)
    return colours


def rgb(colour: str) -> tuple[int, int, int]:
    """Return the values 0 to 255 of ``#rrggbb``."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _known(name: str) -> str | None:
    folded = name.casefold()
    return next((c for start, c in BY_NAME.items() if folded.startswith(start)), None)
