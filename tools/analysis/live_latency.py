"""Delay, frame rate and memory of live video: ``live_latency.py VIDEO OUT.json``.

The video, forward and backward in turns, is used in two ways. First each of
``--frames`` frames is detected, predicted, drawn and encoded, however long it takes:
the CPU time is counted, which other work on the machine hardly changes. Then it is
played as a stream of ``--fps`` frames per second, or ``--stream`` is opened, and
watched by the session of ``ifdd infer`` for ``--seconds``, once for each of ``--draw``:
written are delays from the arrival of a frame and frames per second, as in live.json,
and how memory, open files and threads grow; see soak.py for what counts as flat.

Exit codes: 0 measured, 1 memory, files or threads grow, 2 wrong arguments, or a video
or model that cannot be used.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from measuring import describe_environment
from soak import judge, measure

from ifdd_mmaction.apis import DFERInferencer, LiveRecognizer, LiveSession
from ifdd_mmaction.apis.live_report import Delays
from ifdd_mmaction.apis.live_session import half_the_cores
from ifdd_mmaction.cli import describe
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.fileio import write_atomic
from ifdd_mmaction.provenance import provenance
from ifdd_mmaction.video import FileVideo, Frame, LiveVideo, Stream, VideoWriter
from ifdd_mmaction.video.live_sources import Arrival, without_password
from ifdd_mmaction.visualization.live import LiveAnnotator


def forward_and_backward(video: str, path: Path, fps: float) -> None:
    """Write the video forward, then backward, at a number of frames per second."""
    images = [frame.image for frame in FileVideo(video)]
    images += images[-2:0:-1]
    height, width = images[0].shape[:2]
    with VideoWriter(path, (width, height), fps) as writer:
        for number, image in enumerate(images):
            writer.write(image, number / fps)


class Repeated:
    """A file that is played like a stream, again and again."""

    ends = True

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name

    def connect(self, stop: threading.Event, timeout: float) -> Iterator[Arrival]:
        """Yield the frames ``(H, W, 3)`` until it is stopped."""
        while not stop.is_set():
            yield from Stream(self.path).connect(stop, timeout)


class Sampler:
    """Measures this process every few seconds, in a thread."""

    def __init__(self, folder: Path, every: float) -> None:
        self.series: dict[str, list[float]] = {}
        self._folder, self._every = folder, every
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._measure, daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _measure(self) -> None:
        start = time.monotonic()
        while not self._end.wait(self._every):
            sample = measure(os.getpid(), self._folder)
            found = {k: v for k, v in sample.items() if k.startswith('main_')}
            found['seconds'] = round(time.monotonic() - start, 1)
            for name, value in found.items():
                self.series.setdefault(name, []).append(value)


def watch(
    inferencer: DFERInferencer,
    source: Repeated | str,
    folder: Path,
    draw: str,
    seconds: float,
) -> dict[str, Any]:
    """Watch a stream; return what is written of it."""
    session = LiveSession(inferencer, folder, draw)
    begin = time.process_time()
    with Sampler(folder, every=1.0) as sampler:
        video = LiveVideo(source, max_side=inferencer.max_side)
        summary = session.run(video, seconds)
    used = time.process_time() - begin
    print(summary.text())
    try:
        growth = judge(sampler.series)
    except ValueError:  # too short a time
        growth = {}
    result = dict(
        draw=draw,
        **summary.to_dict(),
        cpu_ms_per_frame=round(1000 * used / max(summary.drawn, 1), 2),
        cpu_cores=round(used / max(summary.seconds, 1e-9), 3),
        load_average=describe_environment()['load_average'],
        growth=growth,
    )
    return {k: v for k, v in result.items() if k not in ('source', 'made_by')}


def keep_step(
    inferencer: DFERInferencer, path: Path, folder: Path, fps: float, count: int
) -> dict[str, Any]:
    """Use each frame of a file, however long it takes, and count the CPU time.

    What a frame takes in the thread that draws it is its delay on an idle computer.
    What all threads take says how many cores a stream keeps busy. Other work on the
    machine changes neither much.
    """
    of_frames = Delays()
    with half_the_cores(), ExitStack() as stack:
        live = stack.enter_context(LiveRecognizer(inferencer))
        begin, number = time.process_time(), 0
        writer: VideoWriter | None = None
        while number < count:
            for image in (frame.image for frame in FileVideo(path)):
                if writer is None:
                    annotator = LiveAnnotator(inferencer.classes, image.shape[1::-1])
                    writer = VideoWriter(folder / 'drawn.mp4', annotator.size, fps)
                    stack.enter_context(writer)
                start = time.thread_time()
                faces = live(Frame(number, number / fps, image))
                named = [(str(f.track), f.probabilities, f.box) for f in faces]
                writer.write(annotator(image, named), number / fps)
                of_frames.add(time.thread_time() - start)
                live.finish()
                number += 1
                if number == count:
                    break
        used = (time.process_time() - begin) / count
    return dict(
        frames=count,
        cpu_ms_per_frame=round(1000 * used, 2),
        cores_for_the_stream=round(used * fps, 3),
        frame_cpu_ms=of_frames.milliseconds(),
    )


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=describe(__doc__))
    parser.add_argument('video', help='a video with a face')
    parser.add_argument('out', type=Path, help='the JSON file')
    parser.add_argument('--config', default='ifdd_cnn_sample')
    parser.add_argument('--checkpoint', help='its weights (those of the zoo)')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--fps', type=float, default=25.0)
    parser.add_argument('--stream', help='URL of a stream to watch, not the video')
    parser.add_argument('--seconds', type=float, default=60.0)
    parser.add_argument(
        '--frames', type=int, default=500, help='used one by one (%(default)s)'
    )
    parser.add_argument(
        '--draw', nargs='+', choices=('none', 'video'), default=['none', 'video']
    )
    args = parser.parse_args(argv)
    for name in ('fps', 'seconds', 'frames'):
        if not getattr(args, name) > 0:
            parser.error(f'--{name} is {getattr(args, name)}: it must be more than 0')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        inferencer = DFERInferencer(
            args.config,
            args.checkpoint,
            args.device,
            detect_every=3,
            show_progress=False,
        )
        with tempfile.TemporaryDirectory(prefix='ifdd_live_') as name:
            folder = Path(name)
            path = folder / 'stream.mp4'
            forward_and_backward(args.video, path, args.fps)
            source = args.stream or Repeated(path, Path(args.video).name)
            step = keep_step(inferencer, path, folder, args.fps, args.frames)
            print(
                f'keeping step: {step["cpu_ms_per_frame"]} ms of CPU time a frame, '
                f'{step["cores_for_the_stream"]} cores for {args.fps:g} a second'
            )
            runs = [
                watch(inferencer, source, folder / draw, draw, args.seconds)
                for draw in args.draw
            ]
    except InputError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    for run in runs:
        checkpoint = Path(run['settings']['checkpoint']).name
        run['settings'] = {**run['settings'], 'checkpoint': checkpoint}
    stream = args.stream and without_password(args.stream)
    result = dict(
        config=args.config,
        video=Path(args.video).name,
        stream=stream,
        fps=args.fps,
        keeping_step=step,
        runs=runs,
        **provenance(),
    )
    if stream:
        result['command'] = result['command'].replace(args.stream, stream)
    result['environment'] |= describe_environment()
    write_atomic(args.out, (json.dumps(result, indent=1) + '\n').encode())
    print(f'wrote {args.out}')
    grown = [
        f'{run["draw"]}: {name} grows by {found["growth"]:g} (limit {found["limit"]:g})'
        for run in runs
        for name, found in run['growth'].items()
        if not found['flat']
    ]
    print('\n'.join(grown or ['memory, files and threads are flat']))
    return 1 if grown else 0


if __name__ == '__main__':
    sys.exit(main())
