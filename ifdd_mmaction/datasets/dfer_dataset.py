"""Base of the DFER datasets: labeled clips of one split and fold."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath
from typing import Any, ClassVar, NamedTuple

from mmengine.logging import print_log

from .errors import DatasetError, name_some
from .face_crops import warn_of_wide_frames
from .intensity import read_intensity
from .label_list import csv_text, listed_folds, read_list
from .storage import VIDEO_SUFFIXES, ClipSource, Segment, VideoClipSource, open_source
from .tolerant_dataset import TolerantDataset


class Clip(NamedTuple):
    """One annotated clip.

    Attributes:
        name: Its name in the list.
        label: Number of its class, from 0.
        path: Folder of its frames, or its video.
        frames: Positions of its first frame, and of the frame after its last one (None:
            the end), in that folder or video.
    """

    name: str
    label: int
    path: Path
    frames: tuple[int, int | None] = (0, None)


class DFERDataset(TolerantDataset):
    """Clips of one split and fold of a dynamic facial expression dataset.

    A subclass defines the classes (``METAINFO``), where annotations, frames and videos
    may be, and how a list is read. Every annotated clip is kept, short ones too. Frames
    are listed from disk, not taken from a list that may be out of date.

    Args:
        data_root: Folder of the dataset, as ``data/README.md`` lays it out.
        split: ``'train'`` or ``'test'``.
        fold: Number of the official fold; None if there is only one.
        frame_dir: Folder of the frames below ``data_root``.
        video_dir: Folder of video files below ``data_root``, to use instead.
        archive: Packed archive below ``data_root``, to use instead. With none of the
            three, a release of the dataset is searched: frames first, then videos.
        ann_file: List in the format of the official one, below ``data_root``, to use
            instead of it, for example a validation split.
        pipeline: Transforms. They get ``source`` (a :class:`ClipSource`),
            ``total_frames``, ``label`` and ``video_id``. ``get_data_info`` gives
            them too, but for videos not ``total_frames``: ``len(source)`` opens one.
        intensity: File below ``data_root`` with the intensity of the expression per
            frame; see :func:`read_intensity`. The pipeline gets it as ``intensity``
            (frames,).
        test_mode: Whether to load deterministically; by default in the test split.
        bad_clips: What to do with a clip that cannot be decoded; see
            :class:`TolerantDataset`.
        lists: Folder of lists of other folds, below ``data_root``, to use instead of
            the official ones: ``set_{fold}/{train,test}.csv``, as ``tools/kfold.py
            --groups`` writes them.

    ``metainfo`` names the fold, the storage, the release and, of videos, the decoder;
    MMEngine keeps it in each checkpoint.

    Raises:
        DatasetError: If the layout, an annotation or a clip is missing or wrong, or a
            clip is in the train and the test list; all clips are checked before the
            error is raised.
    """

    SPLITS = ('train', 'test')
    #: The page about how to get the data and where to put it.
    HELP_PAGE = 'data/README.md'
    FOLDS: ClassVar[tuple[int, ...]] = (1,)
    #: Where the lists may be, with ``{split}`` and ``{fold}``.
    ANNOTATIONS: ClassVar[tuple[str, ...]] = ()
    #: Patterns of the folders of frames and of videos, the preferred release first.
    FRAME_DIRS: ClassVar[tuple[str, ...]] = ()
    VIDEO_DIRS: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        data_root: str | os.PathLike,
        split: str = 'train',
        fold: int | None = 1,
        frame_dir: str | None = None,
        video_dir: str | None = None,
        archive: str | None = None,
        ann_file: str | os.PathLike = '',
        pipeline: Sequence[dict | Callable] = (),
        intensity: str | None = None,
        test_mode: bool | None = None,
        lists: str | os.PathLike = '',
        **kwargs: Any,
    ) -> None:
        name = type(self).__name__
        if split not in self.SPLITS:
            raise DatasetError(
                f'split={split!r}: must be one of {", ".join(self.SPLITS)}'
            )
        self.root = Path(data_root)
        self.lists = os.fspath(lists)
        folds = listed_folds(self.root / lists) if lists else self.FOLDS
        if fold is None and len(folds) == 1:
            fold = folds[0]
        if fold not in folds:
            raise DatasetError(f'fold={fold!r}: {self.lists or name} has folds {folds}')
        places = dict(frames=frame_dir, video=video_dir, archive=archive)
        chosen = {storage: place for storage, place in places.items() if place}
        if len(chosen) > 1:
            raise DatasetError(
                f'{name}: give one of frame_dir, video_dir and archive, not {chosen}'
            )
        self.split = split
        self.fold = fold
        self.intensity = intensity
        # How the clips are stored, and where below the root.
        self.storage, self.release = next(iter(chosen.items()), ('', ''))
        super().__init__(
            ann_file=os.fspath(ann_file),
            pipeline=pipeline,
            data_prefix={},
            test_mode=split != 'train' if test_mode is None else test_mode,
            **kwargs,
        )

    # --- defined by subclasses --------------------------------------------------

    def read_labels(self, path: Path) -> dict[str, int]:
        """Return the label of each clip of a list, in its order."""
        raise NotImplementedError(
            f'{type(self).__name__} lacks read_labels: implement it'
        )

    def frame_folder(self, name: str) -> str:
        """Return the folder of a clip's frames below those of the release."""
        return name

    def video_name(self, path: PurePath) -> str:
        """Return the name of the clip that a video below ``video_dir`` holds."""
        return path.with_suffix('').as_posix()

    def group_key(self, name: str) -> str:
        """Return what identifies a clip in a file of groups, for its name there."""
        path = PurePath(name)
        return self.video_name(path) if path.suffix.lower() in VIDEO_SUFFIXES else name

    def list_text(self, clips: Sequence[Clip]) -> str:
        """Return the CSV of a list of clips, in the form of ``lists``."""
        classes = self._metainfo['classes']
        return csv_text(
            [('clip', 'label'), *((clip.name, classes[clip.label]) for clip in clips)]
        )

    # --- shared -----------------------------------------------------------------

    def load_clips(self) -> list[Clip]:
        """Read the list of the split and fold, and find the clips."""
        own = self.root / self.ann_file if self.ann_file else None
        labels = self._labels(own or self._find_annotation())
        # A validation list is a part of the train list, and may overlap with it.
        if own is None or self.split == 'train':
            self._refuse_overlap(labels)
        if self.storage != 'archive':
            self.storage, self.release = self._find_release()
        folder = self.root / self.release
        if self.storage == 'video':
            videos = self._list_videos(folder)
            paths = {name: videos.get(name, folder / f'{name}.mp4') for name in labels}
        else:
            paths = {name: folder / self.frame_folder(name) for name in labels}
        return [Clip(name, label, paths[name]) for name, label in labels.items()]

    def load_data_list(self) -> list[dict]:
        """List the clips with their sources, or raise one error for all bad ones.

        Raises:
            DatasetError: If the folder, a list or a clip is missing or wrong.
        """
        name = type(self).__name__
        if not self.root.is_dir():
            raise DatasetError(
                f'{name}: no folder {self.root} (that is {self.root.resolve()}).\n'
                f'How to get the data and where to put it: {self.HELP_PAGE}'
            )
        clips = self.load_clips()
        opener = self._opener()

        def info_or_error(clip: Clip) -> dict | str:
            info: dict[str, Any] = dict(video_id=clip.name, label=clip.label)
            try:
                whole = opener(clip)
                part = clip.frames != (0, None)
                info['source'] = Segment(whole, *clip.frames) if part else whole
                # A video would have to be opened: it is counted when it is loaded.
                if not isinstance(whole, VideoClipSource):
                    info['total_frames'] = len(info['source'])
            except DatasetError as error:
                return str(error)
            return info

        # The whole list is checked before training starts; threads hide the latency
        # of network file systems.
        with ThreadPoolExecutor(max_workers=16) as pool:
            found = list(pool.map(info_or_error, clips))
        errors = [error for error in found if isinstance(error, str)]
        if errors:
            raise DatasetError(
                f'{name}: {len(errors)} of {len(clips)} clips of {self.split} fold '
                f'{self.fold} cannot be read:\n' + name_some(errors)
            )
        infos = [info for info in found if not isinstance(info, str)]
        if self.intensity:
            self._add_intensity(infos, self.root / self.intensity)
        self._metainfo.update(
            fold=self.fold, storage=self.storage, release=self.release
        )
        if self.lists:
            self._metainfo['lists'] = self.lists
        print_log(
            f'{name}: {len(clips)} clips in {self.split} fold {self.fold}, '
            f'{self.storage} of {self.root / self.release}',
            logger='current',
        )
        sources = (info['source'] for info in infos)
        wholes = (s.source if isinstance(s, Segment) else s for s in sources)
        video = next((w for w in wholes if isinstance(w, VideoClipSource)), None)
        if video is not None:
            self._metainfo['decoder'] = video.decoder  # which is logged once
        warn_of_wide_frames(name, [info['source'] for info in infos])
        return infos

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the label of a clip in a list, for ``ClassBalancedDataset``."""
        return [self.get_data_info(idx)['label']]

    def _add_intensity(self, infos: list[dict], path: Path) -> None:
        """Give each clip the intensity of each of its frames."""
        known, errors = read_intensity(path), []
        for info in infos:
            info['intensity'] = known.get(info['video_id'])
            if info['intensity'] is None:
                errors.append(f'{info["video_id"]}: not in the file')
            elif len(info['intensity']) != info.get(
                'total_frames', len(info['intensity'])
            ):
                errors.append(
                    f'{info["video_id"]}: {len(info["intensity"])} numbers for '
                    f'{info["total_frames"]} frames'
                )
        if errors:
            raise DatasetError(
                f'{path}: {len(errors)} of {len(infos)} clips of {self.split} fold '
                f'{self.fold} do not have one number for each frame:\n'
                + name_some(errors)
            )

    def _opener(self) -> Callable[[Clip], ClipSource]:
        """Return what opens a clip."""
        if self.storage != 'archive':
            return lambda clip: open_source(clip.path)
        from .storage.archive import PackedArchive

        packed = PackedArchive(self.root / self.release)
        return lambda clip: packed.source(clip.name)

    def _list_videos(self, folder: Path) -> dict[str, Path]:
        """Return the videos anywhere below a folder by the name of their clip."""
        videos: dict[str, Path] = {}
        for place, folders, files in os.walk(folder, followlinks=True):
            # Following a link to a parent folder would never end.
            above = (parent.resolve() for parent in Path(place).parents)
            if Path(place).resolve() in above:
                folders.clear()
                continue
            # Hidden files are not videos: macOS puts ._a.mp4 beside a.mp4.
            for path in (Path(place, file) for file in files if file[0] != '.'):
                if path.suffix.lower() not in VIDEO_SUFFIXES:
                    continue
                name = self.video_name(path.relative_to(folder))
                if name in videos:
                    raise DatasetError(
                        f'{path} and {videos[name]} are both clip {name}: remove one'
                    )
                videos[name] = path
        return videos

    def _labels(self, path: Path) -> dict[str, int]:
        """Read an official list, or one of ``lists``."""
        if self.lists and not self.ann_file:
            return read_list(path, self._metainfo['classes'])
        return self.read_labels(path)

    def _annotations(self, split: str) -> list[Path]:
        if self.lists:
            return [self.root / self.lists / f'set_{self.fold}' / f'{split}.csv']
        return [
            self.root / place.format(split=split, fold=self.fold)
            for place in self.ANNOTATIONS
        ]

    def _find_annotation(self) -> Path:
        places = self._annotations(self.split)
        for place in places:
            if place.is_file():
                return place
        raise DatasetError(
            f'{type(self).__name__}: no annotation of {self.split} fold {self.fold}, '
            f'searched {" and ".join(map(str, places))}.\n'
            f'How to get the data and where to put it: {self.HELP_PAGE}'
        )

    def _refuse_overlap(self, labels: dict[str, int]) -> None:
        (other,) = set(self.SPLITS) - {self.split}
        path = next((p for p in self._annotations(other) if p.is_file()), None)
        if path is None:
            return
        both = [name for name in self._labels(path) if name in labels]
        if both:
            raise DatasetError(
                f'{type(self).__name__}: {len(both)} clips of fold {self.fold} are in '
                f'the train and in the test list ({path} has the {other} list): '
                f'{", ".join(both[:5])}. Get the official lists.'
            )

    def _find_release(self) -> tuple[str, str]:
        """Return how the clips are stored and where below the root."""
        wanted = dict(frames=self.FRAME_DIRS, video=self.VIDEO_DIRS)
        if self.storage:
            if (self.root / self.release).is_dir():
                return self.storage, self.release
            wanted = {self.storage: (self.release,)}
        else:
            for storage, patterns in wanted.items():
                for pattern in patterns:
                    found = sorted(p for p in self.root.glob(pattern) if p.is_dir())
                    if found:
                        return storage, found[-1].relative_to(self.root).as_posix()
        raise DatasetError(
            f'{type(self).__name__}: no folder of frames or videos in {self.root}, '
            f'searched {", ".join(p for places in wanted.values() for p in places)}.'
            f'\nHow to get the data and where to put it: {self.HELP_PAGE}'
        )
