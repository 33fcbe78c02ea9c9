"""Extract the frames of videos into folders of images."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2

from ..errors import DatasetError
from ..storage import VideoFile
from .check_all import process_map
from .progress import track


def extract_all(
    videos: Sequence[Path], folders: Sequence[Path], quality: int, workers: int
) -> list[str]:
    """Extract videos; those whose folder is there already are done.

    Args:
        videos: Video files.
        folders: Where the frames of each go, as ``00001.jpg, 00002.jpg, ...``.
        quality: Of the JPEG files, 1 to 100.
        workers: Number of processes.

    Returns:
        What went wrong, each with its path; such a clip has no folder.

    Raises:
        DatasetError: If a process dies.
    """
    todo = [pair for pair in zip(videos, folders, strict=True) if not pair[1].is_dir()]
    with process_map(workers) as run:
        results = run(
            extract_frames,
            [video for video, _ in todo],
            [folder for _, folder in todo],
            [quality] * len(todo),
        )
        errors = track(results, len(todo), f'Extracting {len(todo)} videos')
        return [error for error in errors if error]


def extract_frames(video: Path, folder: Path, quality: int) -> str:
    """Extract one video: its folder has all of the frames or is not there.

    Returns:
        What went wrong, empty if nothing did.
    """
    # The same name every time: what an interrupted run left is removed by the next.
    scratch = folder.with_name(f'.{folder.name}.part')
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        for i, image in enumerate(VideoFile(video).frames(), start=1):
            path = str(scratch / f'{i:05d}.jpg')
            bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
            if not cv2.imwrite(path, bgr, [cv2.IMWRITE_JPEG_QUALITY, quality]):
                raise DatasetError(f'{path}: cannot be written: is the disk full?')
        os.rename(scratch, folder)
    except (DatasetError, OSError) as error:
        shutil.rmtree(scratch, ignore_errors=True)
        return str(error)
    return ''
