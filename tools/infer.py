"""Expressions over time: ``ifdd infer VIDEO --config C --checkpoint W``.

``python tools/infer.py`` is the same. Faces of videos are found and followed, and the
expressions that each shows over time are classified. ``ifdd infer --camera 0`` and
``ifdd infer rtsp://...`` do it while a camera or stream goes on, until Ctrl-C.
Exit codes: 0 done, 2 wrong arguments, or a video, stream or model that cannot be used;
the other videos are done all the same, 143 terminated (SIGTERM) while a stream was
watched; its files are whole.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from ifdd_mmaction.apis import DFERInferencer, LiveSession
from ifdd_mmaction.apis.live_session import DRAW
from ifdd_mmaction.cli import add_model, choose_model
from ifdd_mmaction.deprecations import link_former_files
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.notice import print_notice
from ifdd_mmaction.video import (
    LiveVideo,
    find_videos,
    h264_encoder,
    live_source,
    result_folders,
)
from ifdd_mmaction.video.window import has_display


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Find and follow the faces of videos and classify the '
        'expressions that they show over time. Exit codes: 0 done, 2 something cannot '
        'be used; each such video is named, the others are done.',
    )
    parser.add_argument(
        'inputs',
        nargs='*',
        metavar='VIDEO',
        help='files, folders, patterns; or one stream: rtsp://..., http://...',
    )
    add_model(parser)
    parser.add_argument(
        '--out-dir', default='work_dirs/infer', help='a folder in it for each video'
    )
    parser.add_argument('--device', help='such as cpu, cuda:0; the best by default')
    parser.add_argument('--batch-size', type=int, default=8)
    faces = parser.add_argument_group('faces')
    faces.add_argument(
        '--detector',
        default='centerface',
        metavar='centerface|none|FILE.onnx',
        help='none: the frames are cut to the face; FILE.onnx: a YuNet model',
    )
    faces.add_argument(
        '--detect-size',
        type=int,
        default=320,
        help='long side of the image that is searched, in pixels (%(default)s)',
    )
    faces.add_argument(
        '--detect-every',
        type=int,
        metavar='N',
        help='search every n-th frame (1; 3 of cameras and streams)',
    )
    faces.add_argument(
        '--max-gap',
        type=float,
        default=1.0,
        help='seconds that a face may be hidden (%(default)s)',
    )
    faces.add_argument('--crop', default='square', choices=('square', 'align'))
    time = parser.add_argument_group('time, in seconds')
    time.add_argument(
        '--window', type=float, default=2.0, help='length of a clip (%(default)s)'
    )
    time.add_argument(
        '--stride', type=float, default=0.5, help='from clip to clip (%(default)s)'
    )
    time.add_argument(
        '--smooth',
        type=float,
        default=0.5,
        help='standard deviation of the average over clips, 0 for none (%(default)s)',
    )
    time.add_argument(
        '--fps', type=float, default=25.0, help='of folders of images (%(default)s)'
    )
    live = parser.add_argument_group('cameras and streams')
    live.add_argument('--camera', type=int, metavar='N', help='camera of this number')
    live.add_argument('--live', action='store_true', help='play a file like a stream')
    live.add_argument(
        '--draw',
        choices=DRAW,
        help='where drawn frames go (window if there is a display, else video)',
    )
    live.add_argument(
        '--seconds', type=float, metavar='S', help='end after this time (Ctrl-C)'
    )
    live.add_argument(
        '--reconnect',
        type=float,
        default=30.0,
        metavar='S',
        help='seconds for which a lost stream is opened again (%(default)s)',
    )
    parser.add_argument('--no-video', action='store_true', help='no annotated video')
    parser.add_argument(
        '--no-pictures', action='store_true', help='tables alone, no picture at all'
    )
    parser.add_argument('--quiet', action='store_true', help='no progress bar')
    args = parser.parse_args(argv)
    choose_model(parser, args)
    return args


def infer(args: argparse.Namespace) -> int:
    """Infer all videos, or watch a camera or stream; return the exit code."""
    source = live_input(args)
    videos = [] if source is not None else find_videos(args.inputs)
    inferencer = DFERInferencer(
        args.config,
        args.checkpoint,
        args.device,
        detector=args.detector,
        detect_size=args.detect_size,
        detect_every=args.detect_every or (1 if source is None else 3),
        max_gap=args.max_gap,
        crop=args.crop,
        window=args.window,
        stride=args.stride,
        smooth=args.smooth,
        fps=args.fps,
        show_progress=not args.quiet,
        calibrated=args.calibrated,
        abstain_below=args.abstain_below,
    )
    print_notice()
    if source is not None:
        return watch(inferencer, source, args)
    failed = 0
    folders = result_folders(args.out_dir, videos)
    for video, folder in zip(videos, folders, strict=True):
        try:
            infer_one(inferencer, video, folder, args)
        except InputError as error:
            failed += 1
            print(f'ifdd: {error}', file=sys.stderr)
    if failed and len(videos) > 1:
        print(f'ifdd: {failed} of {len(videos)} videos failed', file=sys.stderr)
    return 2 if failed else 0


def live_input(args: argparse.Namespace) -> int | str | None:
    """Return the camera or stream that is asked for, or None.

    Raises:
        InputError: If there is more than one, or no input at all.
    """
    names = args.inputs
    if args.camera is not None:
        names = [*names, str(args.camera)]
    if not names:
        raise InputError('no input: name a video, a stream (rtsp://...) or --camera 0')
    numbers = [name for name in names if is_camera(name)]
    live = args.live or args.camera is not None or numbers
    if not live and not any('://' in name for name in names):
        return None
    if len(names) > 1:
        raise InputError(
            f'{" ".join(names)}: a camera or stream is watched alone: name one'
        )
    return int(names[0]) if numbers or args.camera is not None else names[0]


def is_camera(name: str) -> bool:
    return name.isdecimal() and not Path(name).exists()


def watch(
    inferencer: DFERInferencer, source: int | str, args: argparse.Namespace
) -> int:
    """Watch a camera or stream; return the exit code."""
    if args.seconds is not None and not args.seconds > 0:
        raise InputError(f'seconds={args.seconds:g}: must be more than 0')
    tell = partial(print, file=sys.stderr, flush=True)
    video = LiveVideo(source, args.reconnect, inferencer.max_side, tell)
    (folder,) = result_folders(args.out_dir, [folder_name(source)])
    no_video = args.no_video or args.no_pictures
    draw = args.draw
    if draw is None and no_video:
        draw = 'window' if has_display() else 'none'
    session = LiveSession(inferencer, folder, draw)
    print(f'watching {video.name}; Ctrl-C ends', flush=True)
    summary = session.run(video, args.seconds)
    print(summary.text())
    print(f'  results: {folder}', flush=True)
    return 128 + signal.SIGTERM if summary.ended_by == signal.SIGTERM else 0


def folder_name(source: int | str) -> str:
    """Return the name of the folder of a camera or stream, from its host and path."""
    if isinstance(source, int):
        return f'camera{source}'
    name = live_source(source).name
    if '://' not in name:
        return name
    parts = urlsplit(name)
    return re.sub(r'[^\w-]+', '_', f'{parts.netloc}{parts.path}').strip('_')


def infer_one(
    inferencer: DFERInferencer, video: str, folder: Path, args: argparse.Namespace
) -> None:
    result = inferencer.infer_video(video, args.batch_size)
    result.write_json(folder / 'expressions.json')
    result.write_csv(folder / 'expressions.csv')
    link_former_files(folder)
    settings = result.settings
    print(f'{video}: {result.frames} frames, {result.seconds:.1f} s')
    print(
        f'  faces: {settings["detector"]}, '
        f'{settings["detector_frames_per_second"]:.1f} frames a second'
    )
    print(result.summary())
    if not args.no_pictures:
        inferencer.show(video, result, folder, annotated=not args.no_video)
        if not args.no_video and h264_encoder() is None:
            print(
                '  annotated.mp4 is MPEG-4 part 2, which browsers do not play; for '
                'H.264: pip install "ifdd-mmaction[video]"'
            )
    print(f'  results: {folder}', flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        return infer(args)
    except (InputError, OSError) as error:
        print(f'ifdd: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('ifdd: interrupted', file=sys.stderr)
        return 130


if __name__ == '__main__':
    sys.exit(main())
