"""How many clips of each class a dataset holds."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from .errors import DatasetError


def clip_labels(dataset: Any) -> np.ndarray:
    """Return the class index of every clip of a dataset, ``(N,)``, loading no frames.

    Args:
        dataset: Any dataset of MMAction2's kind, or a wrapper of MMEngine's around
            one: what has a length and ``get_data_info``.

    Raises:
        DatasetError: If a clip has not one class index as its ``label``.

    Example:
        >>> from ifdd_mmaction.datasets import AnnotationFileDataset, clip_labels
        >>> clip_labels(AnnotationFileDataset('clips.csv'))
        array([0, 1])
    """
    labels = [dataset.get_data_info(i).get('label') for i in range(len(dataset))]
    if bad := [i for i, label in enumerate(labels) if not isinstance(label, Integral)]:
        raise DatasetError(
            f'{type(dataset).__name__}: clip {bad[0]} has the label '
            f'{labels[bad[0]]!r}: counting classes takes one class index a clip'
        )
    return np.array(labels, dtype=np.int64)


def class_counts(dataset: Any) -> np.ndarray:
    """Return the number of clips of each class, ``(K,)``, in the order of the classes.

    K is the number of ``classes`` in the dataset's ``metainfo``, without them the
    highest label plus one.

    Raises:
        DatasetError: If a label is not that of a class; see :func:`clip_labels`.

    Example:
        >>> from ifdd_mmaction.datasets import AnnotationFileDataset, class_counts
        >>> metainfo = dict(classes=('happy', 'sad', 'angry'))
        >>> class_counts(AnnotationFileDataset('clips.csv', metainfo=metainfo))
        array([1, 1, 0])
    """
    labels = clip_labels(dataset)
    classes = (getattr(dataset, 'metainfo', None) or {}).get('classes')
    if classes is None:
        return np.bincount(labels)
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(classes):
        raise DatasetError(
            f'{type(dataset).__name__}: labels {labels.min()} to {labels.max()}, but '
            f'{len(classes)} classes: {", ".join(map(str, classes))}'
        )
    return np.bincount(labels, minlength=len(classes))
