"""Measure how fast clips are loaded: ``python tools/analysis/bench_data.py``.

Contenders, each with the paper's training augmentation at 16 x 224 x 224:

- stock: MMAction2's RawframeDataset, RawFrameDecode and transforms on frame folders;
- folders: the training pipeline of configs/_base_/datasets/dfew.py on the same folders;
- archive: the same pipeline on a packed archive of the same JPEGs;
- decoded: the same pipeline on an archive of decoded frames;
- folders+colour: folders, and the color jitter of the data preprocessor on the same
  core too, where a run on a GPU has it on the GPU.

They take turns in one process on one core, clip sets in the same order in every round.
Clips per second are of CPU time: other work on the machine takes wall time away, but
hardly CPU time. Ratios are medians of the ratios within each round.

Writes OUT.json and OUT.md. Exit codes: 0 measured, 2 wrong arguments or data.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from measuring import Setup, describe_environment, summarize, take_turns
from mmaction.datasets import BaseActionDataset, RawframeDataset
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch.utils.data import DataLoader

from ifdd_mmaction.datasets import DatasetError, images
from ifdd_mmaction.datasets.storage import (
    ClipSource,
    FolderClipSource,
    PackedArchive,
    write_archive,
)
from ifdd_mmaction.datasets.transforms.color_jitter import ColorJitter
from ifdd_mmaction.fileio import write_atomic

CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_'
SIZE, CLIP_LEN = 224, 16
COLORS = dict(brightness=0.4, contrast=0.4, saturation=0.4)
STOCK_PIPELINE = [
    dict(type='SampleFrames', clip_len=CLIP_LEN, frame_interval=1, num_clips=1),
    dict(type='RawFrameDecode'),
    dict(
        type='RandomResizedCrop',
        area_range=(0.5, 1.0),
        aspect_ratio_range=(3 / 4, 4 / 3),
    ),
    dict(type='Resize', scale=(SIZE, SIZE), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    # 0.28 of its own scale is torchvision's 0.4.
    dict(type='ColorJitter', hue=0.28, **COLORS),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
#: What the project aims at, as ratio to stock.
AIMS = dict(folders=3.0, archive=4.0)
WORKERS = 4
#: Loads the clip of an index.
Load = Callable[[int], Any]


class Clips(BaseActionDataset):
    """Clips of any storage, without annotation."""

    def __init__(self, sources: Sequence[ClipSource], pipeline: list[dict]) -> None:
        self.sources = sources
        super().__init__(ann_file='', pipeline=pipeline)

    def load_data_list(self) -> list[dict]:
        """List the sources, all of label 0."""
        return [
            dict(source=source, total_frames=len(source), label=0, video_id=source.name)
            for source in self.sources
        ]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--frames',
        type=Path,
        help='folder of clip folders with 1.jpg, 2.jpg, ..., as in DFEW (default: '
        'clips of noise with the spectrum of photographs, made for the run)',
    )
    parser.add_argument(
        '--archive',
        type=Path,
        help='the same clips as packed by tools/data/prepare.py (default: packed for '
        'the run)',
    )
    parser.add_argument(
        '--falloff',
        type=float,
        default=1.8,
        help='how detail falls off with frequency in the clips that are made: 1.8 '
        'gives JPEGs of the size of faces cut from video, 1.0 of sharp photographs '
        '(default: %(default)s)',
    )
    parser.add_argument('--clips', type=int, default=8, help='clips in a round')
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument(
        '--memory',
        action='store_true',
        help=f'also watch the memory of {WORKERS} workers over an epoch',
    )
    parser.add_argument(
        '--epoch', type=int, default=2000, help='clips of the epoch of --memory'
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/data_loading'))
    args = parser.parse_args(argv)
    if min(args.clips, args.rounds, args.epoch) < 1:
        parser.error('--clips, --rounds and --epoch must be at least 1')
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    init_default_scope('mmaction')
    with tempfile.TemporaryDirectory() as scratch:
        try:
            result = measure(args, Path(scratch))
        except (DatasetError, OSError) as error:
            print(f'bench_data: {error}', file=sys.stderr)
            return 2
    text = to_markdown(result)
    write_atomic(args.out.with_suffix('.json'), json.dumps(result, indent=1).encode())
    write_atomic(args.out.with_suffix('.md'), text.encode())
    print(text)
    return 0


def measure(args: argparse.Namespace, scratch: Path) -> dict:
    """Measure everything that was asked for."""
    frames = args.frames or make_frames(scratch / 'frames', args.clips, args.falloff)
    folders = sorted(path for path in frames.iterdir() if path.is_dir())[: args.clips]
    if not folders:
        raise DatasetError(f'{frames}: no folder of frames in it')
    loaders, sizes = make_loaders(folders, args.archive, scratch)
    result = dict(
        environment=describe_environment(
            opencv=cv2.__version__,
            jpeg_decoder='simplejpeg' if images.decode_jpeg else 'OpenCV',
        ),
        data=dict(
            frames=str(args.frames or 'made for the run'),
            clips=len(folders),
            bytes_per_frame=sizes,
        ),
        rounds=args.rounds,
        contenders=compare(loaders, len(folders), args.rounds),
    )
    if args.memory:
        sources = [FolderClipSource(folder) for folder in folders]
        result['memory'] = watch_memory(sources, args.epoch)
    return result


def make_frames(root: Path, clips: int, falloff: float) -> Path:
    """Write clips of noise with the spectrum of photographs, that drift slowly."""
    rng = np.random.default_rng(0)
    edge = SIZE + CLIP_LEN
    y, x = np.fft.fftfreq(edge)[:, None], np.fft.rfftfreq(edge)[None]
    spectrum = np.maximum(np.hypot(y, x), 1 / edge) ** -falloff
    for clip in range(clips):
        folder = root / f'{clip + 1:05d}'
        folder.mkdir(parents=True)
        # Mostly gray, as photographs are: the channels are correlated.
        waves = np.fft.rfft2(rng.standard_normal((4, edge, edge))) * spectrum
        common, *colors = np.fft.irfft2(waves, s=(edge, edge))
        scene = np.stack([common + 0.3 * color for color in colors], axis=-1)
        scene = 128 + 50 * (scene - scene.mean()) / scene.std()
        scene = scene.clip(0, 255).astype(np.uint8)
        for i in range(CLIP_LEN):
            view = scene[i : i + SIZE, i : i + SIZE]
            path = str(folder / f'{i + 1}.jpg')
            cv2.imwrite(path, view, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return root


def make_loaders(
    folders: list[Path], archive: Path | None, scratch: Path
) -> tuple[dict[str, Load], float]:
    """Return the contenders by name, and the mean size of a frame in bytes."""
    files = [file for folder in folders for file in folder.glob('*.jpg')]
    lines = [f'{f.name} {len(list(f.glob("*.jpg")))} 0' for f in folders]
    annotation = scratch / 'stock.txt'
    annotation.write_text('\n'.join(lines))
    stock = RawframeDataset(
        str(annotation),
        pipeline=STOCK_PIPELINE,
        data_prefix=dict(img=str(folders[0].parent)),
        filename_tmpl='{}.jpg',
    )
    pipeline = Config.fromfile(CONFIGS / 'datasets' / 'dfew.py').train_pipeline
    ours = Clips([FolderClipSource(folder) for folder in folders], pipeline)
    named = [(folder.name, folder) for folder in folders]
    if archive is None:
        archive = scratch / 'clips.zip'
        write_archive(archive, named, metadata={})
    write_archive(scratch / 'decoded.zip', named, metadata={}, decoded=True)
    packed = {}
    for name, path in dict(archive=archive, decoded=scratch / 'decoded.zip').items():
        opened = PackedArchive(path)
        packed[name] = Clips(
            [opened.source(clip) for clip in opened.names[: len(folders)]], pipeline
        )
    jitter = ColorJitter(hue=0.4, **COLORS)
    loaders: dict[str, Load] = {
        'stock': stock.__getitem__,
        'folders': ours.__getitem__,
        'archive': packed['archive'].__getitem__,
        'decoded': packed['decoded'].__getitem__,
        'folders+colour': lambda i: jitter(ours[i]['inputs']),
    }
    return loaders, float(np.mean([file.stat().st_size for file in files]))


def compare(loaders: dict[str, Load], clips: int, rounds: int) -> dict[str, dict]:
    """Time the loaders in turns on all clips."""

    def load_all(load: Load) -> Callable[[], None]:
        def run() -> None:
            for i in range(clips):
                load(i)

        return run

    runs = {name: load_all(load) for name, load in loaders.items()}
    seconds, wall = take_turns(runs, rounds, Setup())
    return {
        name: dict(
            cpu_clips_per_second=summarize(clips / np.array(seconds[name])),
            wall_clips_per_second=summarize(clips / np.array(wall[name])),
            ratio_to_stock=summarize(np.divide(seconds['stock'], seconds[name])),
            **({'aim': AIMS[name]} if name in AIMS else {}),
        )
        for name in loaders
    }


def watch_memory(sources: list[FolderClipSource], clips: int) -> dict:
    """Watch the workers' memory over an epoch of the clips, repeated."""
    pipeline = Config.fromfile(CONFIGS / 'datasets' / 'dfew.py').train_pipeline
    repeats = -(-clips // len(sources))
    dataset = Clips((sources * repeats)[:clips], pipeline)
    loader = DataLoader(
        dataset,
        batch_size=4,
        num_workers=WORKERS,
        collate_fn=pseudo_collate,
        multiprocessing_context='fork',
    )
    batches = iter(loader)
    workers = [worker.pid for worker in batches._workers]
    seen = []
    for _ in batches:
        # Private memory: what is shared with the parent or held by files is no leak.
        held = [private_mib(pid) for pid in workers if pid]
        if all(held):  # towards the end, workers leave one after the other
            seen.append(sum(held))
    parts = [float(part.mean()) for part in np.array_split(seen, min(20, len(seen)))]
    # In the first quarter the allocators are still filling. A worker holds more or
    # less by what it has in hand, so only means are compared.
    quarter, half = len(parts) // 4, len(parts) // 2
    growth = np.mean(parts[half:]) / np.mean(parts[quarter:half] or parts[:1]) - 1
    return dict(
        clips=clips,
        workers=WORKERS,
        private_mib_of_all_workers=[round(v, 1) for v in parts],
        growth_of_second_half=round(float(growth), 4),
    )


def private_mib(pid: int) -> float:
    """Return the memory that only this process holds, in MiB; 0 when it has ended."""
    try:
        lines = Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(li.split()[1]) for li in lines if li.startswith('Private_')) / 1024


