"""The errors of reading datasets."""

from __future__ import annotations

from collections.abc import Sequence

#: Number of errors of one kind to name; the others are counted.
NAMED_ERRORS = 5


class DatasetError(ValueError):
    """Files of a dataset are missing or wrong; the message says what to do."""

    def __str__(self) -> str:
        # A DataLoader worker passes its error on with the whole traceback as its text.
        return super().__str__().rsplit(f'{type(self).__name__}: ', 1)[-1].strip()


class StuckVideoError(DatasetError):
    """Reading a video timed out.

    Args:
        message: One line that names it.
        path: The file.
    """

    # A DataLoader creates the errors of its workers again, from their text only.
    def __init__(self, message: str, path: str = '') -> None:
        super().__init__(message)
        self.path = path


def name_some(errors: Sequence[str]) -> str:
    """Name the first few errors and count the rest."""
    lines = [f'  {error}' for error in errors[:NAMED_ERRORS]]
    if len(errors) > NAMED_ERRORS:
        lines.append(f'  ... and {len(errors) - NAMED_ERRORS} more')
    return '\n'.join(lines)
