"""The video reader: all frames in order, or some by index."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, product
from typing import TypeVar

import numpy as np

from .checked import read_checked
from .choose import choose
from .container import VideoError, check_file
from .index import Index, cache, make_index, state_of
from .open_video import Facts, OpenVideo
from .time_limit import Watch

T = TypeVar('T')
#: Frames that are decoded at a time while reading in order.
CHUNK = 16
#: Approximate number of key frames from which a new index is verified.
PROOFS = 5
#: Key frames to begin at, as steps back from the nearest, until one works.
STEPS_BACK = (0, 1, 4)
#: Maximum number of frames to decode without use before seeking is faster.
PASSED = 4


class VideoReader:
    """The frames of one video, as FFmpeg shows them, counted from 0.

    To read frames by index, the video is decoded once, and the time and a fingerprint
    of each frame are stored in an index. A frame is then decoded from the key frame
    before it, and used only if its time and fingerprint equal those of the index.
    Otherwise decoding begins at an earlier key frame, and finally at the first frame.

    Args:
        path: The file; any name is allowed.

    Raises:
        VideoError: From all methods, if the file is not a video, is truncated or
            damaged, or has an unsupported format. A StuckError if decoding a frame
            takes too long.

    Example:
        >>> from ifdd_mmaction.decoding import VideoReader
        >>> video = VideoReader('anna.mp4')
        >>> len(video), video.read([0, 7])[1].shape
        (8, (48, 64, 3))
        >>> times = list(video.each(lambda seconds, image: seconds))
        >>> len(times), times[0]
        (8, 0.0)
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.fspath(path)
        self._index: Index | None = None
        self._watch = Watch(self.path)

    @property
    def decoder(self) -> str:
        """The decoder of frames by number, with versions."""
        return choose().title

    @property
    def decoder_in_order(self) -> str:
        """The decoder of :meth:`each`, with its versions."""
        return choose().exact_title

    def __len__(self) -> int:
        return len(self.index)

    @property
    def index(self) -> Index:
        """The index; it is made by decoding the video if it is not in the cache."""
        if self._index is None:
            self._index = self._watch.run(self._find_index)
        return self._index

    def probe(self) -> Facts:
        """Decode the first frame, and return the values of the header."""

        def look() -> Facts:
            check_file(self.path)
            with self._open() as video:
                video.geometry_of(next(video.frames()))
                return video.facts()

        facts = self._watch.run(look)
        known = cache.get(self._state(), choose().exact_title)
        return facts if known is None else replace(facts, frames=len(known))

    def each(self, use: Callable[[float | None, np.ndarray], T]) -> Iterator[T]:
        """Yield the result of a function for each frame, in order.

        Args:
            use: Function of the time of a frame, in seconds, and its image
                ``(H, W, 3)`` uint8 RGB. It is called some frames ahead.
        """
        results = self._in_order(use)
        while chunk := self._watch.run(lambda: list(islice(results, CHUNK))):
            yield from chunk

    def read(self, indexes: Sequence[int]) -> list[np.ndarray]:
        """Return frames ``(H, W, 3)`` uint8 RGB in the order of the indexes.

        Raises:
            VideoError: If there are fewer frames.
        """
        wanted = sorted(set(indexes))
        if wanted and not 0 <= wanted[0] <= wanted[-1] < len(self):
            raise VideoError(
                f'{self.path}: ends after {len(self)} frames, frame {wanted[-1]} is '
                'asked for (counted from 0)'
            )
        images = self._watch.run(lambda: self._find(wanted, self.index))
        result: dict[int, np.ndarray] = {}
        # A repeated frame is a copy: transforms write into frames.
        return [
            images[i].copy() if i in result else result.setdefault(i, images[i])
            for i in indexes
        ]

    def _in_order(self, use: Callable[[float | None, np.ndarray], T]) -> Iterator[T]:
        check_file(self.path)
        geometry = None
        with self._open() as video:
            for frame in video.frames():
                geometry = geometry or video.geometry_of(frame)
                yield use(frame.time, video.to_rgb(frame, geometry))

    def _find(self, wanted: Sequence[int], index: Index) -> dict[int, np.ndarray]:
        choice = choose()
        if choice.asked:
            found = read_checked(
                self.path,
                wanted,
                choice,
                self._state(),
                index,
                self._in_order(lambda seconds, image: image),
                self._watch.step,
            )
            if found is not None:
                return found
        return self._read(wanted, index)

    def _read(self, wanted: Sequence[int], index: Index) -> dict[int, np.ndarray]:
        images: dict[int, np.ndarray] = {}
        with self._open() as video:
            for run in _runs(wanted, index):
                found = _from_key_frames(video, run, index)
                if found is None:
                    break
                images |= found
        rest = [i for i in wanted if i not in images]
        return images | self._from_start(rest) if rest else images

    def _from_start(self, wanted: Sequence[int]) -> dict[int, np.ndarray]:
        """Return frames by decoding in order."""
        for index in (self.index, None):
            # The index can be of another processor, or of another file with the same
            # size and time.
            index = index or self._make_index()
            if (images := self._count_to(wanted, index)) is not None:
                return images
        raise VideoError(
            f'{self.path}: damaged: decoding it gives other frames each time: copy it '
            'again'
        )

    def _count_to(
        self, wanted: Sequence[int], index: Index
    ) -> dict[int, np.ndarray] | None:
        """Return frames by number, or None if one differs from the index."""
        images: dict[int, np.ndarray] = {}
        with self._open() as video:
            for number, frame in enumerate(video.frames()):
                if number != wanted[len(images)]:
                    continue
                if not index.holds(number, video.fingerprint(frame)):
                    return None
                images[number] = video.to_rgb(frame, index.geometry)
                if len(images) == len(wanted):
                    return images
        return None

    def _find_index(self) -> Index:
        return cache.get(self._state(), choose().exact_title) or self._make_index()

    def _make_index(self) -> Index:
        state = self._state()
        check_file(self.path)
        with self._open() as video:
            index = make_index(video)
        self._index = self._proven(index)
        cache.put(state, choose().exact_title, self._index)
        return self._index

    def _proven(self, index: Index) -> Index:
        """Return the index with the seek offset that works, or without key frames."""
        some = range(0, len(index.places), max(1, len(index.places) // PROOFS))
        firsts = [n for n in map(index.first_from, some) if n < len(index)]
        with self._open() as video:
            # Some formats seek by presentation time, others by decoding time.
            for steps, lead in product(((0,), STEPS_BACK), (0, index.lead)):
                trial = replace(index, lead=lead)
                if all(_from_key_frames(video, [n], trial, steps) for n in firsts):
                    return trial
        return replace(index, places=index.places[:0], lead=0)

    def _state(self) -> tuple[str, int, int]:
        try:
            return state_of(self.path)
        except (OSError, ValueError):
            check_file(self.path)  # raises the error of this package
            raise

    def _open(self) -> OpenVideo:
        return choose().open(self.path, self._watch.step)


def _from_key_frames(
    video: OpenVideo,
    run: Sequence[int],
    index: Index,
    steps: Sequence[int] = STEPS_BACK,
) -> dict[int, np.ndarray] | None:
    """Return the frames of a run, from the first key frame that yields all of them."""
    nearest = index.place(run[0])
    for back in steps:
        if back > nearest:
            break
        if (found := video.find(run, index, nearest - back)) is not None:
            return found
    return None


def _runs(wanted: Sequence[int], index: Index) -> Iterator[list[int]]:
    """Split indexes where seeking to a later key frame skips frames."""
    run: list[int] = []
    for number in wanted:
        if run:
            place = index.place(number)
            if place >= 0 and index.first_from(place) - run[-1] > PASSED:
                yield run
                run = []
        run.append(number)
    if run:
        yield run
