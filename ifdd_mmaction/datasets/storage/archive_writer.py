"""Pack clips into one file; :mod:`.archive` says what is in it, and reads it."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ...fileio import open_atomic
from ..clip_name import check_name
from ..errors import DatasetError
from ..images import decode_image
from .archive import COMMENT, CONTENTS, FORMAT, INDEX
from .frame_folder import list_frames


def write_archive(
    path: str | os.PathLike,
    clips: Iterable[tuple[str, Path]],
    metadata: dict[str, Any],
    decoded: bool = False,
) -> None:
    """Pack clips into one file; what was there stays until all of them are in.

    The same clips give the same bytes.

    Args:
        path: The file to write.
        clips: Name and folder of frames of each clip.
        metadata: What JSON can hold about the dataset and its release.
        decoded: Store pixels, ``(H, W, 3)`` uint8 RGB as ``.npy``, about 15 times the
            size, instead of the bytes of the files as they are.

    Raises:
        DatasetError: If a clip has no frames, a frame cannot be decoded where it has
            to be, or a name is refused or comes twice.
        OSError: If something cannot be read or written.
    """
    counts: dict[str, int] = {}
    headers: list[int] = []
    with open_atomic(path) as file, zipfile.ZipFile(file, 'w') as archive:

        def add(name: str, data: bytes) -> int:
            entry = zipfile.ZipInfo(name)
            archive.writestr(entry, data)
            return entry.header_offset

        for name, folder in clips:
            check_name(name)
            if name in counts:
                raise DatasetError(f'clip {name} comes twice')
            frames = list_frames(folder)
            counts[name] = len(frames)
            for frame in frames:
                data = (folder / frame).read_bytes()
                if decoded:
                    data = _to_npy(decode_image(data, str(folder / frame)))
                headers.append(
                    add(f'{name}/{frame}' + ('.npy' if decoded else ''), data)
                )
        contents = dict(
            decoded=decoded,
            metadata=metadata,
            index=add(INDEX, _to_npy(np.array(headers, '<u8'))),
            clips=counts,
        )
        place = add(CONTENTS, json.dumps(contents, ensure_ascii=False).encode())
        archive.comment = COMMENT.format(FORMAT, place).encode()


def _to_npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()
