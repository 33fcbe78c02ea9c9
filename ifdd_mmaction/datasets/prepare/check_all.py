"""Check many clips in several processes, keeping what is found as it comes."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2

from ..errors import DatasetError
from .clip_check import ClipCheck, check_clip
from .progress import track


def check_all(
    paths: Sequence[Path], work_file: Path, workers: int
) -> dict[str, ClipCheck]:
    """Check clips; a second call goes on where an interrupted one stopped.

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
