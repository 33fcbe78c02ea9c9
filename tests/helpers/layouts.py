"""Miniature dataset trees with real files, in the layouts of the real ones."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np


def write_frames(
    folder: Path,
    count: int,
    size: int = 32,
    start: int = 1,
    name: str = '{}.jpg',
    width: int | None = None,
) -> None:
    """Write ``{start}.jpg ...``, frame i being gray of value 10 i."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(start, start + count):
        frame = np.full((size, width or size, 3), 10 * i % 256, np.uint8)
        assert cv2.imwrite(str(folder / name.format(i)), frame)


def write_video(path: Path, count: int, size: int = 32, width: int | None = None):
    """Write a video; frame i, from 1, is gray of value 10 i."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (width or size, size)
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 25, shape)
    assert video.isOpened()
    for i in range(1, count + 1):
        video.write(np.full((size, width or size, 3), 10 * i % 256, np.uint8))
    video.release()


def end_early(path: Path, kept: float = 0.5) -> None:
    """Zero a video's data but for the first share: the index still lists its frames."""
    data = bytearray(path.read_bytes())
    start, end = data.index(b'mdat') + 4, data.index(b'moov') - 4
    cut = start + int((end - start) * kept)
    data[cut:end] = bytes(end - cut)
    path.write_bytes(data)


def write_lines(path: Path, lines: list[str]) -> None:
    """Write a text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')


def write_list(path: Path, rows: list, header=('video_name', 'label')) -> None:
    """Write a CSV in the form of DFEW's lists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w', newline='') as file:
        csv.writer(file).writerows([*([header] if header else []), *rows])


def make_dfew(
    root: Path,
    clips_per_class: int = 2,
    frames: int = 16,
    size: int = 32,
    release: str = 'clip_224x224_16f',
    split_dir: str = '{}(single-labeled)',
    folds: int = 1,
) -> Path:
    """Make a DFEW tree: in every fold the same train and test clips of all classes."""
    name = 0
    rows: dict[str, list] = dict(train=[], test=[])
    for split in rows:
        for label in range(1, 8):
            for _ in range(clips_per_class):
                name += 1
                rows[split].append((name, label))
                write_frames(root / 'Clip' / release / f'{name:05d}', frames, size)
    for split, lines in rows.items():
        for fold in range(1, folds + 1):
            folder = root / 'EmoLabel_DataSplit' / split_dir.format(split)
            write_list(folder / f'set_{fold}.csv', lines)
    return root


FERV39K = ('Angry', 'Disgust', 'Fear', 'Happy', 'Neutral', 'Sad', 'Surprise')


def make_ferv39k(
    root: Path,
    frames: int = 16,
    size: int = 32,
    lists: str = '4_setups/All_scenes',
    ids: tuple[str, ...] | None = None,
) -> Path:
    """Make a FERV39k tree of one clip a class and split.

    Args:
        ids: The class names in the order of the ids to write instead of them.
    """
    number = 0
    for split in ('train', 'test'):
        lines = []
        for label in FERV39K:
            number += 1
            clip = f'Action/{label}/{number:04d}'
            lines.append(f'{clip} {ids.index(label) if ids else label}')
            folder = root / '2_ClipsforFaceCrop' / clip
            write_frames(folder, frames, size, name='{:04d}.jpg')
        write_lines(root / lists / f'{split}_All.csv', lines)
    return root


MAFW = (
    'anger', 'disgust', 'fear', 'happiness', 'neutral', 'sadness', 'surprise',
    'contempt', 'anxiety', 'helplessness', 'disappointment',
)  # fmt: skip


def make_mafw(
    root: Path,
    frames: int = 16,
    size: int = 32,
    lists: str = 'label/no_caption',
    storage: str = 'frames',
    folds: int = 1,
) -> Path:
    """Make a MAFW tree of one clip a class and split, as frames or as videos."""
    number = 0
    for split in ('train', 'test'):
        lines = []
        for label in MAFW:
            number += 1
            lines.append(f'{number:05d}.mp4 {label}')
            if storage == 'frames':
                folder = root / 'frames' / f'{number:05d}'
                write_frames(folder, frames, size, name='{:05d}.png')
            else:
                write_video(root / f'data/clips/{number:05d}.mp4', frames, size)
        for fold in range(1, folds + 1):
            write_lines(root / lists / f'set_{fold}' / f'{split}.txt', lines)
    return root
