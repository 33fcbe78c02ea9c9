"""DFEW (Jiang et al., ACM MM 2020): seven expressions, five official folds."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import ClassVar

from mmaction.registry import DATASETS

from .dfer_dataset import DFERDataset
from .errors import DatasetError
from .label_list import collect_labels, csv_rows


@DATASETS.register_module()
class DFEWDataset(DFERDataset):
    """DFEW in its official layout::

        data_root/
          EmoLabel_DataSplit/{train,test}(single-labeled)/set_{1..5}.csv
          Clip/clip_224x224_16f/<5-digit id>/{1..16}.jpg

    The split folders are also found under their other name, ``train_single-labeled``,
    and of the frame releases the time-interpolated ``clip_*_16f`` is used first, then
    ``clip_*``, then ``jpg_*``, then the videos of ``Clip/original/part_*``. Label 0
    marks clips without a single label: they are not part of the protocol and are
    skipped.

    Args: see :class:`DFERDataset`.

    Example:
        >>> from ifdd_mmaction.datasets import DFEWDataset
        >>> dataset = DFEWDataset('data/dfew', split='test', fold=1)
        >>> dataset.metainfo['classes'][:3]
        ('happy', 'sad', 'neutral')
        >>> clip = dataset.get_data_info(0)
        >>> clip['video_id'], clip['label'], len(clip['source'])
        ('8', 0, 8)
    """

    METAINFO: ClassVar[dict] = dict(
        dataset='DFEW',
        classes=('happy', 'sad', 'neutral', 'angry', 'surprise', 'disgust', 'fear'),
        palette=[
            (242, 180, 39),
            (72, 118, 186),
            (142, 142, 142),
            (204, 62, 58),
            (236, 124, 48),
            (96, 150, 74),
            (128, 86, 160),
        ],
        licence='For research, on application at https://dfew-dataset.github.io; '
        'neither lists nor frames may be passed on.',
    )
    FOLDS = (1, 2, 3, 4, 5)
    ANNOTATIONS = (
        'EmoLabel_DataSplit/{split}(single-labeled)/set_{fold}.csv',
        'EmoLabel_DataSplit/{split}_single-labeled/set_{fold}.csv',
    )
    FRAME_DIRS = ('Clip/clip_*_16f', 'Clip/clip_*', 'Clip/jpg_*')
    VIDEO_DIRS = ('Clip/original',)

    def read_labels(self, path: Path) -> dict[str, int]:
        """Read a CSV of ``video_name,label``.

        Raises:
            DatasetError: If its header or lines are not those of DFEW.
        """
        (_, header), *rows = csv_rows(path) or [(1, [])]
        if header[-2:] != ['video_name', 'label']:
            raise DatasetError(
                f'{path}: the first line is {",".join(header)!r}, not the header '
                "'video_name,label' of DFEW's lists"
            )
        return collect_labels(path, rows, self._parse)

    def _parse(self, row: list[str]) -> tuple[str, int | None]:
        count = len(self._metainfo['classes'])  # a sample set may have others
        video, label = (['', ''] + row)[-2:]
        if not video.isdecimal() or label not in map(str, range(count + 1)):
            raise ValueError(
                f'{",".join(row)!r} is not a number and a label 0..{count}'
            )
        return str(int(video)), int(label) - 1 if int(label) else None

    def frame_folder(self, name: str) -> str:
        """Folders have the number of the clip in five digits."""
        return f'{int(name):05d}'

    def video_name(self, path: PurePath) -> str:
        """Videos have the number of the clip in any number of digits."""
        return str(int(path.stem)) if path.stem.isdecimal() else path.stem

    def group_key(self, name: str) -> str:
        """Clips are their numbers, in any number of digits."""
        return self.video_name(PurePath(name))
