"""MAFW (Liu et al., ACM MM 2022): eleven single-labeled expressions, five folds."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import ClassVar

from mmaction.registry import DATASETS

from .dfer_dataset import DFERDataset
from .label_list import check_name, class_index, collect_labels, word_rows
from .storage import VIDEO_SUFFIXES


@DATASETS.register_module()
class MAFWDataset(DFERDataset):
    """MAFW, the single-labeled clips, in its official layout::

        data_root/
          label/no_caption/set_{1..5}/{train,test}.txt    03747.mp4 anger
          frames/03747/*.png                              faces cut from the videos
          data/clips/03747.mp4                            whole frames

    The lists are also found in ``Train & Test Set/single/no_caption/``. Without face
    crops the videos are used, with a warning: models learn little from whole frames.

    Args: see :class:`DFERDataset`.

    Example:
        >>> from ifdd_mmaction.datasets import MAFWDataset
        >>> dataset = MAFWDataset('data/mafw', split='test', fold=1)
        >>> len(dataset.metainfo['classes'])
        11
        >>> dataset.get_data_info(0)['video_id']
        '00012'
    """

    METAINFO: ClassVar[dict] = dict(
        dataset='MAFW',
        classes=(
            'anger', 'disgust', 'fear', 'happiness', 'neutral', 'sadness', 'surprise',
            'contempt', 'anxiety', 'helplessness', 'disappointment',
        ),
        palette=[
            (204, 62, 58),
            (96, 150, 74),
            (128, 86, 160),
            (242, 180, 39),
            (142, 142, 142),
            (72, 118, 186),
            (236, 124, 48),
            (150, 108, 76),
            (58, 160, 168),
            (206, 132, 182),
            (92, 96, 120),
        ],
        licence='For research, on application to the authors of MAFW (ACM MM 2022); '
        'neither lists nor frames may be passed on.',
    )  # fmt: skip
    FOLDS = (1, 2, 3, 4, 5)
    ANNOTATIONS = (
        'label/no_caption/set_{fold}/{split}.txt',
        'Train & Test Set/single/no_caption/set_{fold}/{split}.txt',
    )
    FRAME_DIRS = ('frames',)
    VIDEO_DIRS = ('data/clips',)

    def read_labels(self, path: Path) -> dict[str, int]:
        """Read lines of a video's file name and its class."""
        return collect_labels(path, word_rows(path), self._parse)

    def _parse(self, row: list[str]) -> tuple[str, int]:
        if len(row) < 2:
            raise ValueError(f'{row[0]!r} is not a file name and a class')
        file = PurePath(row[0])
        name = file.stem if file.suffix.lower() in VIDEO_SUFFIXES else file.name
        return check_name(name), class_index(row[1], self.METAINFO['classes'])

    def video_name(self, path: PurePath) -> str:
        """A video is named as the clip."""
        return path.stem
