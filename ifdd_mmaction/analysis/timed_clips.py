"""Sets of clips in which it is known when the emotion is on the face."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..datasets import DatasetError


class TimedClip(NamedTuple):
    """Label from 0, subject, and intensity of the emotion in each frame, 0 to 1."""

    label: int
    subject: str
    envelope: np.ndarray


def read_timed_clips(root: str | os.PathLike) -> dict[str, TimedClip]:
    """Read ``clips.csv`` and ``envelope.npy`` of a set whose timing is known.

    Args:
        root: Folder of both. ``clips.csv`` has the name of a clip in its first column,
            and columns ``label`` (from 1) and ``subject``; row i of ``envelope.npy``,
            ``(clips, frames)``, belongs to clip i.

    Returns:
        The clips by name.

    Raises:
        DatasetError: If a file is missing or the two do not fit.
    """
    table, array = Path(root) / 'clips.csv', Path(root) / 'envelope.npy'
    for path in (table, array):
        if not path.is_file():
            raise DatasetError(
                f'no file {path}: the timing of the emotion is known for rendered sets '
                'only, such as that of tools/data/make_sample_dfew.py.'
            )
    try:
        envelopes = np.load(array, allow_pickle=False).astype(np.float32)
    except ValueError as error:
        raise DatasetError(f'{array}: not an array of numbers ({error})') from error
    clips = {}
    with table.open(newline='', encoding='utf-8-sig') as file:
        rows = list(csv.DictReader(file))
    if envelopes.ndim != 2 or len(envelopes) != len(rows):
        raise DatasetError(
            f'{array} is an array of {envelopes.shape} for the {len(rows)} clips of '
            f'{table}: (clips, frames) is wanted.'
        )
    if not np.isfinite(envelopes).all():
        raise DatasetError(
            f'{array}: not every number in it is finite: draw the set again'
        )
    for line, (row, envelope) in enumerate(zip(rows, envelopes, strict=True), start=2):
        try:
            name = next(iter(row.values()))
            clip = TimedClip(int(row['label']) - 1, row['subject'], envelope)
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(
                f'{table}:{line}: {row} has no name, label and subject'
            ) from error
        if name in clips:
            raise DatasetError(f'{table}:{line}: clip {name} is listed twice')
        clips[name] = clip
    return clips
