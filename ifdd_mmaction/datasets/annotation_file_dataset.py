"""Any set of labeled videos, frame folders and images, from one annotation file."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mmaction.registry import DATASETS
from mmengine.logging import print_log

from .dfer_dataset import Clip, DFERDataset
from .errors import DatasetError
from .label_list import class_index, collect_labels, csv_rows, csv_text

#: Limit of class numbers: the list of classes is as long as the largest number.
MAX_CLASSES = 10_000


@DATASETS.register_module()
class AnnotationFileDataset(DFERDataset):
    """Clips that a CSV file lists, one a line, below a header::

        path,label,start,end
        videos/anna 01.mp4,happy,,
        videos/anna 02.mp4,sad,50,122
        frames/ben_03,happy,,

    ``path`` is a video, a folder of numbered frames, or an image (a clip of one
    frame), relative to ``data_root``. ``label`` is the name of a class or its number
    from 0. ``start`` and ``end``, both optional, are positions of frames, from 0 and
    ``end`` exclusive: a video's seconds times its frame rate. Other
    columns are ignored. See ``docs/own_videos.md``.

    Args:
        ann_file: The CSV file, below ``data_root`` or absolute.
        data_root: Folder that the paths are relative to.
        metainfo: ``dict(classes=(...))`` names the classes in the order of their
            numbers. Without it they are those of the file, sorted, and logged; give
            them if one of your files lacks a class.
        allow_outside: Whether paths may be absolute or lead out of ``data_root``.
        kwargs: Of :class:`DFERDataset`: ``split`` (by default ``'train'``; a test file
            needs ``'test'``), ``archive``, ``lists`` (then ``ann_file`` is not read),
            ``pipeline``, ``test_mode``, ``bad_clips``.

    Raises:
        DatasetError: If lines are bad (all are named) or clips are missing.

    Example:
        >>> from ifdd_mmaction.datasets import AnnotationFileDataset
        >>> dataset = AnnotationFileDataset('clips.csv', data_root='.')
        >>> len(dataset), dataset.metainfo['classes']
        (2, ('happy', 'sad'))
        >>> clip = dataset.get_data_info(1)
        >>> clip['video_id'], clip['label'], clip['total_frames']
        ('frames/ben', 1, 8)
    """

    HELP_PAGE = 'docs/own_videos.md'

    def __init__(
        self,
        ann_file: str | os.PathLike,
        data_root: str | os.PathLike = '.',
        allow_outside: bool = False,
        **kwargs: object,
    ) -> None:
        self.allow_outside = allow_outside
        super().__init__(data_root, ann_file=ann_file, **kwargs)  # type: ignore

    def load_clips(self) -> list[Clip]:
        """Read the CSV file.

        Raises:
            DatasetError: If its header or lines are bad; all bad lines are counted.
        """
        path = self.root / self.ann_file
        if self.lists:
            (path,) = self._annotations(self.split)
        (_, header), *rows = csv_rows(path) or [(1, [])]
        if not {'path', 'label'} <= set(header):
            for other, called in ((';', 'semicolons'), ('\t', 'tabs')):
                if any(other in cell for cell in header):
                    raise DatasetError(
                        f'{path}: its cells are separated by {called}: save it as CSV '
                        'with commas'
                    )
            raise DatasetError(
                f'{path}: the first line is {",".join(header)!r}, not a header with '
                f"'path' and 'label'. An example: {self.HELP_PAGE}"
            )
        cells = {line: dict(zip(header, row, strict=False)) for line, row in rows}
        classes = self._classes(path, [c.get('label', '') for c in cells.values()])
        found: dict[str, Clip] = {}

        def parse(row: list[str]) -> tuple[str, int]:
            clip = self._clip(dict(zip(header, row, strict=False)), classes)
            found[clip.name] = clip
            return clip.name, clip.label

        collect_labels(path, rows, parse)
        if self.storage != 'archive':
            self.storage = 'files'
            self.release = str(path if self.lists else self.ann_file)
        return list(found.values())

    def group_key(self, name: str) -> str:
        """Clips are their paths; several parts of a video are of one group."""
        return re.sub(r'\[\d+:\d*\]$', '', name)

    def list_text(self, clips: Sequence[Clip]) -> str:
        """Return the CSV of a list of clips."""
        classes = self._metainfo['classes']
        rows: list[tuple] = [('path', 'label', 'start', 'end')]
        for clip in clips:
            start, end = clip.frames
            last = '' if end is None else end
            path = clip.name.removesuffix(f'[{start}:{last}]')
            rows.append((path, classes[clip.label], start or '', last))
        return csv_text(rows)

    def _classes(self, path: Path, labels: list[str]) -> list[str]:
        if 'classes' in self._metainfo:
            return [str(name) for name in self._metainfo['classes']]
        if all(label.isdecimal() for label in labels):
            # The length first: int() refuses thousands of digits with its own error.
            large = [x for x in labels if len(x) > 9 or int(x) >= MAX_CLASSES]
            if large:
                raise DatasetError(
                    f'{path}: {large[0][:20]} as the number of a class: number them '
                    f'from 0 to at most {MAX_CLASSES - 1}, or write their names'
                )
            classes = [str(i) for i in range(max(map(int, labels), default=-1) + 1)]
        else:
            classes = sorted(set(filter(None, labels)))
        print_log(
            f'{type(self).__name__}: classes of {path}, numbered from 0: '
            f'{", ".join(classes)}. Give metainfo.classes to fix them.',
            logger='current',
        )
        self._metainfo['classes'] = tuple(classes)
        return classes

    def _clip(self, cells: dict[str, str], classes: list[str]) -> Clip:
        name, label = cells.get('path', ''), cells.get('label', '')
        path = PurePosixPath(name)
        if not name or not label:
            raise ValueError(f'{",".join(cells.values())!r} lacks a path or a label')
        if '\0' in name:
            raise ValueError(f'path {name!r} has a NUL, which no file name has')
        if '\\' in name:
            raise ValueError(f'path {name!r} has a backslash: write / instead')
        if not self.allow_outside and (path.is_absolute() or '..' in path.parts):
            raise ValueError(
                f'{name} is not below data_root: move it, or set allow_outside=True'
            )
        if label not in classes and label.isdecimal() and int(label) < len(classes):
            index = int(label)
        elif label not in classes and label.isdecimal():
            raise ValueError(
                f'label {label[:20]}: numbers of {len(classes)} classes go from 0 to '
                f'{len(classes) - 1}, {classes[0]} being 0'
            )
        else:
            index = class_index(label, classes)
        limits = cells.get('start', ''), cells.get('end', '')
        if not all(text.isdecimal() for text in limits if text):
            raise ValueError(
                f'start {limits[0]!r} and end {limits[1]!r} are not positions of frames'
            )
        start, end = int(limits[0] or 0), int(limits[1]) if limits[1] else None
        if end is not None and end <= start:
            raise ValueError(f'end {end} is not after start {start}')
        if any(limits):
            name = f'{name}[{start}:{"" if end is None else end}]'
        return Clip(name, index, self.root / path, (start, end))
