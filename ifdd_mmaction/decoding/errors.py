"""The errors of reading videos."""

from __future__ import annotations


class VideoError(ValueError):
    """A file cannot be read as a video; one line names it and says what to do."""


class StuckError(VideoError):
    """A file gives no frame for too long.

    Args:
        path: The file.
        message: The line that names it.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(path, message)
        self.path = path

    def __str__(self) -> str:
        return str(self.args[1])
