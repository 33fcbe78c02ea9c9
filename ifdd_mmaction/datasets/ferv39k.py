"""FERV39k (Wang et al., CVPR 2022): seven expressions, 22 scenes, one split."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from mmaction.registry import DATASETS

from .dfer_dataset import DFERDataset
from .label_list import check_name, class_index, collect_labels, word_rows


@DATASETS.register_module()
class FERV39kDataset(DFERDataset):
    """FERV39k in its official layout::

        data_root/
          4_setups/All_scenes/{train,test}_All.csv    Scene/Class/0063 Class
          2_ClipsforFaceCrop/Scene/Class/0063/*.jpg

    The lists are also found in ``All_scenes/``. Some releases give ids in place of the
    class names; projects number the classes in different orders, so an id is read as
    the class that the clip's path names.

    Args: see :class:`DFERDataset`; ``fold`` is 1 or None.

    Example:
        >>> from ifdd_mmaction.datasets import FERV39kDataset
        >>> dataset = FERV39kDataset('data/ferv39k', split='test')
        >>> dataset.metainfo['classes'][:3]
        ('Angry', 'Disgust', 'Fear')
        >>> dataset.get_data_info(0)['video_id']
        'Action/Angry/0008'
    """

    METAINFO: ClassVar[dict] = dict(
        dataset='FERV39k',
        classes=('Angry', 'Disgust', 'Fear', 'Happy', 'Neutral', 'Sad', 'Surprise'),
        palette=[
            (204, 62, 58),
            (96, 150, 74),
            (128, 86, 160),
            (242, 180, 39),
            (142, 142, 142),
            (72, 118, 186),
            (236, 124, 48),
        ],
        licence='For research, on application to the authors of FERV39k (CVPR 2022); '
        'neither lists nor frames may be passed on.',
    )
    ANNOTATIONS = (
        '4_setups/All_scenes/{split}_All.csv',
        'All_scenes/{split}_All.csv',
    )
    FRAME_DIRS = ('2_ClipsforFaceCrop',)

    def read_labels(self, path: Path) -> dict[str, int]:
        """Read lines of a clip's path and its class, by name or by id."""
        classes = self.METAINFO['classes']
        ids: dict[str, int] = {}

        def parse(row: list[str]) -> tuple[str, int]:
            if len(row) < 2:
                raise ValueError(f'{row[0]!r} is not a path and a class')
            name = check_name(row[0].strip('/'))
            if not row[1].isdecimal():
                return name, class_index(row[1], classes)
            parent = Path(name).parent.name
            try:
                label = class_index(parent, classes)
            except ValueError:
                raise ValueError(
                    f'{" ".join(row)!r}: an id of the class, and the path names none of'
                    f' {", ".join(classes)}'
                ) from None
            known = ids.setdefault(row[1], label)
            if known != label:
                raise ValueError(
                    f'id {row[1]} is {parent} by the path of {name}, {classes[known]} '
                    'by those of earlier lines'
                )
            return name, label

        return collect_labels(path, word_rows(path), parse)
