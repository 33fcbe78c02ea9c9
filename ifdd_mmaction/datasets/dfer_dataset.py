"""Base of the DFER datasets: labelled clips stored as folders of frames."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from mmaction.datasets import BaseActionDataset
from mmengine.logging import print_log

from .errors import DatasetError, name_some
from .storage import ClipSource, FrameFolder


class Clip(NamedTuple):
    """One annotated clip: its name, its label from 0, and the folder of its frames."""

    name: str
    label: int
    folder: Path


class DFERDataset(BaseActionDataset):
    """Clips of one split and fold of a dynamic facial expression dataset.

    A subclass says where annotations and frames are (:meth:`load_clips`) and what the
    classes are (``METAINFO``). Every annotated clip is kept, short ones too; frames
    are listed from disk, never taken from a list that may be out of date.

    Args:
        data_root: Folder of the dataset, as ``data/README.md`` lays it out.
        split: ``'train'`` or ``'test'``.
        fold: Number of the official fold.
        frame_dir: Folder of the frames below ``data_root``; by default the release
            that is found there.
        pipeline: Transforms. They get ``source`` (a :class:`ClipSource`),
            ``total_frames``, ``label`` and ``video_id``.
        test_mode: Whether to load deterministically; by default in the test split.

    Raises:
        DatasetError: If the layout, an annotation or a clip folder is missing or
            wrong; all clips are looked at before the message is written.
    """

    SPLITS = ('train', 'test')
    #: The page that tells how to get the data and where to put it.
    HELP_PAGE = 'data/README.md'

    def __init__(
        self,
        data_root: str | os.PathLike,
        split: str = 'train',
        fold: int = 1,
        frame_dir: str | None = None,
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool | None = None,
        **kwargs: object,
    ) -> None:
        if split not in self.SPLITS:
            raise DatasetError(f'split={split!r}: choose one of {self.SPLITS}')
        self.root = Path(data_root)
        self.split = split
        self.fold = fold
        self.frame_dir = frame_dir
        super().__init__(
            ann_file='',
            pipeline=list(pipeline),
            data_prefix={},
            test_mode=split != 'train' if test_mode is None else test_mode,
            **kwargs,
        )

    @abstractmethod
    def load_clips(self) -> list[Clip]:
        """Read the annotation of the split and fold."""

    def load_data_list(self) -> list[dict]:
        """List the clips with their frames, or raise one error for all bad ones."""
        name = type(self).__name__
        if not self.root.is_dir():
            raise DatasetError(
                f'{name}: no folder {self.root} (looked at {self.root.resolve()}).\n'
                f'How to get the data and where to put it: {self.HELP_PAGE}'
            )
        clips = self.load_clips()
        # The list is checked whole before training starts; threads hide the latency
        # of network file systems.
        with ThreadPoolExecutor(max_workers=16) as pool:
            found = list(pool.map(_source_or_error, clips))
        errors = [error for _, error in found if error]
        if errors:
            raise DatasetError(
                f'{name}: {len(errors)} of {len(clips)} clips of {self.split} fold '
                f'{self.fold} cannot be read:\n' + name_some(errors)
            )
        self._metainfo.update(fold=self.fold, release=self.frame_dir)
        print_log(
            f'{name}: {len(clips)} clips in {self.split} fold {self.fold}, frames of '
            f'{self.root / str(self.frame_dir)}',
            logger='current',
        )
        return [
            dict(
                video_id=clip.name,
                label=clip.label,
                source=source,
                total_frames=len(source),
            )
            for clip, (source, _) in zip(clips, found, strict=True)
            if source is not None
        ]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the label of a clip in a list, as ``ClassBalancedDataset`` wants."""
        return [self.get_data_info(idx)['label']]


def _source_or_error(clip: Clip) -> tuple[ClipSource | None, str]:
    try:
        return FrameFolder(clip.folder), ''
    except DatasetError as error:
        return None, str(error)
