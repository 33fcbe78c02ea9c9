"""Write the clips of a dataset in another form: frames, or one archive."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2

from ...progress import track
from ..errors import DatasetError, name_some
from ..storage import PackedArchive, VideoClipSource, write_archive
from .check import ClipCheck, process_map
from .splits import EvaluationProtocol, Lists


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
        for i, image in enumerate(VideoClipSource(video).frames(), start=1):
            path = str(scratch / f'{i:05d}.jpg')
            bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
            if not cv2.imwrite(path, bgr, [cv2.IMWRITE_JPEG_QUALITY, quality]):
                raise DatasetError(f'{path}: cannot be written: is the disk full?')
        os.rename(scratch, folder)
    except (DatasetError, OSError) as error:
        shutil.rmtree(scratch, ignore_errors=True)
        return str(error)
    return ''


def pack_clips(
    protocol: EvaluationProtocol,
    lists: Lists,
    checks: dict[str, ClipCheck],
    out: Path,
    decoded: bool = False,
) -> str:
    """Pack every listed clip; where an archive of them is already, verify it.

    Args:
        protocol: The dataset.
        lists: Its lists.
        checks: What was found in each clip, by path: a bad one is not packed.
        out: The archive.
        decoded: Pack pixels, not files.

    Returns:
        What to tell the user.

    Raises:
        DatasetError: If a clip is bad or a video, or ``out`` is something else or
            damaged.
        OSError: If something cannot be read or written.
    """
    clips = lists.clips
    if lists.storage != 'frames':
        raise DatasetError(
            f'{lists.release} holds videos, and an archive holds frames: run it with '
            '--extract first'
        )
    bad = [e for clip in clips.values() for e in checks[str(clip.path)].errors]
    if bad:
        raise DatasetError(f'nothing packed, {len(bad)} errors:\n{name_some(bad)}')
    digests = ''.join(f'{n}\0{checks[str(c.path)].digest}\0' for n, c in clips.items())
    metadata = dict(
        dataset=protocol.dataset,
        release=lists.release,
        classes=list(lists.classes),
        digest=hashlib.sha256(digests.encode()).hexdigest(),
    )
    if out.exists():
        archive = PackedArchive(out)
        if (archive.metadata, archive.decoded) != (metadata, decoded):
            raise DatasetError(f'{out} holds other clips: remove it or name another')
        damaged = archive.verify(track(clips, len(clips), f'Verifying {out}'))
        if damaged:
            raise DatasetError(
                f'{out}: {len(damaged)} clips are damaged, remove it and pack again:\n'
                + name_some(list(damaged.values()))
            )
        return f'{out}: already there, {len(clips)} clips verified'
    folders = ((name, clip.path) for name, clip in clips.items())
    write_archive(out, track(folders, len(clips), f'Packing {out}'), metadata, decoded)
    size = out.stat().st_size
    return f'{out}: {len(clips)} clips, {size / 1e6:.1f} MB'
