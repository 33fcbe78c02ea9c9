"""A web page that tells the expressions in a video: upload one, or record the webcam.

    python tools/demo_web.py --config CONFIG --checkpoint CHECKPOINT

It listens on this computer alone unless --host says otherwise, sends nothing anywhere,
and removes what was uploaded. Needs `pip install "ifdd-mmaction[demo]"`.
Exit codes: 0 ended by Ctrl-C, 2 the model or the port cannot be used.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

from split_view import view_split

from ifdd_mmaction.apis import DFERInferencer
from ifdd_mmaction.cli import add_model, choose_model
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.notice import print_notice
from ifdd_mmaction.video import FileVideo, Frame
from ifdd_mmaction.visualization import plot_clip_split, save_figure
from ifdd_mmaction.visualization.emotion_pictures import NOT_SURE

NOTE = """## Expressions over time
Shows which expressions a model recognizes on the faces in a video{unsure}. An
expression is not a feeling: do not judge people by it. Videos of up to {seconds:g}
seconds and {megabytes} MB; they stay on the computer that runs this page, and are
removed after {keep:g} minutes.

In the European Union, inferring emotions at work and in education is prohibited
(Regulation 2024/1689, article 5(1)(f)); elsewhere, people who are exposed to it must be
told (article 50(3))."""
UNSURE = ', and "{not_sure}" where the largest probability is below {below:.0%}'
COLUMNS = ['face', 'start', 'end', 'expression', 'probability']


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Expressions over time, as a web page')
    add_model(parser)
    parser.add_argument('--device', help='such as cpu, cuda:0; the best by default')
    parser.add_argument('--detector', default='centerface')
    parser.add_argument('--crop', default='square', choices=('square', 'align'))
    parser.add_argument('--window', type=float, default=2.0, help='seconds of a clip')
    parser.add_argument('--stride', type=float, default=0.25, help='seconds')
    parser.add_argument(
        '--host', default='127.0.0.1', help='0.0.0.0: anyone in the network may use it'
    )
    parser.add_argument('--port', type=int, default=7860)
    parser.add_argument('--max-seconds', type=float, default=60.0)
    parser.add_argument('--max-megabytes', type=int, default=100)
    parser.add_argument(
        '--keep-minutes',
        type=float,
        default=15.0,
        help='after which uploads and results are removed (%(default)s)',
    )
    args = parser.parse_args()
    choose_model(parser, args)
    for name in ('max_seconds', 'max_megabytes', 'keep_minutes'):
        if getattr(args, name) <= 0:
            option = name.replace('_', '-')
            parser.error(f'--{option} {getattr(args, name):g}: must be above 0')
    return args


class ShortVideo:
    """A video that may not be longer than so many seconds."""

    def __init__(self, path: str, seconds: float) -> None:
        self._video = FileVideo(path)
        self._seconds = seconds
        self.name = Path(path).name
        self.length = self._video.length

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._video:
            if frame.seconds > self._seconds:
                raise InputError(f'the video is longer than {self._seconds:g} seconds')
            yield frame


def analyse(
    inferencer: DFERInferencer, path: str, seconds: float, folder: Path
) -> dict[str, Any]:
    """Write the pictures of a video into a folder; return them, and rows of a table.

    Raises:
        InputError: If the video is too long, cannot be read, or shows no face.
    """
    scan = inferencer.scan(ShortVideo(path, seconds))
    result = inferencer.infer_scan(scan)
    files: dict[str, Any] = dict(inferencer.show(scan.video, result, folder))
    if split := view_split(inferencer, scan, result):
        files['split'] = folder / 'split.png'
        save_figure(plot_clip_split([split]), files['split'], dpi=100)
    rows = []
    for track in result.tracks:
        for window, shares in zip(track.windows, track.smoothed, strict=True):
            times = [f'{window.start:.2f}', f'{window.end:.2f}']
            expression = result.expression(shares)
            rows.append([track.id, *times, expression, f'{shares.max():.0%}'])
    return dict(files, rows=rows)


def remove_old(cache: Path, seconds: float) -> None:
    """Remove what is older than so many seconds from a folder."""
    for path in sorted(cache.rglob('*'), reverse=True):  # files before their folder
        # Another may have removed it, and a folder may hold newer files.
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > seconds:
                path.rmdir() if path.is_dir() else path.unlink()


def keep_clean(cache: Path, seconds: float) -> None:
    """Remove old files from a folder for ever."""
    while cache.is_dir():
        remove_old(cache, seconds)
        time.sleep(min(60.0, seconds))


def build_page(gradio: Any, inferencer: DFERInferencer, args: Any, cache: Path) -> Any:
    """Return the page, with Gradio's module as it was imported."""

    def run(path: str | None) -> list:
        if path is None:
            raise gradio.Error('Upload or record a video first.')
        folder = Path(tempfile.mkdtemp(dir=cache))
        try:
            found = analyse(inferencer, path, args.max_seconds, folder)
        except InputError as error:
            raise gradio.Error(str(error)) from error
        names = 'annotated', 'timeline', 'moments', 'split'
        shown = [str(found[name]) if name in found else None for name in names]
        return [*shown, found['rows']]

    below = args.abstain_below
    note = NOTE.format(
        unsure=UNSURE.format(not_sure=NOT_SURE, below=below) if below else '',
        seconds=args.max_seconds,
        megabytes=args.max_megabytes,
        keep=args.keep_minutes,
    )
    with gradio.Blocks(title='Expressions over time') as page:
        gradio.Markdown(note)
        with gradio.Row():
            video = gradio.Video(label='Your video', sources=['upload', 'webcam'])
            annotated = gradio.Video(
                label='Result', interactive=False, buttons=['download']
            )
        button = gradio.Button('Recognize expressions', variant='primary')
        # Without Gradio's button that would share a picture with the world.
        image = partial(
            gradio.Image, interactive=False, buttons=['download', 'fullscreen']
        )
        outputs = [
            annotated,
            image(label='Timeline'),
            image(label='Strongest expressions'),
            image(label='What the dynamics and the context group read'),
            gradio.Dataframe(label='Windows', headers=COLUMNS, interactive=False),
        ]
        button.click(run, video, outputs, concurrency_limit=1)
    return page


