"""Write the table of docs/video_files.md: ``python -m tests.helpers.video_page``.

It reads every file of the zoo as the tests do. Exit codes: 0 written, 1 some kind
cannot be made here or is read otherwise than FFmpeg reads it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from ifdd_mmaction.decoding import VideoReader
from ifdd_mmaction.fileio import write_atomic
from tests.helpers.golden import ROOT
from tests.helpers.video_entrances import difference, read_everywhere
from tests.helpers.video_zoo import CUT_OFF, ZOO, run_ffmpeg, true_frames

PAGE = ROOT / 'docs' / 'video_files.md'
BEGIN, END = '<!-- table of the zoo -->\n', '<!-- end of the table -->\n'


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        os.environ['IFDD_CACHE'] = str(Path(scratch) / 'cache')
        rows = [row_of(kind, Path(scratch)) for kind in ZOO]
        cut = [cut_row(kind, Path(scratch)) for kind in CUT_OFF]
    version = run_ffmpeg('-version').decode().split()[2]
    lines = [
        f'{VideoReader("").decoder} beside ffmpeg {version}:',
        '',
        '| kind | frames: ffmpeg, ours | size | largest mean difference of a frame '
        '| frames are found |',
        '|---|---|---|---|---|',
        *rows,
        '',
        '| cut off at every tenth of its bytes | refused | read, as ffmpeg reads it |',
        '|---|---|---|',
        *cut,
        '',
    ]
    before, rest = PAGE.read_text().split(BEGIN)
    _, after = rest.split(END)
    text = before + BEGIN + '\n' + '\n'.join(lines) + '\n' + END + after
    write_atomic(PAGE, text.encode())
    return int(any('not' in row.split('|')[2] for row in rows))


def row_of(kind: str, folder: Path) -> str:
    """Return the row of a kind."""
    try:
        path = ZOO[kind](folder / 'video')
    except RuntimeError as error:
        return f'| {kind} | not made: {error} | | | |'
    true, frames = true_frames(path), read_everywhere(path)
    if isinstance(frames, str) or true is None:
        return f'| {kind} | not read | | | |'
    try:
        seen = f'{difference(frames, true):.1f}'
    except AssertionError:
        return f'| {kind} | not the same | | | |'
    places = len(VideoReader(path).index.places)
    way = 'from key frames' if places else 'from the first frame'
    height, width = frames.shape[1:3]
    path.unlink()
    return (
        f'| {kind} | {len(true)}, {len(frames)} | {width} x {height} '
        f'| {"0" if seen == "0.0" else seen} | {way} |'
    )


def cut_row(kind: str, folder: Path) -> str:
    """Return the row of a kind that is cut off at every tenth."""
    path = ZOO[kind](folder / 'video')
    data, refused, read = path.read_bytes(), 0, 0
    for tenth in range(1, 10):
        part = folder / f'{tenth}{path.suffix}'
        part.write_bytes(data[: len(data) * tenth // 10])
        frames = read_everywhere(part)
        if isinstance(frames, np.ndarray):
            true = true_frames(part)
            read += true is not None and len(true) == len(frames)
        else:
            refused += 1
    return f'| {kind} | {refused} of 9 | {read} of 9 |'


if __name__ == '__main__':
    sys.exit(main())
