"""Measure reading from video files: ``python tools/analysis/bench_video.py``.

The project's reader, torchcodec and decord take turns on the same files in one process,
one thread each, and the project's reader with ``IFDD_DECODER=torchcodec`` too. Every
clip is read by a reader of its own, opening included, as in training:

- window: 16 neighboring frames at a random place;
- spread: 16 frames, evenly over 100;
- single: one frame at a random place.

Times are of CPU, ratios of decord to ours are medians of those within each round.
Whether decord's frames are the right ones is counted too. The reader's first look at a
video, which decodes it once and is kept, is a row of its own.

Writes OUT.json and OUT.md. Exit codes: 0 measured, 2 wrong arguments or data.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from measuring import Setup, describe_environment, take_turns

from ifdd_mmaction.decoding import VideoError, VideoReader
from ifdd_mmaction.decoding.attempts import try_decoder
from ifdd_mmaction.decoding.choose import SETTING
from ifdd_mmaction.fileio import write_atomic

#: Ways of reading: the frames that a clip reaches over, and how many of them are read.
PATTERNS = dict(window=(16, 16), spread=(100, 16), single=(1, 1))
#: Reads frames of a file by their index.
Read = Callable[[str, list[int]], Any]
#: What is made for the run: width, height, key frame interval, frames.
MADE = {
    'short_gop': (640, 480, 25, 500),
    'long_gop': (160, 120, 250, 3600),
    'long_gop_vga': (640, 480, 250, 1500),
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'videos', nargs='*', help='files (default: three that are made for the run)'
    )
    parser.add_argument('--clips', type=int, default=16, help='clips in a round')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--frames', type=int, help='of the files that are made')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/video_reading'))
    args = parser.parse_args(argv)
    if min(args.clips, args.rounds, args.frames or 101) < 1:
        parser.error('--clips, --rounds and --frames must be at least 1')
    with tempfile.TemporaryDirectory() as scratch:
        # A cache of its own: the first look is measured.
        os.environ['IFDD_CACHE'] = scratch
        try:
            videos = args.videos or make_videos(Path(scratch), args.frames)
            rows = [row for video in videos for row in measure(video, args)]
        except (VideoError, OSError) as error:
            print(f'bench_video: {error}', file=sys.stderr)
            return 2
    environment = describe_environment(decoder=VideoReader('').decoder)
    result = dict(environment=environment, clips=args.clips, rows=rows)
    text = to_markdown(result)
    write_atomic(args.out.with_suffix('.json'), json.dumps(result, indent=1).encode())
    write_atomic(args.out.with_suffix('.md'), text.encode())
    print(text)
    return 0


def make_videos(folder: Path, frames: int | None) -> list[str]:
    """Encode H.264 of moving noise and shapes; as large as a film of that size."""
    import av
    import cv2

    paths = []
    rng = np.random.default_rng(0)
    for name, (width, height, gop, count) in MADE.items():
        path = folder / f'{name}.mp4'
        paths.append(str(path))
        scene = rng.integers(0, 256, (height // 8 + 40, width // 8 + 40, 3), np.uint8)
        scene = cv2.resize(scene, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
        with av.open(str(path), 'w') as container:
            options = dict(g=str(gop), bf='2', preset='medium')
            stream = container.add_stream('libx264', rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
            stream.codec_context.thread_count = 1
            for i in range(frames or count):
                y = round(150 + 140 * np.sin(i / 40))
                x = round(150 + 140 * np.cos(i / 55))
                view = scene[y : y + height, x : x + width].copy()
                cv2.circle(view, (i * 3 % width, height // 2), 30, (255, 80, 0), -1)
                noise = rng.integers(0, 12, view.shape, np.uint8)
                frame = av.VideoFrame.from_ndarray(cv2.add(view, noise), 'rgb24')
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return paths


def measure(video: str, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row for each way of reading from a video."""
    started = time.process_time()
    total = len(VideoReader(video))
    first_look = 1e3 * (time.process_time() - started)
    readers = available_readers()
    right = list(VideoReader(video).each(lambda seconds, image: image.mean((0, 1))))
    rng = np.random.default_rng(0)
    rows = []
    for pattern, (span, count) in PATTERNS.items():
        if span > total:
            raise VideoError(f'{video}: {total} frames, {span} are needed')
        places = rng.integers(0, total - span + 1, args.clips)
        steps = np.linspace(0, span - 1, count).astype(int)
        clips = [(place + steps).tolist() for place in places]
        runs = {n: partial(read_all, read, video, clips) for n, read in readers.items()}
        seconds, _ = take_turns(runs, args.rounds, Setup())
        row = dict(
            video=Path(video).name,
            frames=total,
            first_look_ms=round(first_look, 1),
            pattern=pattern,
            ms={
                name: round(1e3 * float(np.median(own)) / len(clips), 2)
                for name, own in seconds.items()
            },
        )
        if 'decord' in readers:
            ratios = np.divide(seconds['decord'], seconds['ours'])
            row['ours_times_as_fast'] = round(float(np.median(ratios)), 2)
            row['quartiles'] = np.percentile(ratios, (25, 75)).round(2).tolist()
            row['decord_right'] = share_right(readers['decord'], video, clips, right)
        rows.append(row)
        print(f'{row["video"]}: {pattern} {row["ms"]} ms', file=sys.stderr)
    return rows


