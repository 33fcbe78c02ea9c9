"""A clip stored as a folder of numbered image files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import DatasetError
from ..images import read_image
from .frame_order import order_frames

FRAME_SUFFIXES = ('.jpg', '.jpeg', '.png')


def list_frames(folder: Path) -> list[str]:
    """Return the frame files of a folder in the order of :func:`order_frames`.

    Hidden files, such as the ``._3.jpg`` that macOS writes beside ``3.jpg``, are no
    frames.

    Raises:
        DatasetError: If the folder is absent, unreadable or has no frame, or the names
            do not tell their order.
    """
    try:
        names = [
            name
            for name in os.listdir(folder)
            if name.lower().endswith(FRAME_SUFFIXES) and not name.startswith('.')
        ]
    except FileNotFoundError:
        raise DatasetError(f'{folder}: no such folder') from None
    except OSError as error:
        raise DatasetError(
            f'{folder}: no folder of frames: {error.strerror}'
        ) from error
    if not names:
        raise DatasetError(f'{folder}: no frame ({", ".join(FRAME_SUFFIXES)})')
    return order_frames(folder, names)


class FrameFolder:
    """The frames of one folder, as they are on disk and not in any list.

    Args:
        folder: Folder of numbered images; it is listed at once.
        frames: Names of the images to take, in order; by default all of the folder.

    Raises:
        DatasetError: If :func:`list_frames` refuses the folder, or a named image is
            absent.
    """

    def __init__(
        self, folder: str | os.PathLike, frames: Sequence[str] | None = None
    ) -> None:
        self.folder = str(folder)
        for name in frames or ():
            if not (Path(folder) / name).is_file():
                raise DatasetError(f'{Path(folder) / name}: no such file')
        self.frames = list_frames(Path(folder)) if frames is None else list(frames)

    @property
    def name(self) -> str:
        """The folder."""
        return self.folder

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, indexes: Sequence[int]) -> list[np.ndarray]:
        """Decode each frame asked for once, ``(H, W, 3)``; see :class:`ClipSource`."""
        images: dict[int, np.ndarray] = {}
        result = []
        for i in indexes:
            # A copy where a frame repeats: transforms may write into it.
            image = images[i].copy() if i in images else self._read(i)
            images.setdefault(i, image)
            result.append(image)
        return result

    def _read(self, index: int) -> np.ndarray:
        # A pathlib.Path interns its parts, and after some thousand clips Python writes
        # its table of such strings, megabytes, to another place: a worker grows by it.
        return read_image(os.path.join(self.folder, self.frames[index]))
