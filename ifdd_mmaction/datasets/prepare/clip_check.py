"""Decode every frame of a clip and say what it is made of."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DatasetError
from ..images import decode_image
from ..storage import VIDEO_SUFFIXES, VideoFile
from ..storage.frame_folder import list_frames


@dataclass
class ClipCheck:
    """What was found in a clip.

    Args:
        path: Its folder of frames, or its video.
        state: Names, sizes and times of its files: with the same state, it need not
            be looked at again. Empty for a clip that is not there.
        frames: Number of frames.
        digest: SHA-256 of its files in their order.
        sizes: Number of frames by ``'height x width'``.
        errors: What cannot be read, each with its path.
    """

    path: str
    state: str = ''
    frames: int = 0
    digest: str = ''
    sizes: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


def check_clip(path: Path, known: ClipCheck | None = None) -> ClipCheck:
    """Decode every frame of a folder or a video.

    Args:
        path: The folder or the video.
        known: What an earlier run found; it is returned if nothing has changed since.
    """
    found = ClipCheck(str(path))
    try:
        video = path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()
        names = [path.name] if video else list_frames(path)
        folder = path.parent if video else path
        found.state = _state(folder, names)
        # What could not be read may have been the disk's or the network's fault.
        if known and known.state == found.state and not known.errors:
            return known
        sizes: Counter[str] = Counter()
        digest = hashlib.sha256()
        if video:
            with path.open('rb') as file:
                while block := file.read(1 << 20):
                    digest.update(block)
            source = VideoFile(path)
            # Training finds what is known of it by then.
            found.frames = len(source)
            for image in source.frames():
                sizes['{} x {}'.format(*image.shape)] += 1
        else:
            found.frames = len(names)
            for name in names:
                data = (folder / name).read_bytes()
                digest.update(data)
                try:
                    image = decode_image(data, str(folder / name))
                    sizes['{} x {}'.format(*image.shape)] += 1
                except DatasetError as error:
                    found.errors.append(str(error))
        found.digest, found.sizes = digest.hexdigest(), dict(sizes)
    except DatasetError as error:
        found.errors.append(str(error))
    except OSError as error:
        found.errors.append(f'{error.filename or path}: {error.strerror}')
    return found


def _state(folder: Path, names: list[str]) -> str:
    digest = hashlib.sha256()
    for name in names:
        stat = os.stat(folder / name)
        digest.update(f'{name}\0{stat.st_size}\0{stat.st_mtime_ns}\0'.encode())
    return digest.hexdigest()
