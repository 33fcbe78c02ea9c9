"""Reading by number with the decoder that was asked for, where it is right.

A file is decoded once in order by both decoders. If all frames are equal to the bit,
and some windows of frames by number too, the checksums of the images are stored, and
each image that is read later must have its own. Otherwise the exact decoder reads the
file.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from .attempts import NAMES
from .choose import VIDEOS, Choice, log
from .container import StuckError
from .index import Index, IndexCache
from .open_video import Picture, Step, checksum

#: The cache of checks: images' checksums, or why another decoder reads the file.
cache = IndexCache('.checked')
#: Windows of frames that are read by number before a file is accepted.
WINDOWS, LENGTH = 5, 16


class Unlike(Exception):
    """A decoder does not give the frames of the exact one; the message says how."""


def read_checked(
    path: str,
    wanted: Sequence[int],
    choice: Choice,
    state: tuple[str, int, int],
    index: Index,
    exact: Iterator[np.ndarray],
    step: Step,
) -> dict[int, np.ndarray] | None:
    """Return images ``(H, W, 3)`` by number, or None if the exact decoder has to.

    Args:
        path: The file.
        wanted: Numbers of frames, increasing.
        choice: The decoders.
        state: The key of the file in the cache.
        index: The index by the exact decoder.
        exact: The images of the exact decoder in order; used if the file is new.
        step: Called for each frame.
    """
    known = cache.get(state, choice.title)
    if known is not None and known.refused:
        return None
    try:
        if known is None:
            prints = _compare(path, choice, exact, len(index), step)
            known = Index(index.geometry, index.stamps, prints, index.places[:0], '')
            cache.put(state, choice.title, known)
        return _by_number(path, wanted, choice, known.prints, step)
    except StuckError:
        raise
    except (OSError, MemoryError):  # of this moment, not of the file
        return None
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        # Before what decord says stand the time and the place in its source.
        said = re.sub(r'^\[[\d:]+\] \S+\.cc:\d+: ', '', said)
        reason = said.removeprefix(f'{path}: ')[:200]
        refused = Index(
            index.geometry, index.stamps[:0], index.prints[:0], index.places[:0], '',
            refused=reason,
        )  # fmt: skip
        cache.put(state, choice.title, refused)
        names = NAMES[choice.exact], NAMES[choice.asked]
        log(f'{path}: read by {names[0]}, not by {names[1]}: {reason}', logging.WARNING)
        return None


def _compare(
    path: str, choice: Choice, exact: Iterator[np.ndarray], total: int, step: Step
) -> np.ndarray:
    """Return the checksums ``(T,)`` uint32 of images that are those of the exact one.

    Raises:
        Unlike: If they differ.
    """
    prints = []
    with VIDEOS[choice.asked](path, step) as video:
        for number, (own, picture) in enumerate(zip_longest(exact, video.in_order())):
            if own is None or picture is None:
                which = 'more' if own is None else f'{number}'
                raise Unlike(f'{which} frames, {total} are right')
            if not np.array_equal(own, picture.image):
                raise Unlike(f'other pixels: {_difference(own, picture)} in {number}')
            prints.append(checksum(own))
    result = np.array(prints, np.uint32)
    for start in np.linspace(0, max(0, total - LENGTH), WINDOWS).astype(int).tolist():
        window = range(start, min(start + LENGTH, total))
        _by_number(path, window, choice, result, step)
    return result


def _difference(own: np.ndarray, picture: Picture) -> str:
    if own.shape != picture.image.shape:
        return f'shape {picture.image.shape[:2]} for {own.shape[:2]}'
    mean = np.abs(own.astype(np.int16) - picture.image).mean()
    return f'a mean difference of {mean:.2g}'


def _by_number(
    path: str, wanted: Sequence[int], choice: Choice, prints: np.ndarray, step: Step
) -> dict[int, np.ndarray]:
    """Read frames by number, each by a reader that was just opened.

    Raises:
        Unlike: If one is not the frame of that number.
    """
    images: dict[int, np.ndarray] = {}
    if not wanted:
        return images
    video: Any
    with VIDEOS[choice.asked](path, step) as video:
        for number, picture in zip(wanted, video.at(wanted), strict=True):
            if checksum(picture.image) != prints[number]:
                raise Unlike(
                    f'its frame {number} of {wanted[0]} to {wanted[-1]} is another one'
                )
            images[number] = picture.image.copy()
    return images
