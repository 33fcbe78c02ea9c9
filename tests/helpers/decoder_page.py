"""Write the table of decoders: ``python -m tests.helpers.decoder_page``.

It goes into docs/video_files.md and docs/results/decoders.json. Truth are the frames
of the program ``ffmpeg``. Frames are read in windows of 16 neighbors, each by a reader
that was just opened. A frame is right if it is nearest to the true one of all frames,
and not far from it. Exit codes: 0 written, 1 the package's reader gave a wrong frame.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from ifdd_mmaction.decoding import VideoError, VideoReader, attempts, checked, choose
from ifdd_mmaction.fileio import write_atomic
from tests.helpers.golden import ROOT
from tests.helpers.video_entrances import TOLERANCE
from tests.helpers.video_zoo import ZOO, h264, run_ffmpeg, source, true_frames

PAGE = ROOT / 'docs' / 'video_files.md'
RESULTS = ROOT / 'docs' / 'results' / 'decoders.json'
BEGIN, END = '<!-- table of decoders -->\n', '<!-- end of the table of decoders -->\n'
WINDOW, STEP = 16, 5
Read = Callable[[Path, Sequence[int]], list[np.ndarray]]


def cut(start: float) -> Callable[[Path], Path]:
    """Cut 3 s of a video with few key frames: the file gets an edit list."""

    def make(stem: Path) -> Path:
        whole, path = stem.with_suffix('.whole.mp4'), stem.with_suffix('.mp4')
        run_ffmpeg(*source(12), *h264(gop=250, bframes=3), whole)
        run_ffmpeg('-ss', start, '-i', whole, '-t', '3', '-c', 'copy', path)
        whole.unlink()
        return path

    return make


FILES: dict[str, Callable[[Path], Path]] = {
    **{
        kind: ZOO[kind]
        for kind in (
            'H.264 in mp4', 'H.264 in mkv', 'MPEG-4 ASP in avi', 'WMV2 in wmv',
            'MPEG-2 in ts', 'H.264 in ts', 'VP9 in webm', 'AV1 in mp4', 'HEVC in mp4',
        )
    },
    **{f'mp4 cut at {start} s': cut(start) for start in (8.0, 6.2, 2.5)},
    **{
        kind: ZOO[kind]
        for kind in (
            'open GOP', 'intra refresh', 'varying rate', 'begins between key frames',
            'HEVC 10 bit, open GOP', '10 bit', 'turned 90', 'mirrored', 'wide pixels',
            'odd size, 4:2:0', 'BT.709', 'full range', 'fields, H.264',
            'size changes midway, mkv',
        )
    },
}  # fmt: skip


def by_reader(name: str) -> Read:
    """Read by the package, asking for a decoder."""

    def read(path: Path, numbers: Sequence[int]) -> list[np.ndarray]:
        with mock.patch.dict(os.environ, {choose.SETTING: name}):
            return VideoReader(path).read(numbers)

    return read


def in_order(path: Path, numbers: Sequence[int]) -> list[np.ndarray]:
    frames = VideoReader(path).each(lambda seconds, image: image)
    return [image for number, image in enumerate(frames) if number in numbers]


def torchcodec_alone(path: Path, numbers: Sequence[int]) -> list[np.ndarray]:
    """Read by the package as if PyAV did not load."""
    tried = choose.try_decoder

    def without(name: str) -> attempts.Attempt:
        return attempts.Attempt('', 'left out') if name == 'pyav' else tried(name)

    choose._choose.cache_clear()
    try:
        with mock.patch.object(choose, 'try_decoder', without):
            return VideoReader(path).read(numbers)
    finally:
        choose._choose.cache_clear()


def torchcodec(path: Path, numbers: Sequence[int]) -> list[np.ndarray]:
    from torchcodec.decoders import VideoDecoder

    video = VideoDecoder(str(path), dimension_order='NHWC', num_ffmpeg_threads=1)
    return list(video.get_frames_at(list(numbers)).data.numpy())


def decord(path: Path, numbers: Sequence[int]) -> list[np.ndarray]:
    import decord

    video = decord.VideoReader(str(path), num_threads=1)
    return list(video.get_batch(list(numbers)).asnumpy())


#: Whose reading it is, how, and what it needs.
COLUMNS: dict[str, tuple[Read, str]] = {
    'PyAV in order': (in_order, 'pyav'),
    'PyAV (default)': (by_reader('pyav'), 'pyav'),
    'IFDD_DECODER=torchcodec': (by_reader('torchcodec'), 'torchcodec'),
    'torchcodec, without PyAV': (torchcodec_alone, 'torchcodec'),
    'torchcodec itself': (torchcodec, 'torchcodec'),
    'IFDD_DECODER=decord': (by_reader('decord'), 'decord'),
    'decord itself': (decord, 'decord'),
}


def is_right(image: np.ndarray, number: int, true: np.ndarray) -> bool:
    if image.shape != true.shape[1:]:
        return False
    far = np.abs(true.astype(np.int16) - image).mean((1, 2, 3))
    return bool(far[number] <= TOLERANCE and far[number] <= far.min())


def measure(path: Path, true: np.ndarray, column: str) -> dict[str, Any]:
    """Return the numbers of right frames and of all, and what is to be said."""
    read, name = COLUMNS[column]
    right = asked = 0
    said = ''
    for start in range(0, len(true), STEP):
        window = range(start, min(start + WINDOW, len(true)))
        asked += len(window)
        try:
            images = read(path, window)
        except Exception as error:
            refused = isinstance(error, VideoError)
            said = str(error).splitlines()[0].removeprefix(f'{path}: ').split('. ')[0]
            said = said if refused else type(error).__name__
            continue
        pairs = zip(images, window, strict=True)
        right += sum(is_right(image, number, true) for image, number in pairs)
    if column.startswith(choose.SETTING):
        with mock.patch.dict(os.environ, {choose.SETTING: name}):
            known = checked.cache.get(VideoReader(path)._state(), choose.choose().title)
        said = said if known is None else known.refused
    return dict(right=right, asked=asked, said=said)


def cell(column: str, found: dict[str, Any]) -> str:
    share = f'{found["right"]} of {found["asked"]}'
    if column.startswith(choose.SETTING) and found['said']:
        return f'{share} by PyAV: {found["said"]}'
    if column == 'torchcodec, without PyAV' and found['said']:
        return f'refused: {found["said"].removeprefix("not for torchcodec: ")}'
    ours = column.startswith(('PyAV', 'IFDD', 'torchcodec,'))
    share = share if ours or found['right'] == found['asked'] else f'**{share}**'
    return f'{share} {found["said"]}'.strip()


def main() -> int:
    columns = {
        column: row
        for column, row in COLUMNS.items()
        if not choose.try_decoder(row[1]).reason
    }
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        os.environ['IFDD_CACHE'] = str(Path(scratch) / 'cache')
        for number, (kind, make) in enumerate(FILES.items()):
            path = make(Path(scratch) / f'{number}')
            true = true_frames(path)
            rows[kind] = {column: measure(path, true, column) for column in columns}
            print(kind, {k: (v['right'], v['asked']) for k, v in rows[kind].items()})
    decoders = [choose.try_decoder(name).title for name in choose.VIDEOS]
    version = run_ffmpeg('-version').decode().split()[2]
    data = dict(decoders=[d for d in decoders if d], ffmpeg=version, files=rows)
    write_atomic(RESULTS, (json.dumps(data, indent=1) + '\n').encode())
    lines = [
        f'{", ".join(data["decoders"])}; truth: ffmpeg {version}.',
        '',
        f'| file | {" | ".join(columns)} |',
        '|---|' + '---|' * len(columns),
    ]
    for kind, row in rows.items():
        text = ' | '.join(cell(column, found) for column, found in row.items())
        lines.append(f'| {kind} | {text} |')
    before, rest = PAGE.read_text().split(BEGIN)
    _, after = rest.split(END)
    text = before + BEGIN + '\n' + '\n'.join(lines) + '\n\n' + END + after
    write_atomic(PAGE, text.encode())
    ours = [c for c in columns if c.startswith(('PyAV', choose.SETTING))]
    cells = [row[column] for row in rows.values() for column in ours]
    return int(any(found['right'] != found['asked'] for found in cells))


if __name__ == '__main__':
    sys.exit(main())
