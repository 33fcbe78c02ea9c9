"""The error that every part of the data path raises."""

from __future__ import annotations

from collections.abc import Sequence

#: Errors of one kind to name before the rest is counted.
NAMED_ERRORS = 5


class DatasetError(ValueError):
    """What is on disk is not what the dataset expects; the message says what to do."""

    def __str__(self) -> str:
        # A DataLoader worker hands its error on with its whole traceback as the text.
        return super().__str__().rsplit(f'{type(self).__name__}: ', 1)[-1].strip()


class StuckVideoError(DatasetError):
    """Reading a video did not come to an end.

    Args:
        message: The line that names it.
        path: The file.
    """

    # A DataLoader makes the errors of its workers anew, from their text alone.
    def __init__(self, message: str, path: str = '') -> None:
        super().__init__(message)
        self.path = path


def name_some(errors: Sequence[str]) -> str:
    """Name the first few errors and count the rest."""
    lines = [f'  {error}' for error in errors[:NAMED_ERRORS]]
    if len(errors) > NAMED_ERRORS:
        lines.append(f'  ... and {len(errors) - NAMED_ERRORS} more')
    return '\n'.join(lines)
