"""Intensity of the expression per frame, for the datasets where it is known."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .errors import DatasetError, name_some


class TimedClip(NamedTuple):
    """Label from 0, subject, and intensity of the expression per frame, 0 to 1."""

    label: int
    subject: str
    envelope: np.ndarray


def read_timed_clips(root: str | os.PathLike) -> dict[str, TimedClip]:
    """Read ``clips.csv`` and ``envelope.npy`` of a dataset whose timing is known.

    Args:
        root: Folder of both. ``clips.csv`` has the name of a clip in its first column,
            and columns ``label`` (from 1) and ``subject``; row i of ``envelope.npy``,
            ``(clips, frames)``, belongs to clip i.

    Returns:
        The clips by name.

    Raises:
        DatasetError: If a file is missing or malformed, or the two do not match.

    Example:
        >>> from ifdd_mmaction.analysis import read_timed_clips
        >>> rows = [['clip', 'label', 'subject'], ['1', '3', 'anna']]
        >>> np.savetxt('clips.csv', rows, fmt='%s', delimiter=',')
        >>> np.save('envelope.npy', np.array([[0.0, 1.0, 0.5]]))
        >>> clip = read_timed_clips('.')['1']
        >>> clip.label, clip.subject, clip.envelope.tolist()
        (2, 'anna', [0.0, 1.0, 0.5])
    """
    table, array = Path(root) / 'clips.csv', Path(root) / 'envelope.npy'
    for path in (table, array):
        if not path.is_file():
            raise DatasetError(
                f'{path} does not exist: the timing of the expression is known only '
                'for rendered datasets, such as that of tools/data/make_sample_dfew.py'
            )
    try:
        envelopes = np.load(array, allow_pickle=False).astype(np.float32)
    except ValueError as error:
        raise DatasetError(
            f'{array} is not an array of numbers ({error}): create the dataset again'
        ) from error
    clips = {}
    with table.open(newline='', encoding='utf-8-sig') as file:
        rows = list(csv.DictReader(file))
    if envelopes.ndim != 2 or len(envelopes) != len(rows):
        raise DatasetError(
            f'{array} has shape {envelopes.shape} for the {len(rows)} clips of '
            f'{table}: it must be (clips, frames)'
        )
    if not np.isfinite(envelopes).all():
        raise DatasetError(
            f'{array} has values that are not finite: create the dataset again'
        )
    for line, (row, envelope) in enumerate(zip(rows, envelopes, strict=True), start=2):
        try:
            name = next(iter(row.values()))
            clip = TimedClip(int(row['label']) - 1, row['subject'], envelope)
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(
                f'{table}:{line}: {row} must have a name, a label and a subject'
            ) from error
        if name in clips:
            raise DatasetError(f'{table}:{line}: clip {name} is listed twice')
        clips[name] = clip
    return clips


def read_intensity(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read the intensity of the expression at each frame of each clip.

    Args:
        path: ``envelope.npy`` with a ``clips.csv`` beside it, as
            :func:`read_timed_clips` reads, or a JSON file of ``{clip: [intensity of
            each frame]}``, for example the probability that a classifier of frames
            gives to the clip's class.

    Returns:
        Intensities ``(frames,)``, float32, by the name of the clip.

    Raises:
        DatasetError: If the file is missing or malformed.

    Example:
        >>> from pathlib import Path
        >>> from ifdd_mmaction.datasets import read_intensity
        >>> _ = Path('intensity.json').write_text('{"anna": [0.0, 0.5, 1.0]}')
        >>> read_intensity('intensity.json')['anna'].tolist()
        [0.0, 0.5, 1.0]
    """
    path = Path(path)
    if path.suffix == '.npy':
        return {
            name: clip.envelope for name, clip in read_timed_clips(path.parent).items()
        }
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise DatasetError(
            f'{path} does not exist: give a JSON file of {{clip: [intensity of each '
            'frame]}, or none'
        ) from error
    except ValueError as error:
        raise DatasetError(f'{path} is not JSON ({error}): write it again') from error
    if not isinstance(found, dict):
        raise DatasetError(
            f'{path} holds a {type(found).__name__}: it must be an object of '
            '{clip: [intensity of each frame]}'
        )
    intensities, errors = {}, []
    for name, values in found.items():
        try:
            intensities[name] = np.array(values, dtype=np.float32)
        except (TypeError, ValueError):
            errors.append(f'{name}: {values!r:.60}')
            continue
        if intensities[name].ndim != 1 or not np.isfinite(intensities[name]).all():
            errors.append(f'{name}: {values!r:.60}')
    if errors:
        raise DatasetError(
            f'{path}: {len(errors)} of {len(found)} clips have no list of finite '
            'numbers:\n' + name_some(errors)
        )
    return intensities
