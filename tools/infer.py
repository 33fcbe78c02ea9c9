"""Expressions over time: ``ifdd infer VIDEO --config C --checkpoint W``.

``python tools/infer.py`` is the same. Faces of videos are found and followed, and the
expressions that each shows over time are classified. Exit codes: 0 done, 2 wrong
arguments, or a video or model that cannot be used; the other videos are done all the
same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ifdd_mmaction.apis import DFERInferencer
from ifdd_mmaction.cli import add_abstain_below, add_calibrated
from ifdd_mmaction.deprecations import link_former_files
from ifdd_mmaction.errors import InputError
from ifdd_mmaction.notice import print_notice
from ifdd_mmaction.video import (
    find_videos,
    h264_encoder,
    record_webcam,
    result_folders,
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Find and follow the faces of videos and classify the '
        'expressions that they show over time. Exit codes: 0 done, 2 something cannot '
        'be used; each such video is named, the others are done.',
    )
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='VIDEO',
        help='files, folders, patterns; a number is a webcam',
    )
    parser.add_argument(
        '--config', required=True, help='config of the model, or its name in the zoo'
    )
    parser.add_argument('--checkpoint', help='its weights (those of the zoo)')
    parser.add_argument(
        '--out-dir', default='work_dirs/infer', help='a folder in it for each video'
    )
    parser.add_argument('--device', help='such as cpu, cuda:0; the best by default')
    parser.add_argument('--batch-size', type=int, default=8)
    add_calibrated(parser)
    add_abstain_below(parser)
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
        '--detect-every', type=int, default=1, help='search every n-th frame'
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
    time.add_argument(
        '--record', type=float, default=10.0, help='of a webcam (%(default)s)'
    )
    parser.add_argument('--no-video', action='store_true', help='no annotated video')
    parser.add_argument(
        '--no-pictures', action='store_true', help='tables alone, no picture at all'
    )
    parser.add_argument('--quiet', action='store_true', help='no progress bar')
    return parser.parse_args(argv)


def infer(args: argparse.Namespace) -> int:
    """Infer all videos; return the exit code."""
    found = find(args.inputs)
    inferencer = DFERInferencer(
        args.config,
        args.checkpoint,
        args.device,
        detector=args.detector,
        detect_size=args.detect_size,
        detect_every=args.detect_every,
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
    # The model comes first: a recording for one that cannot be used would be lost.
    videos = [record(v, args) if isinstance(v, int) else v for v in found]
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


def find(inputs: Sequence[str]) -> list[str | int]:
    """Return the videos that are asked for; a number is a webcam."""
    found: list[str | int] = []
    for name in inputs:
        if name.isdecimal() and not Path(name).exists():
            found.append(int(name))
        else:
            found += find_videos([name])
    return list(dict.fromkeys(found))


def record(camera: int, args: argparse.Namespace) -> str:
    print(f'recording camera {camera} for {args.record:g} s; Ctrl-C ends it')
    path = Path(args.out_dir) / f'webcam{camera}.mp4'
    return str(record_webcam(camera, path, args.record))


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
