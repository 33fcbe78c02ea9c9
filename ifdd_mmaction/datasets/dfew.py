"""DFEW (Jiang et al., ACM MM 2020): seven emotions, five official folds."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import ClassVar

from mmaction.registry import DATASETS

from .dfer_dataset import Clip, DFERDataset
from .errors import DatasetError, name_some


@DATASETS.register_module()
class DFEWDataset(DFERDataset):
    """DFEW in its official layout::

        data_root/
          EmoLabel_DataSplit/{train,test}(single-labeled)/set_{1..5}.csv
          Clip/clip_224x224_16f/<5-digit id>/{1..16}.jpg

    The split folders are also found under their other name, ``train_single-labeled``,
    and of the frame releases the time-interpolated ``clip_*_16f`` is taken first, then
    ``clip_*``, then ``jpg_*``. Label 0 marks clips without a single label: they are
    not part of the protocol and are left out.

    Args: see :class:`DFERDataset`.
    """

    METAINFO: ClassVar[dict] = dict(
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
    )
    FOLDS = (1, 2, 3, 4, 5)
    SPLIT_DIRS = ('{split}(single-labeled)', '{split}_single-labeled')
    FRAME_DIRS = ('Clip/clip_*_16f', 'Clip/clip_*', 'Clip/jpg_*')

    def load_clips(self) -> list[Clip]:
        """Read ``set_{fold}.csv`` and find the folder of frames."""
        annotation = self._find_annotation()
        frames = self.root / self._find_frame_dir()
        labels = self._read_labels(annotation)
        return [
            Clip(video, label - 1, frames / f'{int(video):05d}')
            for video, label in labels.items()
            if label > 0
        ]

    def _find_annotation(self) -> Path:
        if self.fold not in self.FOLDS:
            raise DatasetError(f'fold={self.fold!r}: DFEW has folds {self.FOLDS}')
        places = [
            self.root
            / 'EmoLabel_DataSplit'
            / place.format(split=self.split)
            / f'set_{self.fold}.csv'
            for place in self.SPLIT_DIRS
        ]
        for place in places:
            if place.is_file():
                return place
        raise DatasetError(
            f'{type(self).__name__}: no annotation of {self.split} fold {self.fold}, '
            f'looked for {" and ".join(map(str, places))}.\n'
            f'How to get the data and where to put it: {self.HELP_PAGE}'
        )

    def _find_frame_dir(self) -> str:
        if self.frame_dir is None:
            for pattern in self.FRAME_DIRS:
                found = sorted(p for p in self.root.glob(pattern) if p.is_dir())
                if found:
                    self.frame_dir = found[-1].relative_to(self.root).as_posix()
                    break
        if self.frame_dir is None or not (self.root / self.frame_dir).is_dir():
            wanted = self.frame_dir or ', '.join(self.FRAME_DIRS)
            raise DatasetError(
                f'{type(self).__name__}: no folder of frames in {self.root}, looked '
                f'for {wanted}.\n'
                f'How to get the data and where to put it: {self.HELP_PAGE}'
            )
        return self.frame_dir

    def _read_labels(self, path: Path) -> dict[str, int]:
        """Return label 0..7 by video name, in the order of the file."""
        with path.open(newline='', encoding='utf-8-sig') as file:
            rows = list(csv.reader(file))
        header = [cell.strip() for cell in rows[0]] if rows else []
        if header[-2:] != ['video_name', 'label']:
            raise DatasetError(
                f'{path}: the first line is {",".join(header)!r}, not the header '
                "'video_name,label' of DFEW's lists"
            )
        known = [str(i) for i in range(len(self.METAINFO['classes']) + 1)]
        labels: dict[str, int] = {}
        errors = []
        for line, row in enumerate(rows[1:], start=2):
            if not row:
                continue
            video, label = (cell.strip() for cell in (['', ''] + row)[-2:])
            if not video.isdecimal() or label not in known:
                errors.append(
                    f'{path}:{line}: {",".join(row)!r} is not a number and a label '
                    f'{known[0]}..{known[-1]}'
                )
            elif video in labels:
                errors.append(f'{path}:{line}: clip {video} is listed twice')
            else:
                labels[video] = int(label)
        if errors:
            raise DatasetError(
                f'{len(errors)} bad lines in the annotation:\n' + name_some(errors)
            )
        if not any(labels.values()):
            raise DatasetError(f'{path}: no labelled clip in it')
        return labels