def read_all(read: Read, video: str, clips: list[list[int]]) -> None:
    for clip in clips:
        read(video, clip)


def available_readers() -> dict[str, Read]:
    """Return the readers by name."""
    readers: dict[str, Read] = {'ours': lambda path, clip: VideoReader(path).read(clip)}
    for name in ('torchcodec', 'decord'):
        if reason := try_decoder(name).reason:
            print(f'bench_video: {name}: {reason}', file=sys.stderr)
    if not try_decoder('torchcodec').reason:
        decoders = importlib.import_module('torchcodec.decoders')
        readers['torchcodec'] = lambda path, clip: decoders.VideoDecoder(
            path, num_ffmpeg_threads=1
        ).get_frames_at(clip)
        readers['ours, torchcodec'] = ask_torchcodec
    if try_decoder('decord').reason:
        return readers
    decord = importlib.import_module('decord')
    readers['decord'] = lambda path, clip: (
        decord.VideoReader(path, num_threads=1).get_batch(clip).asnumpy()
    )
    return readers


def ask_torchcodec(path: str, clip: list[int]) -> list[np.ndarray]:
    with patch.dict(os.environ, {SETTING: 'torchcodec'}):
        return VideoReader(path).read(clip)


def share_right(
    read: Read, video: str, clips: list[list[int]], right: list[np.ndarray]
) -> float:
    """Return the share of frames whose mean color is that of the frame asked for."""
    found = [
        bool(np.abs(image.mean((0, 1)) - right[i]).max() < 1)
        for clip in clips
        for image, i in zip(read(video, clip), clip, strict=True)
    ]
    return round(float(np.mean(found)), 3)


def to_markdown(result: dict[str, Any]) -> str:
    """Write the result as a table."""
    names = result['rows'][0]['ms']
    environment = ', '.join(f'{k} {v}' for k, v in result['environment'].items())
    lines = [
        f'{result["clips"]} clips a round. {environment}.',
        '',
        f'| video | frames | first look, ms | pattern | {" | ".join(names)} '
        '| times as fast as decord (quartiles) |',
        '|---|---|---|---|---|' + '---|' * len(names),
    ]
    for row in result['rows']:
        ratio, times = '', ' | '.join(f'{ms:.1f}' for ms in row['ms'].values())
        if 'quartiles' in row:
            low, high = row['quartiles']
            ratio = f'{row["ours_times_as_fast"]:.2f} ({low:.2f} to {high:.2f})'
        lines.append(
            f'| {row["video"]} | {row["frames"]} | {row["first_look_ms"]:.0f} '
            f'| {row["pattern"]} | {times} | {ratio} |'
        )
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    sys.exit(main())
