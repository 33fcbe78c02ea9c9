"""Decode every clip of a dataset, in several processes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2

from ...progress import track
from ..errors import DatasetError
from ..images import decode_image
from ..storage import VIDEO_SUFFIXES, VideoClipSource
from ..storage.clip_source import list_frames


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
            source = VideoClipSource(path)
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


def check_all(
    paths: Sequence[Path], work_file: Path, workers: int
) -> dict[str, ClipCheck]:
    """Check clips; a second call continues where an interrupted one stopped.

    Args:
        paths: Folders or videos.
        work_file: Gets a line of JSON as soon as a clip is done. Clips whose files
            have not changed since their line was written are not decoded again.
        workers: Number of processes.

    Returns:
        What was found, by path.

    Raises:
        DatasetError: If a process dies.
        OSError: If the work file cannot be written.
    """
    known = read_work_file(work_file)
    earlier = [known.get(str(path)) for path in paths]
    found = {}
    work_file.parent.mkdir(parents=True, exist_ok=True)
    with work_file.open('a', encoding='utf-8') as file, process_map(workers) as run:
        # An interrupted run may have left half a line.
        if file.tell() and not work_file.read_bytes().endswith(b'\n'):
            file.write('\n')
        results = run(check_clip, paths, earlier)
        for check in track(results, len(paths), f'Decoding {len(paths)} clips'):
            found[check.path] = check
            if check != known.get(check.path):
                file.write(json.dumps(asdict(check)) + '\n')
                file.flush()
    return found


def read_work_file(path: Path) -> dict[str, ClipCheck]:
    """Return what stands in a work file, by path; a line that was cut off does not."""
    known = {}
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except FileNotFoundError:
        return {}
    for line in lines:
        try:
            check = ClipCheck(**json.loads(line))
        except (ValueError, TypeError):
            continue
        known[check.path] = check
    return known


@contextmanager
def process_map(workers: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """Give a ``map`` over several processes, or over this one where one will do.

    Raises:
        DatasetError: If a process dies.
    """
    if workers == 1:
        yield map
        return
    # OpenCV's threads are no use in many processes, and have to end before those are
    # forked: ending them in a fork, which does not have them, waits for ever.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    pool = ProcessPoolExecutor(workers, initializer=_start_worker)
    try:
        yield pool.map
    except BrokenProcessPool as error:
        raise DatasetError(
            f'one of {workers} worker processes died (out of memory?). Nothing that '
            'was done is lost: run it again, with fewer --workers'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
        cv2.setNumThreads(threads)


def _start_worker() -> None:
    """Leave interrupts to the parent process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