def to_markdown(result: dict) -> str:
    """Write the result as a table."""
    environment = ', '.join(f'{k} {v}' for k, v in result['environment'].items())
    data = result['data']
    lines = [
        f'{data["clips"]} clips of {CLIP_LEN} frames, {SIZE} x {SIZE}, '
        f'{data["bytes_per_frame"]:.0f} bytes a JPEG; {result["rounds"]} rounds in '
        f'turns, median (quartiles). {environment}.',
        '',
        '| loader | clips/s and core (CPU time) | clips/s (wall) | times stock | aim |',
        '|---|---|---|---|---|',
    ]
    for name, row in result['contenders'].items():
        cells = [
            f'{row[key]["median"]:.{digits}f} ({row[key]["quartile1"]:.{digits}f} to '
            f'{row[key]["quartile3"]:.{digits}f})'
            for key, digits in (
                ('cpu_clips_per_second', 1),
                ('wall_clips_per_second', 1),
                ('ratio_to_stock', 2),
            )
        ]
        aim = f'{row["aim"]:g}' if 'aim' in row else ''
        lines.append(f'| {name} | {" | ".join(cells)} | {aim} |')
    if 'memory' in result:
        memory = result['memory']
        seen = memory['private_mib_of_all_workers']
        lines += [
            '',
            f'Private memory of {memory["workers"]} workers together over '
            f'{memory["clips"]} clips: {", ".join(f"{v:.0f}" for v in seen)} MiB; '
            f'{memory["growth_of_second_half"]:+.1%} in the second half of the epoch '
            'against its second quarter.',
        ]
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    sys.exit(main())