def main() -> int:
    args = parse_args()
    try:
        inferencer = DFERInferencer(
            args.config,
            args.checkpoint,
            args.device,
            detector=args.detector,
            crop=args.crop,
            window=args.window,
            stride=args.stride,
            show_progress=False,
            calibrated=args.calibrated,
            abstain_below=args.abstain_below,
        )
    except InputError as error:
        print(f'demo_web: {error}', file=sys.stderr)
        return 2
    print_notice()
    with tempfile.TemporaryDirectory(prefix='ifdd_demo_') as cache:
        # Gradio reads both when it is imported: no statistics to its makers, and all
        # of its files where they are removed in the end.
        os.environ.update(GRADIO_ANALYTICS_ENABLED='False', GRADIO_TEMP_DIR=cache)
        try:
            import gradio
        except ImportError:
            print(
                'demo_web: needs Gradio: pip install "ifdd-mmaction[demo]"',
                file=sys.stderr,
            )
            return 2
        Thread(
            target=keep_clean, args=(Path(cache), 60 * args.keep_minutes), daemon=True
        ).start()
        page = build_page(gradio, inferencer, args, Path(cache))
        try:
            page.queue(max_size=16).launch(
                server_name=args.host,
                server_port=args.port,
                max_file_size=f'{args.max_megabytes}mb',
                share=False,
            )
        except OSError as error:
            print(
                f'demo_web: {args.host}:{args.port} cannot be listened on, choose '
                f'another --port ({str(error).splitlines()[0]})',
                file=sys.stderr,
            )
            return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
