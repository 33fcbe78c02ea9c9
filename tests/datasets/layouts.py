"""Miniature dataset trees with real files, in the layouts of the real ones."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np


def write_frames(folder: Path, count: int, size: int = 32, start: int = 1) -> None:
    """Write ``{start}.jpg ...``, frame i being grey of value 10 i."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(start, start + count):
        frame = np.full((size, size, 3), 10 * i % 256, np.uint8)
        assert cv2.imwrite(str(folder / f'{i}.jpg'), frame)


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
