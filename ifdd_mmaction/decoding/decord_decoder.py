"""Decoding with decord: only where another decoder has checked the whole file.

decord tells nothing by which it could be checked alone: its number of frames is that of
the packets (332 for 92 frames of a cut mp4), its times are not those of the frames that
it returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .open_video import Picture, Step


class DecordVideo:
    """The video stream of one open file.

    Args:
        path: The file.
        step: Called for each frame.

    Raises:
        Exception: Of any kind, if decord does not open it.
    """

    def __init__(self, path: str, step: Step) -> None:
        import decord

        # Its FFmpeg writes to the terminal what it finds wrong with a file.
        decord.logging.set_level(decord.logging.QUIET)
        self.step = step
        self._video = decord.VideoReader(f'file:{path}', num_threads=1)

    def __enter__(self) -> DecordVideo:
        return self

    def __exit__(self, *_: object) -> None:
        del self._video

    def in_order(self) -> Iterator[Picture]:
        """Yield the frames that decord decodes, without seeking.

        Raises:
            Exception: Of any kind, if one cannot be decoded.
        """
        for _ in range(len(self._video)):
            image = self._video.next().asnumpy()
            self.step()
            yield Picture(image)

    def at(self, numbers: Sequence[int]) -> list[Picture]:
        """Return frames by number, as decord seeks them.

        Raises:
            Exception: Of any kind, if it does not find one.
        """
        self.step()
        images = self._video.get_batch(list(numbers)).asnumpy()
        self.step()
        return [Picture(image) for image in images]
